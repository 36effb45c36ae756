"""McNemar's exact test beside the bootstrap: which of two models is right on the rows where just one of them is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from distill.core.files import Json
from distill.evaluation.holm import holm
from distill.evaluation.over_seeds import Seeded


def mcnemar(only_old: int, only_new: int) -> float:
    """The exact two-sided p-value that either model is right as often where just one of them is; 1 where none is.

    Source: McNemar 1947, "Note on the sampling error of the difference between correlated proportions or percentages",
        Psychometrika 12; the exact form is the sign test, a binomial with p = 1/2.
    """
    from scipy.stats import binomtest

    return float(binomtest(only_old, only_old + only_new).pvalue) if only_old + only_new else 1.0


def with_exact(comparisons: Sequence[Json], models: Mapping[str, Seeded]) -> list[Json]:
    """The comparisons of one table, those of accuracy with `mcnemar`: `only_a`, `only_b`, `p_value` and `p_holm`.

    The test takes rows as independent, which rows of one product are not: where it and the bootstrap disagree, the
    bootstrap, which draws the keys, is to be believed. With several seeds there is none, as their rows are the same.

    Args: comparisons: of report.json. models: by name, on the rows that were compared.
    """
    tested = {place: _exact(one, models) for place, one in enumerate(comparisons) if _has_one(one, models)}
    adjusted = dict(zip(tested, holm([one["p_value"] for one in tested.values()]), strict=True))
    return [
        {**one, "mcnemar": {**tested[place], "p_holm": adjusted[place]}} if place in tested else one
        for place, one in enumerate(comparisons)
    ]


def _has_one(one: Json, models: Mapping[str, Seeded]) -> bool:
    return one["metric"] == "accuracy" and len(models[one["a"]].scored) == 1


def _exact(one: Json, models: Mapping[str, Seeded]) -> Json:
    a, b = (models[one[side]].scored[0].tally.single[:, 1] > 0 for side in ("a", "b"))
    only_a, only_b = int((a & ~b).sum()), int((b & ~a).sum())
    return {"only_a": only_a, "only_b": only_b, "p_value": mcnemar(only_a, only_b)}
