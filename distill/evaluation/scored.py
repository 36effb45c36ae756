"""One model's predictions on one split, with the gold labels of the same rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distill.core.errors import UserError
from distill.core.label_space import LabelSpace
from distill.evaluation.bootstrap import Bootstrap, Seed
from distill.evaluation.metrics import BoolArray, FloatArray, RowTally, tally


@dataclass(frozen=True)
class Scored:
    """One model's predictions on one split, with the gold.

    Args: name: of the model. space: the classes. ids: record ids, N. logits: float (N, K).
        target: gold (N, C), one-hot, vote shares, or 0/1 per class in multi-label. slices: reporting column, N.
        clusters: int (N,) or (N, K), the value of each key, as `Bootstrap` takes them; None makes every row its own.
    Raises: UserError when there are no rows or a logit is NaN or infinite. ValueError when the lengths differ.
    """

    name: str
    space: LabelSpace
    ids: Sequence[str]
    logits: NDArray[np.floating[Any]]
    target: NDArray[np.floating[Any]]
    slices: Sequence[str] | None = None
    clusters: NDArray[np.integer[Any]] | None = None
    tally: RowTally = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Check the shapes and add the rows up once."""
        if not len(self.ids):
            raise UserError("there are no labelled rows to measure on", where=self.name, found="0 rows")
        expected = (len(self.ids), len(self.space.outputs)), (len(self.ids), len(self.space))
        if (self.logits.shape, self.target.shape) != expected:
            found = f"{self.logits.shape} and {self.target.shape}"
            raise ValueError(f"{self.name}: expected {expected[0]} and {expected[1]}, got {found}")
        if self.slices is not None and len(self.slices) != len(self.ids):
            raise ValueError(f"{self.name}: {len(self.ids)} rows but {len(self.slices)} slices")
        self._check_finite()
        object.__setattr__(self, "tally", self.count())

    def __len__(self) -> int:
        """N, the number of rows."""
        return len(self.ids)

    def count(self) -> RowTally:
        """What each row adds to the figures."""
        return tally(self.logits, self.target, self.space.objective)

    def confused(self) -> FloatArray:
        """Rows (C, C) with a gold class, by row, that is not predicted and a predicted class that is not gold."""
        objective = self.space.objective
        predicted = objective.decisions(np.asarray(self.logits, np.float64))
        gold = objective.gold_decisions(np.asarray(self.target, np.float64))
        missed, wrong = (gold & ~predicted).astype(np.float64), (predicted & ~gold).astype(np.float64)
        return np.asarray(missed.T @ wrong)

    def taken(self, places: NDArray[np.integer[Any]]) -> Scored:
        """The rows at these places (M,), in that order."""
        kept = places.tolist()
        return replace(
            self,
            ids=[self.ids[place] for place in kept],
            logits=self.logits[kept],
            target=self.target[kept],
            slices=None if self.slices is None else [self.slices[place] for place in kept],
            clusters=None if self.clusters is None else self.clusters[kept],
        )

    @property
    def cluster_count(self) -> int:
        """How many clusters there are, by the first key; rows where there is none."""
        return len(self) if self.clusters is None else len(np.unique(self.clusters.reshape(len(self), -1)[:, 0]))

    def bootstrap(self, replicates: int = 1000, seed: Seed = 1) -> Bootstrap:
        """Resamples of these rows, to be shared by every model on the same rows. Raises: as `Bootstrap`."""
        return Bootstrap(len(self), self.clusters, replicates, seed)

    def positive(self) -> tuple[FloatArray, BoolArray]:
        """Probability (N,) and gold (N,) of the positive class. Raises: UserError where the task names none."""
        index, objective = positive_index(self.space), self.space.objective
        chances = objective.probabilities(self.logits)[:, index]
        return chances, objective.gold_decisions(np.asarray(self.target, np.float64))[:, index]

    def _check_finite(self) -> None:
        bad = np.flatnonzero(~np.isfinite(self.logits).all(axis=1))
        if len(bad):
            raise UserError(
                "logits that are NaN or infinite cannot be measured",
                where=f"{self.name}, record {self.ids[bad[0]]}",
                found=f"{len(bad)} of {len(self)} rows",
                do="score the model again in fp32; a diverged model has to be trained again",
            )


def require_same_rows(a: Scored, b: Scored) -> None:
    """Check that both models were scored on the same records in the same order.

    Raises: UserError naming the first record that differs, in id or in gold.
    """
    if len(a) != len(b):
        raise _unpaired(a, b, f"{len(a)} and {len(b)} rows")
    for one, other in zip(a.ids, b.ids, strict=True):
        if one != other:
            raise _unpaired(a, b, f"record {one} beside {other}")
    if a.space.labels != b.space.labels or not np.array_equal(a.target, b.target):
        raise _unpaired(a, b, "the same records with other gold labels")


def places_by_slice(scored: Scored) -> dict[str, NDArray[np.integer[Any]]]:
    """By slice, in the order of names, the places of its rows. Raises: UserError where the rows have no slices."""
    if scored.slices is None:
        raise UserError("the test rows have no slices", where="data.slice", do="name the column to report by there")
    names = np.asarray(scored.slices, dtype=object)
    return {name: np.flatnonzero(names == name) for name in sorted(set(scored.slices))}


def positive_index(space: LabelSpace) -> int:
    """The column of the positive class. Raises: UserError where the task names none."""
    if space.positive_index is None:
        raise UserError("the task names no positive class", where="task.positive", do="name one of task.labels there")
    return space.positive_index


def _unpaired(a: Scored, b: Scored, found: str) -> UserError:
    what, do = "two models can be compared on the same rows only", "score both on the same split, in the same order"
    return UserError(what, where=f"{a.name}, {b.name}", found=found, do=do)
