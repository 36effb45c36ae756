"""The share of rows that an exported file decides otherwise at an operating point, wherever validation may put it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from distill.core.files import Json
from distill.evaluation.bootstrap import Bootstrap
from distill.evaluation.metrics import BoolArray, FloatArray
from distill.evaluation.operating_points import Curves, choose

_UPPER = 0.975


class Flips:
    """The rows that two models decide otherwise at each threshold.

    Args: before, after: probability of a class, (N,): a row differs at t where one is at least t and the other is not.
    """

    def __init__(self, before: FloatArray, after: FloatArray) -> None:
        self._low, self._high = np.sort(np.minimum(before, after)), np.sort(np.maximum(before, after))

    def share(self, threshold: FloatArray) -> FloatArray:
        """The share of rows at each threshold (R,); NaN where a threshold is."""
        below, above = (np.searchsorted(ends, threshold, side="left") for ends in (self._low, self._high))
        return np.where(np.isnan(threshold), np.nan, (below - above) / len(self._low))

    def most(self, thresholds: FloatArray) -> float:
        """The largest share at any of these thresholds; 0 where there are none."""
        return float(self.share(thresholds).max(initial=0.0))


def flipped_points(
    flips: Sequence[Flips], valid: tuple[FloatArray, BoolArray], rules: tuple[float, float], draws: Bootstrap
) -> Iterator[tuple[int, str, Json]]:
    """Class, name, and `{"value", "high"}` of the operating points at which most rows are decided otherwise.

    `value` is the share at the threshold that validation chose, `high` that which 39 resamples of validation in 40 stay
    under when the threshold is chosen again on each, at least `value`. A class is left out where no threshold that
    validation may choose gives more than a class before it.

    Args: flips: of each class. valid: of the original on validation, the probability and the gold of each class (V, C).
        rules: least precision and recall, as for `choose`. draws: resamples of the validation rows.
    """
    found = 0.0
    chances, gold = valid
    most = [one.most(Curves(chances[:, index], gold[:, index]).thresholds) for index, one in enumerate(flips)]
    for index in sorted(range(len(flips)), key=lambda index: -most[index]):
        if most[index] <= found:
            return
        chosen = choose(chances[:, index], gold[:, index], *rules)
        curves = Curves(chances[:, index], gold[:, index])
        chunks = [curves.best(draws.by_row(weights), *rules) for weights in draws.weights()]
        for name, least in chosen.items():
            if least is not None:
                value = float(flips[index].share(np.array([least]))[0])
                again = flips[index].share(np.concatenate([chunk[name] for chunk in chunks]))
                high = max(value, float(np.nanquantile(again, _UPPER)) if np.isfinite(again).any() else value)
                found = max(found, high)
                yield index, name, {"value": value, "high": high}
