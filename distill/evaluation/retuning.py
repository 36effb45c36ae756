"""A trained model's temperature and operating points, chosen anew on labelled rows and measured on the same rows.

What is chosen on rows looks better on them than it is. So each half of the clusters is measured with what the other
half alone would have chosen, and the figures are over both halves; the model that is handed over has what all rows
choose.

Another mix of classes is rows with weights: a row of class c counts share(c) / share of c in the rows. Whatever is a
mean over rows is then that of rows with the other mix, as long as texts within a class stay what they are (prior
shift). A temperature and thresholds are chosen so, and every client of a bundle carries them. The probabilities
themselves are not those of the other mix: these are p(c) · weight(c), divided by their sum (`corrected`), which no
single temperature gives.
Source: Saerens, Latinne & Decaestecker 2002, "Adjusting the outputs of a classifier to new a priori probabilities: a
simple procedure", Neural Computation 14 (1), equation 2.4.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from distill.core.errors import UserError
from distill.core.files import Json
from distill.core.halves import FEWEST_CLUSTERS, choosing_half
from distill.core.label_space import LabelSpace
from distill.evaluation.bootstrap import Bootstrap
from distill.evaluation.calibration import fit_temperature
from distill.evaluation.class_thresholds import best_thresholds
from distill.evaluation.figure import POSITIVE, SHARE, Figure
from distill.evaluation.influence import influence
from distill.evaluation.metrics import BoolArray, FloatArray, Tally, log_loss, tally
from distill.evaluation.safe_points import Chosen, Rows, Rule, choose_safely, mean_cost, point_figures
from distill.evaluation.statistics import ece_interval, interval

_FIGURES = ("log_loss", "ece")
_AT_THRESHOLDS = ("accuracy", "f1_macro", "f1_micro")
_SEED = 1


@dataclass(frozen=True)
class Fresh:
    """N labelled rows.

    Attributes: space: the classes. target: (N, C). clusters: int (N,) or (N, K), as `Bootstrap` takes them. names: of
        the first key's clusters, N. shares: of each class (C,) where the mix is another one than the rows'; else None.
        costs: (C, C), of answering the column's class where the row's is true; None where there are none. source:
        the file of the rows, for messages.
    """

    space: LabelSpace
    target: NDArray[np.float32]
    clusters: NDArray[np.int64]
    names: Sequence[str]
    shares: FloatArray | None = None
    costs: FloatArray | None = None
    source: str | None = None

    @property
    def gold(self) -> BoolArray:
        """The labels that each row holds, (N, C)."""
        return self.space.objective.gold_decisions(np.asarray(self.target, np.float64))

    @property
    def class_weights(self) -> FloatArray:
        """How much a row of each class counts, (C,)."""
        own = self.gold.mean(axis=0)
        return np.ones(len(own)) if self.shares is None else self.shares / own

    @property
    def weights(self) -> FloatArray:
        """How much each row counts, (N,)."""
        if self.shares is None:
            return np.ones(len(self.target))
        return np.asarray(self.gold @ self.class_weights)

    def half(self) -> BoolArray:
        """The rows of one half of the clusters, (N,). Raises: UserError with the number of clusters where one is
        small.
        """
        found = choosing_half(self.names, _SEED)
        if found is None:
            raise UserError(
                f"figures with an interval need at least {2 * FEWEST_CLUSTERS} clusters, half of them to choose on",
                where=self.source,
                found=f"{len(set(self.names))} clusters in {len(self.names)} rows",
                do="label more rows, or rows of more values of the first key",
            )
        return found

    def rows(self, logits: FloatArray) -> Rows:
        """What thresholds of the positive class are chosen on. Args: logits: (N, K), over their temperature."""
        index, objective = self.space.labels.index(str(self.space.positive)), self.space.objective
        costs = None if self.costs is None else _decision_costs(self.costs, self.gold, logits, index)
        chances = objective.probabilities(logits)[:, index]
        return Rows(chances, self.gold[:, index], self.weights, self.clusters, costs)

    def taken(self, kept: BoolArray) -> Fresh:
        """Some of the rows; towards another mix they are weighed anew. Args: kept: (N,)."""
        names = [name for name, stays in zip(self.names, kept, strict=True) if stays]
        return replace(self, target=self.target[kept], clusters=self.clusters[kept], names=names)


@dataclass(frozen=True)
class Tuned:
    """What a model answers by.

    Attributes: points: by rule. class_thresholds: by label, where a record may have several.
    """

    temperature: float
    points: Mapping[str, Chosen] = field(default_factory=dict)
    class_thresholds: Mapping[str, float] = field(default_factory=dict)


def tune(fresh: Fresh, logits: FloatArray, rules: Sequence[Rule]) -> Tuned:
    """What rows choose. Args: logits: (N, K), as the model gives them. rules: of operating points; none without a
    positive class.
    """
    objective = fresh.space.objective
    temperature = fit_temperature(logits, fresh.target, objective, None if fresh.shares is None else fresh.weights)
    scaled = logits / temperature
    points = choose_safely(fresh.rows(scaled), rules) if rules else {}
    by_class = best_thresholds(objective.probabilities(scaled), fresh.gold, fresh.space)
    return Tuned(temperature, points, by_class or {})


def measured(fresh: Fresh, logits: FloatArray, before: Tuned, rules: Sequence[Rule]) -> Json:
    """Figures as the model was, and with what is chosen anew: each half of the clusters with the other's choice.

    Args: logits: (N, K). before: what the model answered by. rules: as in `tune`.
    Returns: `{"before", "after": {"log_loss", "ece", "points"}, "log_loss_change"}`; figures are `{"value", "low",
        "high"}`, a point's its precision, recall, F1 and mean `cost`, None where there is none. Where a record
        may have several labels there is `at_thresholds` too, each label from its own threshold on: `accuracy` (all
        labels of a row are right), `f1_macro` and `f1_micro`; None where there were no thresholds.
    Raises: UserError with their number for too few clusters.
    """
    half, bootstrap = fresh.half(), Bootstrap(len(fresh.target), fresh.clusters)
    scaled, decided = np.empty(logits.shape), dict[str, BoolArray | None]()
    held = np.zeros(fresh.gold.shape, np.bool_)
    for chosen_on in (half, ~half):
        tuned, others = tune(_half_of(fresh, chosen_on), logits[chosen_on], rules), ~chosen_on
        scaled[others] = logits[others] / tuned.temperature
        if tuned.class_thresholds:
            held[others] = _held(fresh, scaled[others], tuned.class_thresholds)
        for name, chosen in tuned.points.items():
            _decide(decided, name, chosen, fresh, scaled, others)
    old = logits / before.temperature
    fixed = {
        name: None if one.threshold is None else _at(fresh, old, one.threshold) for name, one in before.points.items()
    }
    found = {"before": _figures(fresh, old, fixed, bootstrap), "after": _figures(fresh, scaled, decided, bootstrap)}
    if fresh.space.objective.several:
        own = _held(fresh, old, before.class_thresholds) if before.class_thresholds else None
        found["before"]["at_thresholds"] = None if own is None else _at_thresholds(fresh, old, own, bootstrap)
        found["after"]["at_thresholds"] = _at_thresholds(fresh, scaled, held, bootstrap)
    gap = _figure(fresh, scaled, bootstrap, "log_loss") - _figure(fresh, old, bootstrap, "log_loss")
    change = gap.mean_difference()
    return {**found, "log_loss_change": {key: change[key] for key in ("difference", "low", "high")}}


def corrected(fresh: Fresh, logits: FloatArray) -> float:
    """The log loss of probabilities that are corrected for the mix: p(c) · weight(c), divided by their sum.

    Args: logits: (N, K), over the temperature that the rows choose with their own mix.
    """
    with np.errstate(divide="ignore"):
        shifted = logits + np.log(np.maximum(fresh.class_weights, 1e-12))
    return log_loss(shifted, fresh.target, fresh.space.objective, fresh.weights)


def _half_of(fresh: Fresh, kept: BoolArray) -> Fresh:
    found = fresh.taken(kept)
    missing = [label for label, holds in zip(found.space.labels, found.gold.T, strict=True) if not holds.any()]
    if missing and fresh.shares is not None:
        do = "label more rows of it"
        raise UserError("a half of the rows has no row of a class", where=fresh.source, found=", ".join(missing), do=do)
    return found


def _decide(
    decided: dict[str, BoolArray | None], name: str, chosen: Chosen, fresh: Fresh, scaled: FloatArray, rows: BoolArray
) -> None:
    """Note the decisions of some rows at a point; a point that one half does not reach has none."""
    known = decided.setdefault(name, np.zeros(len(rows), np.bool_))
    if chosen.threshold is None and chosen.nearest is not None:
        decided[name] = None
    elif known is not None and chosen.threshold is not None:
        known[rows] = _at(fresh.taken(rows), scaled[rows], chosen.threshold)


def _at(fresh: Fresh, scaled: FloatArray, threshold: float) -> BoolArray:
    return np.asarray(fresh.rows(scaled).chances >= threshold)


def _held(fresh: Fresh, scaled: FloatArray, thresholds: Mapping[str, float]) -> BoolArray:
    """Which labels hold from their own thresholds on, (N, C)."""
    least = np.array([thresholds[label] for label in fresh.space.labels])
    return np.asarray(fresh.space.objective.probabilities(scaled) >= least)


def _at_thresholds(fresh: Fresh, scaled: FloatArray, held: BoolArray, bootstrap: Bootstrap) -> Json:
    return {name: _figure(fresh, scaled, bootstrap, name, held).mean() for name in _AT_THRESHOLDS}


def _figures(fresh: Fresh, scaled: FloatArray, decided: Mapping[str, BoolArray | None], bootstrap: Bootstrap) -> Json:
    around = {"log_loss": interval, "ece": ece_interval}
    found: Json = {name: _figure(fresh, scaled, bootstrap, name).mean(around[name]) for name in _FIGURES}
    rows = fresh.rows(scaled) if decided else None
    points = {
        name: None if made is None or rows is None else {**point_figures(rows, made), "cost": mean_cost(rows, made)}
        for name, made in decided.items()
    }
    return {**found, "points": points}


def _figure(fresh: Fresh, scaled: FloatArray, bootstrap: Bootstrap, name: str, held: BoolArray | None = None) -> Figure:
    """A figure of a tally by its name. Args: held: the labels that are predicted; None: those of the objective."""
    columns = tally(scaled, fresh.target, fresh.space.objective, held).columns * fresh.weights[:, None]
    drawn_from = np.asarray(fresh.gold.any(axis=0))

    def of(sums: ArrayLike) -> FloatArray:
        return np.asarray(getattr(Tally(np.asarray(sums, np.float64), drawn_from), name))

    moved = influence(of, columns)[None] if bootstrap.several else None
    resampled = of(bootstrap.resample(columns))[None]
    return Figure(
        of(columns.sum(axis=0))[None], resampled, bootstrap, moved, limits=SHARE if held is not None else POSITIVE
    )


def _decision_costs(costs: FloatArray, gold: BoolArray, logits: FloatArray, positive: int) -> FloatArray:
    """What it costs (N, 2) to answer the positive class, and the best of the others."""
    others = np.where(np.arange(logits.shape[1]) == positive, -np.inf, logits).argmax(axis=1)
    true = gold.argmax(axis=1)
    return np.stack([costs[true, positive], costs[true, others]], axis=1)
