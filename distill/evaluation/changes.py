"""What two models answer otherwise on the same rows, counted a chunk of rows at a time."""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distill.core.files import Json
from distill.core.label_space import LabelSpace
from distill.evaluation.exact_tests import mcnemar
from distill.evaluation.metrics import BoolArray, FloatArray
from distill.evaluation.proportions import wilson

LABELS = "labels"


@dataclass(frozen=True)
class Answered:
    """One model's answers to n rows.

    Attributes: chances: (n, C). decided: bool (n, C), the labels. points: by operating point bool (n,), whether a row
        is positive there, or bool (n, C), which labels hold there.
    """

    chances: FloatArray
    decided: BoolArray
    points: Mapping[str, BoolArray]


@dataclass(frozen=True)
class Rows:
    """What else is known of n rows.

    Attributes: keep: of each row what an example needs; not looked at here. gold: bool (n, C). labelled: bool (n,),
        whether the gold of a row is known. slices: of each row; empty where there are none.
    """

    keep: Sequence[Any]
    gold: BoolArray
    labelled: BoolArray
    slices: Sequence[str] = ()


@dataclass
class _Right:
    """How often each model is right on labelled rows. Attributes: only_old, only_new: where the other one is wrong."""

    rows: int = 0
    old: int = 0
    new: int = 0
    only_old: int = 0
    only_new: int = 0

    def add(self, old: BoolArray, new: BoolArray) -> None:
        self.rows += len(old)
        self.old, self.new = self.old + int(old.sum()), self.new + int(new.sum())
        self.only_old, self.only_new = self.only_old + int((old & ~new).sum()), self.only_new + int((new & ~old).sum())

    @property
    def as_json(self) -> Json | None:
        if not self.rows:
            return None
        counts = {"rows": self.rows, "old_right": self.old, "new_right": self.new}
        only = {"only_old_right": self.only_old, "only_new_right": self.only_new}
        return {**counts, **only, "p_value": mcnemar(self.only_old, self.only_new)}


@dataclass
class _Count:
    """Changes of one kind. Attributes: gained, lost: of an operating point, rows that became positive and no longer
    are.
    """

    rows: int = 0
    changed: int = 0
    gained: int = 0
    lost: int = 0
    right: _Right = field(default_factory=_Right)

    @property
    def as_json(self) -> Json:
        share = wilson(self.changed / self.rows if self.rows else 0.0, self.rows)
        found: Json = {"rows": self.rows, "changed": self.changed, "share": share}
        return {**found, "gained": self.gained, "lost": self.lost, "right": self.right.as_json}


@dataclass(frozen=True, order=True)
class _Example:
    """A changed row. Attributes: size: the largest change of a probability. place: minus its number, so that of equal
    sizes the first rows stay.
    """

    size: float
    place: int
    told: Json = field(compare=False)


