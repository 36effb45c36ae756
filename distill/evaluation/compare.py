"""Two models of a run compared on the same test rows, overall and slice by slice."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from distill.core.errors import unknown_name
from distill.core.files import Json
from distill.evaluation.bootstrap import FEWEST_CLUSTERS
from distill.evaluation.evaluate import metrics
from distill.evaluation.holm import corrected
from distill.evaluation.measured_run import MeasuredRun, open_run
from distill.evaluation.over_seeds import Seeded, beside, comparison
from distill.evaluation.scored import Scored, places_by_slice, require_same_rows

BY = ("slice",)


def compare(run: Path, a: str, b: str) -> list[Json]:
    """Comparisons a − b of accuracy, macro F1, log loss and the positive class's F1 over all test rows.

    In a run of several seeds they are means over the seeds.

    Raises: UserError for a folder that is no run, and for a model that it does not have.
    """
    source = open_run(run)
    first, second = source.scored(a), source.scored(b)
    bootstrap = source.bootstrap(first[0])
    left, right = Seeded(first, bootstrap), Seeded(second, bootstrap)
    return corrected([comparison(left, right, metric) for metric in metrics(source.space, source.settings.metric)])


def compare_by(run: Path, a: str, b: str, by: str) -> Json:
    """Accuracy of two models and its paired difference a − b in each slice and over all test rows.

    Clusters are drawn within the slice; a slice with too few of them has its difference without interval and p-value.

    Args: by: one of `BY`.
    Returns: `{"a", "b", "by", "metric", "seeds", "fewest_clusters", "rows"}`; each row has `name` (None for all test
        rows, which come last), `rows`, `clusters`, `a`, `b`, `difference`, `low`, `high`, `p_value`,
        `p_holm`.
    Raises: UserError as `compare`, and where the test rows have no slices.
    """
    if by not in BY:
        raise unknown_name("breakdown", by, BY, "--by")
    source = open_run(run)
    first, second = source.scored(a), source.scored(b)
    require_same_rows(first[0], second[0])
    return {
        "a": a,
        "b": b,
        "by": by,
        "metric": "accuracy",
        "seeds": source.seeds,
        "fewest_clusters": FEWEST_CLUSTERS,
        "rows": corrected(list(_by_slice(source, first, second))),
    }


def _by_slice(source: MeasuredRun, a: Sequence[Scored], b: Sequence[Scored]) -> Iterator[Json]:
    for name, places in places_by_slice(a[0]).items():
        one, other = ([scored.taken(places) for scored in model] for model in (a, b))
        yield {"name": name, **beside(one, other, "accuracy", source.bootstrap_if_enough(one[0]))}
    yield {"name": None, **beside(a, b, "accuracy", source.bootstrap_if_enough(a[0]))}
