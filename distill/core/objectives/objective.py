"""What every objective says of its task: the head, its probabilities and decisions, and the loss against gold.

Shapes: N rows, C classes, K outputs of the model's head. K is C unless the objective says otherwise.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from distill.core import objectives
from distill.core.siblings import sibling, siblings

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
Floats = NDArray[np.floating[Any]]
Target = NDArray[np.float32]


@dataclass(frozen=True)
class Objective(ABC):
    """What is decided about a record, and how a model's logits (N, K) say it.

    Attributes:
        name: `kind` in the YAML and on disk. problem_type: in a Hugging Face config.
        activation: `postprocessing.json` of a bundle names it: what makes probabilities of logits.
        several: whether a record may have several labels at once, given as a list.
        rule: by what labels are given, as figures and model cards tell it.
        tempered: whether logits can be divided by a temperature without another decision.
    """

    name: ClassVar[str]
    problem_type: ClassVar[str]
    activation: ClassVar[str]
    several: ClassVar[bool]
    rule: ClassVar[str]
    tempered: ClassVar[bool] = True

    @classmethod
    def of(cls, classes: int) -> Self:
        """The objective of a task with C classes. A class that has to know C, or borders between them, keeps it."""
        return cls()

    def head_size(self, classes: int) -> int:
        """K, the outputs of a model's head. Args: classes: C."""
        return classes

    def outputs(self, labels: Sequence[str]) -> tuple[str, ...]:
        """Names of the head's K outputs: the labels, or numbers where an output is no label."""
        size = self.head_size(len(labels))
        return tuple(labels) if size == len(labels) else tuple(f"output_{index}" for index in range(size))

    @abstractmethod
    def probabilities(self, logits: ArrayLike) -> FloatArray:
        """Probability of each class, float64 (N, C), from logits (N, K)."""

    @abstractmethod
    def logits(self, probabilities: ArrayLike, least: float = 1e-12) -> FloatArray:
        """Logits (N, K) that have these probabilities (N, C), after clipping them to [least, 1 − least]."""

    @abstractmethod
    def decisions(self, logits: Floats) -> BoolArray:
        """Which labels (N, C) a model predicts, from logits (N, K)."""

    @abstractmethod
    def gold_decisions(self, target: Floats) -> BoolArray:
        """Which labels (N, C) the gold (N, C) holds."""

    @abstractmethod
    def row_log_loss(self, logits: FloatArray, target: FloatArray) -> FloatArray:
        """Cross-entropy (N,) in nats of logits (N, K) against gold (N, C)."""

    @abstractmethod
    def confidence(self, probabilities: FloatArray) -> FloatArray:
        """How sure the model is of each of the D decisions of a row, float64 (N, D), from probabilities (N, C)."""

    @abstractmethod
    def correct(self, predicted: BoolArray, gold: BoolArray) -> BoolArray:
        """Which of the D decisions of a row are right, (N, D), from predicted and gold labels (N, C)."""

    @abstractmethod
    def vote_target(self, votes: Target) -> Target:
        """Gold (C,) of votes (C,), numbers ≥ 0. Raises: ValueError for votes that are no gold."""

    @abstractmethod
    def gold_classes(self, target: Target) -> list[int]:
        """The classes that one row's gold (C,) counts for in the balance of classes."""

    @abstractmethod
    def gold_answer(self, target: Target) -> Hashable:
        """One row's gold (C,), to be compared with another's: equal ones teach a model nothing to tell apart."""

    def collapsed(self, logits: Floats, target: Floats) -> bool:
        """Whether all rows are decided alike while gold (N, C) is not. Args: logits: (N, K)."""
        return _alike(self.decisions(logits)) and not _alike(self.gold_decisions(target))

    @abstractmethod
    def answer(self, decision: BoolArray, labels: Sequence[str]) -> str:
        """What a decision (C,) is called in the message of a collapsed run."""


def objective(name: str, classes: int, where: str = "task.kind") -> Objective:
    """The objective of this name for C classes. Raises: UserError with the nearest name when there is none."""
    return sibling(objectives, Objective, name, "objective", where).of(classes)


def known_objectives() -> list[str]:
    """The names of all objectives, sorted."""
    return sorted(found.name for found in siblings(objectives, Objective))


def of_problem_type(problem_type: str | None, classes: int) -> Objective:
    """The objective of a Hugging Face config; one label per record where the config says nothing or nothing known."""
    known = {found.problem_type: found.name for found in siblings(objectives, Objective)}
    return objective(known.get(problem_type or "", "single"), classes)


def _alike(decisions: BoolArray) -> bool:
    return bool((decisions == decisions[0]).all())
