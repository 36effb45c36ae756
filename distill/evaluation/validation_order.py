"""Whether validation, on which everything is chosen, puts the models in the order that the test puts them in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations

import numpy as np

from distill.core.files import Json
from distill.evaluation.figure import Figure
from distill.evaluation.over_seeds import Seeded
from distill.evaluation.ranking import kendall

_TOLD = ("difference", "low", "high")


def validation_order(valid: Mapping[str, Seeded], test: Mapping[str, Seeded], metric: str) -> Json:
    """The models by a metric on validation and on all test rows, and the pairs that change places.

    A pair is named where both paired 95% intervals leave out 0 on opposite sides: of two equal models that is one set
    in 800. The test chooses nothing here; it only says whether what validation chose can be trusted.

    Args: valid, test: the same two models or more, by name.
    Returns: `metric`; `kendall`, the rank correlation τ_b of both orders, None where one has no order; `models` with
        the figure on `valid` and `test`; `swapped`, pairs `a`, `b` with their difference on `valid` and on `test`.
    """
    figures = {name: (valid[name].metric(metric), test[name].metric(metric)) for name in valid}
    tau = float(kendall(*([float(pair[place].values.mean()) for pair in figures.values()] for place in (0, 1))))
    return {
        "metric": metric,
        "kendall": tau if np.isfinite(tau) else None,
        "models": [{"model": name, "valid": a.mean(), "test": b.mean()} for name, (a, b) in figures.items()],
        "swapped": list(_swapped(list(figures), figures)),
    }


def _swapped(names: Sequence[str], figures: Mapping[str, tuple[Figure, Figure]]) -> Iterator[Json]:
    for a, b in combinations(names, 2):
        on_valid, on_test = ((figures[a][place] - figures[b][place]).mean_difference() for place in (0, 1))
        if _side(on_valid) * _side(on_test) < 0:
            told = {"valid": on_valid, "test": on_test}
            yield {"a": a, "b": b, **{split: {key: one[key] for key in _TOLD} for split, one in told.items()}}


def _side(apart: Json) -> int:
    """1 or −1 where the interval is above or below 0; 0 where it holds it."""
    low, high = apart["low"], apart["high"]
    return 0 if low is None or high is None else int(low > 0) - int(high < 0)
