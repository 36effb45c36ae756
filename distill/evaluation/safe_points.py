"""Operating points that hold on other rows too: a share counts as reached when the lower end of its interval is there.

Rules, by the names that bundles know: `f1`, the best F1; `recall@P>=x`, the most recall where the lower end of
precision is at least x; `precision@R>=y`, the most precision where that of recall is at least y; `least_cost`, the
threshold with the least expected cost. The ends are those of `ClusterShares`, at one threshold at a time.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from distill.core.errors import UserError
from distill.core.shares import share_of
from distill.evaluation.cluster_shares import ClusterShares
from distill.evaluation.metrics import BoolArray, FloatArray, f1_score
from distill.evaluation.operating_points import between
from distill.evaluation.statistics import Interval

F1, LEAST_COST = "f1", "least_cost"
_NAMED = re.compile(r"(?:(recall)@P|(precision)@R)>=(.+)")
_ASKED = re.compile(r"\s*(precision|recall)\s*>=\s*(.+?)\s*")
_CANDIDATES = 100


@dataclass(frozen=True)
class Rule:
    """A rule of an operating point.

    Attributes: name: in the bundle. best: what is maximised: `f1`, `recall`, `precision`, or `least_cost`. least: what
        the lower end of the other of recall and precision must reach.
    """

    name: str
    best: str
    least: float = 0.0


@dataclass(frozen=True)
class Chosen:
    """What a rule came to. Attributes: threshold: None where no threshold is good enough; then `nearest` is the highest
    lower end that there was, None for rules without one.
    """

    threshold: float | None
    nearest: float | None = None


@dataclass(frozen=True)
class Rows:
    """What thresholds are chosen on.

    Attributes: chances: (N,) of the positive class. positive: bool (N,). weights: (N,), how much each row counts.
        clusters: int (N,) or (N, K). costs: (N, 2), of calling a row positive and of not; None where there are none.
    """

    chances: FloatArray
    positive: BoolArray
    weights: FloatArray
    clusters: NDArray[np.int64]
    costs: FloatArray | None = None

    def taken(self, kept: BoolArray) -> Rows:
        """Some of the rows. Args: kept: (N,)."""
        costs = None if self.costs is None else self.costs[kept]
        return Rows(self.chances[kept], self.positive[kept], self.weights[kept], self.clusters[kept], costs)


def named_rule(name: str) -> Rule | None:
    """The rule that an operating point of this name was chosen by; None for a name that says none."""
    if name in (F1, LEAST_COST):
        return Rule(name, name)
    found = _NAMED.fullmatch(name)
    least = _share(found[3]) if found else None
    return Rule(name, str(found[1] or found[2]), least) if found and least is not None else None


def asked_rule(text: str) -> Rule:
    """The rule of `precision>=0.9` or `recall>=90%`. Raises: UserError for anything else."""
    found = _ASKED.fullmatch(text)
    least = _share(found[2]) if found else None
    if found is None or least is None:
        do = "write for example precision>=0.9 or recall>=0.8"
        raise UserError("no operating point can be asked for so", where="--at", found=text, do=do)
    held, best = ("P", "recall") if found[1] == "precision" else ("R", "precision")
    return Rule(f"{best}@{held}>={least:g}", best, least)


def choose_safely(rows: Rows, rules: Iterable[Rule]) -> dict[str, Chosen]:
    """The threshold of each rule by name. Equal bests take the higher threshold, of `precision` the lower one."""
    curve = _Curve(rows)
    return {rule.name: curve.best(rule) for rule in rules}


class _Curve:
    """Sums above every distinct score, the highest first."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._order = np.argsort(-rows.chances, kind="stable")
        scores = rows.chances[self._order]
        self._last = np.flatnonzero(np.append(scores[1:] != scores[:-1], True))
        self._thresholds = between(scores[self._last])
        weights = rows.weights[self._order]
        self._predicted = np.cumsum(weights)[self._last]
        self._hit = np.cumsum(weights * rows.positive[self._order])[self._last]
        self._actual = float((rows.weights * rows.positive).sum())

    def best(self, rule: Rule) -> Chosen:
        if rule.best == LEAST_COST:
            return self._cheapest()
        if not self._hit.size or self._hit[-1] <= 0:
            return Chosen(None, None if rule.best == F1 else 0.0)
        precision, recall = self._hit / self._predicted, self._hit / self._actual
        if rule.best == F1:
            f1 = f1_score(self._hit, self._predicted, np.full(self._hit.shape, self._actual))
            return Chosen(float(self._thresholds[_most(f1, precision)]))
        place, ends = self._candidates, self._recall_ends if rule.best == "precision" else self._precision_ends
        allowed = ends >= rule.least
        if not allowed.any():
            return Chosen(None, float(ends.max()))
        wanted, then = (precision, recall) if rule.best == "precision" else (recall, precision)
        return Chosen(float(self._thresholds[place[allowed][_most(wanted[place][allowed], then[place][allowed])]]))

    @cached_property
    def _candidates(self) -> NDArray[np.int64]:
        """At most 100 of the distinct scores, evenly spread, that find a positive row."""
        first = int(np.flatnonzero(self._hit > 0)[0])
        count = len(self._hit) - first
        return np.unique(np.linspace(first, len(self._hit) - 1, min(count, _CANDIDATES)).round().astype(np.int64))

    @cached_property
    def _precision_ends(self) -> FloatArray:
        rows = self._rows
        return self._ends(lambda predicted: (rows.weights * (predicted & rows.positive), rows.weights * predicted))

    @cached_property
    def _recall_ends(self) -> FloatArray:
        rows = self._rows
        return self._ends(lambda predicted: (rows.weights * (predicted & rows.positive), rows.weights * rows.positive))

    def _ends(self, counted: Callable[[BoolArray], tuple[FloatArray, FloatArray]]) -> FloatArray:
        shares = ClusterShares(self._rows.clusters)
        found = [shares.interval(*counted(self._rows.chances >= self._thresholds[place])) for place in self._candidates]
        return np.array([one["low"] or 0.0 for one in found])

    def _cheapest(self) -> Chosen:
        """Calling none positive is no threshold; calling all is 0."""
        assert self._rows.costs is not None, "costs are needed"
        costs = self._rows.costs[self._order] * self._rows.weights[self._order, None]
        none = float(costs[:, 1].sum())
        spent = none + np.cumsum(costs[:, 0] - costs[:, 1])[self._last]
        place = int(spent.argmin())
        if spent[place] >= none:
            return Chosen(None)
        return Chosen(0.0 if place == len(spent) - 1 else float(self._thresholds[place]))


