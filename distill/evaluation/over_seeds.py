"""One model's predictions in every seed, its figures from them, and its difference to another model."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from distill.core.files import Json
from distill.core.label_space import LabelSpace
from distill.evaluation.bootstrap import Bootstrap
from distill.evaluation.figure import POSITIVE, SHARE, Figure
from distill.evaluation.influence import influence
from distill.evaluation.metrics import FloatArray, Tally
from distill.evaluation.scored import Scored, positive_index, require_same_rows

METRICS = ("accuracy", "f1_macro", "log_loss", "f1_positive")
_LIMITS = {"log_loss": POSITIVE, "grade_distance": POSITIVE, "kappa_quadratic": (-1.0, 1.0)}


class Seeded:
    """One model's predictions on the same rows in every seed, with its tallies on resamples shared by all models.

    Args: scored: one for each seed. bootstrap: over the same rows.
    Raises: UserError when a seed was scored on other rows than the first.
    """

    def __init__(self, scored: Sequence[Scored], bootstrap: Bootstrap) -> None:
        for other in scored[1:]:
            require_same_rows(scored[0], other)
        self.scored, self.name, self.space = list(scored), scored[0].name, scored[0].space
        self.bootstrap = bootstrap
        self.totals = [one.tally.total() for one in scored]
        self._has = [~total.absent for total in self.totals]
        drawn = [bootstrap.resample(one.tally.columns) for one in scored]
        self.resampled = [Tally(sums, has) for sums, has in zip(drawn, self._has, strict=True)]

    def of(
        self, figure: Callable[[Tally], FloatArray], limits: tuple[float, float] = SHARE, index: int | None = None
    ) -> Figure:
        """A figure of a tally, which gives () from a total and (R,) from resamples.

        Args: limits: of the figure. index: of a class: then the tallies have its sums alone, as those of class 0.
        """
        values = np.array([float(figure(_part(total, index))) for total in self.totals])
        resampled = np.stack([figure(_part(resampled, index)) for resampled in self.resampled])
        moved = None
        if self.bootstrap.several:
            moved = np.stack([self._influence(figure, number, index) for number in range(len(self.scored))])
        return Figure(values, resampled, self.bootstrap, moved, limits=limits)

    def _influence(self, figure: Callable[[Tally], FloatArray], number: int, index: int | None) -> FloatArray:
        """Of each row of one seed on a figure (N,)."""
        rows, has = self.scored[number].tally, self._has[number]
        if index is not None:
            rows, has = rows.of_class(index), has[index : index + 1]
        return influence(lambda sums: figure(Tally(sums, has)), rows.columns)

    def metric(self, name: str) -> Figure:
        """A figure of a tally, or `f1_positive`, by its name. Raises: UserError for the latter without such a class."""
        return self.of(figure_named(name, self.space), _LIMITS.get(name, SHARE))

    def f1(self, index: int) -> Figure:
        """F1 of the class with this index, at the largest probability."""
        return self.of(lambda tally: np.asarray(tally.f1[..., 0]), index=index)


def _part(tally: Tally, index: int | None) -> Tally:
    return tally if index is None else tally.of_class(index)


def figure_named(name: str, space: LabelSpace) -> Callable[[Tally], FloatArray]:
    """A figure of a tally, or `f1_positive`, by its name. Raises: UserError for the latter without such a class."""
    if name == "f1_positive":
        index = positive_index(space)
        return lambda tally: np.asarray(tally.f1[..., index])
    return lambda tally: np.asarray(getattr(tally, name))


def comparison(a: Seeded, b: Seeded, metric: str) -> Json:
    """Paired difference a − b of one of `METRICS` on the same rows, the mean over seeds; to be `corrected`.

    Returns: `a`, `b`, `metric`, then what `Figure.mean_difference` gives.
    Raises: UserError when the rows differ, or for `f1_positive` without a positive class.
    """
    require_same_rows(a.scored[0], b.scored[0])
    return {"a": a.name, "b": b.name, "metric": metric, **(a.metric(metric) - b.metric(metric)).mean_difference()}


def beside(a: Sequence[Scored], b: Sequence[Scored], metric: str, bootstrap: Bootstrap | None) -> Json:
    """A figure of two models in every seed and its paired difference a − b, all means over seeds; to be `corrected`.

    Args: bootstrap: over their rows; None where there are too few clusters to resample: then without interval.
    Returns: `rows`, `clusters`, `a`, `b`, then as `Figure.mean_difference`, None for what is not known.
    Raises: UserError when the rows differ, or for `f1_positive` without a positive class.
    """
    require_same_rows(a[0], b[0])
    figure = figure_named(metric, a[0].space)
    one, other = (float(np.mean([figure(scored.tally.total()) for scored in model])) for model in (a, b))
    found: Json = {"difference": one - other, "low": None, "high": None, "p_value": None, "evidence": None}
    if bootstrap is not None:
        found = (Seeded(a, bootstrap).metric(metric) - Seeded(b, bootstrap).metric(metric)).mean_difference()
    return {"rows": len(a[0]), "clusters": a[0].cluster_count, "a": one, "b": other, **found}