class Changes:
    """Counts over all rows so far. Args: space: the classes. examples: how many changed rows are kept, the largest
    ones.
    """

    def __init__(self, space: LabelSpace, examples: int) -> None:
        self._space, self._most = space, examples
        self._all: dict[str, _Count] = {LABELS: _Count()}
        self._slices: dict[str, dict[str, _Count]] = {}
        self._transitions = np.zeros((len(space), len(space)), np.int64)
        self._gained, self._lost = np.zeros((2, len(space)), np.int64)
        self._apart = np.zeros(len(space))
        self._examples: list[_Example] = []

    @property
    def rows(self) -> int:
        """How many rows were added."""
        return self._all[LABELS].rows

    @property
    def slices(self) -> int:
        """How many slices the rows have."""
        return len(self._slices)

    def add(self, rows: Rows, old: Answered, new: Answered) -> None:
        """Count n more rows."""
        first, changed = self.rows, self._changed(rows, old, new)
        self._apart += np.abs(new.chances - old.chances).sum(axis=0)
        if self._space.objective.several:  # a class is gained or lost, and no other one is its counterpart
            self._gained += (new.decided & ~old.decided).sum(axis=0)
            self._lost += (old.decided & ~new.decided).sum(axis=0)
        else:
            np.add.at(self._transitions, (old.decided.argmax(axis=1), new.decided.argmax(axis=1)), 1)
        every = np.arange(len(rows.keep))
        self._count(self._all, every, rows, old, new)
        names = np.asarray(rows.slices, dtype=object)
        for name in dict.fromkeys(rows.slices):
            own = self._slices.setdefault(name, {LABELS: _Count()})
            self._count(own, np.flatnonzero(names == name), rows, old, new)
        for place in np.flatnonzero(changed).tolist():
            self._keep(first, place, rows, old, new)

    def found(self) -> Json:
        """Everything: `labels` and `points`, each `{"rows", "changed", "share", "gained", "lost", "right"}`, the same
        by `slices`, `transitions`, `probability_change` and `examples`, the largest change first.

        `right` has of labelled rows how many each model, and only one of them, has right, and the exact p-value.
        """
        return {
            **_told(self._all),
            "slices": {name: _told(self._slices[name]) for name in sorted(self._slices)},
            "transitions": self._moved(),
            "probability_change": {
                "mean": float(self._apart.mean() / max(1, self.rows)),
                **dict(zip(self._space.labels, (self._apart / max(1, self.rows)).tolist(), strict=True)),
            },
            "examples": [one.told for one in sorted(self._examples, reverse=True)],
        }

    def _changed(self, rows: Rows, old: Answered, new: Answered) -> BoolArray:
        found = _differ(old.decided, new.decided)
        for point in old.points:
            found = found | _differ(old.points[point], new.points[point])
        return found

    def _count(
        self, into: dict[str, _Count], taken: NDArray[np.int64], rows: Rows, old: Answered, new: Answered
    ) -> None:
        known = taken[rows.labelled[taken]]
        gold = rows.gold[known]
        self._one(into[LABELS], old.decided[taken], new.decided[taken])
        into[LABELS].right.add(_equal(old.decided[known], gold), _equal(new.decided[known], gold))
        for point in old.points:
            count = into.setdefault(point, _Count())
            self._one(count, old.points[point][taken], new.points[point][taken])
            true = gold if old.points[point].ndim == 2 else gold[:, self._space.labels.index(str(self._space.positive))]
            count.right.add(_equal(old.points[point][known], true), _equal(new.points[point][known], true))

    def _one(self, count: _Count, old: BoolArray, new: BoolArray) -> None:
        count.rows += len(old)
        count.changed += int(_differ(old, new).sum())
        if old.ndim == 1:
            count.gained += int((new & ~old).sum())
            count.lost += int((old & ~new).sum())

    def _keep(self, first: int, place: int, rows: Rows, old: Answered, new: Answered) -> None:
        size = float(np.abs(new.chances[place] - old.chances[place]).max())
        example = _Example(size, -(first + place), {})
        full = len(self._examples) == self._most
        if full and (not self._most or example < self._examples[0]):
            return
        told = {
            "row": rows.keep[place],
            "old": self._answer(old.decided[place]),
            "new": self._answer(new.decided[place]),
            "gold": self._answer(rows.gold[place]) if rows.labelled[place] else None,
            "old_probabilities": self._named(old.chances[place]),
            "new_probabilities": self._named(new.chances[place]),
            "points": {
                point: [self._at(side.points[point][place]) for side in (old, new)]
                for point in old.points
                if np.any(old.points[point][place] != new.points[point][place])
            },
        }
        if full:
            heapq.heappop(self._examples)
        heapq.heappush(self._examples, replace(example, told=told))

    def _at(self, decided: BoolArray | np.bool_) -> bool | str | list[str]:
        """A decision at a point: whether the row is positive, or the labels that hold there."""
        return bool(decided) if decided.ndim == 0 else self._answer(np.asarray(decided))

    def _answer(self, decided: BoolArray) -> str | list[str]:
        held = [label for label, holds in zip(self._space.labels, decided.tolist(), strict=True) if holds]
        return held if self._space.objective.several else held[0]

    def _named(self, chances: FloatArray) -> dict[str, float]:
        return dict(zip(self._space.labels, chances.tolist(), strict=True))

    def _moved(self) -> list[Json]:
        """Changed rows by old and new label, the most frequent pair first; of several labels gained and lost ones."""
        labels = self._space.labels
        if self._space.objective.several:
            counts = zip(labels, self._gained.tolist(), self._lost.tolist(), strict=True)
            return [
                {"label": label, "gained": gained, "lost": lost} for label, gained, lost in counts if gained or lost
            ]
        pairs = [(i, j) for i in range(len(labels)) for j in range(len(labels)) if i != j and self._transitions[i, j]]
        pairs.sort(key=lambda pair: -self._transitions[pair])
        return [{"old": labels[i], "new": labels[j], "rows": int(self._transitions[i, j])} for i, j in pairs]


def _told(counts: Mapping[str, _Count]) -> Json:
    return {
        LABELS: counts[LABELS].as_json,
        "points": {name: one.as_json for name, one in counts.items() if name != LABELS},
    }


def _differ(old: BoolArray, new: BoolArray) -> BoolArray:
    return ~_equal(old, new)


def _equal(old: BoolArray, new: BoolArray) -> BoolArray:
    """Whether two answers are equal, (n,). Args: old, new: (n,) or (n, C)."""
    same = old == new
    return np.asarray(same if same.ndim == 1 else same.all(axis=1))