def point_figures(rows: Rows, decided: BoolArray) -> dict[str, Interval]:
    """Precision and recall of decisions (N,) with their intervals, and F1. Args: rows: their chances are not asked."""
    shares, hit = ClusterShares(rows.clusters), rows.weights * (decided & rows.positive)
    predicted, actual = rows.weights * decided, rows.weights * rows.positive
    f1 = float(f1_score(*(np.array(one.sum()) for one in (hit, predicted, actual))))
    found = {"precision": shares.interval(hit, predicted), "recall": shares.interval(hit, actual)}
    return {**found, F1: {"value": f1, "low": None, "high": None}}


def mean_cost(rows: Rows, decided: BoolArray) -> float | None:
    """What a decision costs on average; None where there are no costs."""
    if rows.costs is None:
        return None
    return float(np.average(np.where(decided, rows.costs[:, 0], rows.costs[:, 1]), weights=rows.weights))


def _most(wanted: FloatArray, then: FloatArray) -> int:
    """The place with the most `wanted`, of equal ones with the most `then`, of these the first."""
    best = wanted >= wanted.max()
    return int(np.where(best, then, -1.0).argmax())


def _share(text: str) -> float | None:
    """A number in (0, 1], or percent; None for anything else."""
    value = share_of(text)
    return value if value is not None and 0 < value <= 1 else None
