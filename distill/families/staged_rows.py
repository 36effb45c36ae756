"""Rows on their way through the stages of a cascade."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from distill.core.errors import DistillError, GateFailed, UserError
from distill.core.progress import note
from distill.core.staged import GUESS, StageCost, Staged
from distill.evaluation.metrics import FloatArray
from distill.families.stages.stage import Stage
from distill.inference.scorer import Row

UNSURE = "no threshold is precise enough"
_NONE = -1
_SUREST = 1 - 1e-6


@dataclass
class StagedRow:
    """A record, and what the stages say of it. Its tokens are words and signs, none of them cut.

    Attributes: text: all that the view reads of it. stage: the one that labelled it; '' for none so far. label: the
        class, of that stage or of the last one that was asked; -1 for none. confidence: of that class.
    """

    row: Row
    text: str
    tokens: int
    stage: str = ""
    label: int = _NONE
    confidence: float = 0.0
    cut_tokens: int = 0

    @property
    def read_tokens(self) -> int:
        """All of them."""
        return self.tokens


@dataclass
class OpenStage:
    """A stage that is asked. Attributes: name: its own among the cascade's. opened: None where it cannot be asked;
    threshold: the least confidence of a label, None for no label at all. problem: why it cannot be asked.
    """

    name: str
    opened: Stage | None
    threshold: float | None
    goes_on: bool
    problem: str = ""


class Passage:
    """The stages in order, and what they cost since the costs were last taken. Args: clock: seconds."""

    def __init__(self, stages: Sequence[OpenStage], clock: Callable[[], float] = time.perf_counter) -> None:
        self.stages, self._clock = list(stages), clock
        self._costs: dict[str, StageCost] = {}

    def ask(self, stage: OpenStage, rows: Sequence[StagedRow]) -> None:
        """Let one stage answer rows that have no label yet: those it is sure of get their stage, the others its guess.

        Raises: UserError where it cannot be asked and the run is to stop then.
        """
        size = stage.opened.piece if stage.opened is not None else len(rows)
        for start in range(0, len(rows), size):
            self._ask_some(stage, rows[start : start + size])

    def _ask_some(self, stage: OpenStage, rows: Sequence[StagedRow]) -> None:
        started, answers = self._clock(), None
        if stage.opened is not None:
            try:
                answers = stage.opened.ask([row.row for row in rows], [row.text for row in rows])
            except (UserError, GateFailed) as error:
                if not stage.goes_on:
                    raise _stopping(stage.name, error) from error
                # Once is enough: a server that is down would be waited for with every shard.
                stage.opened, stage.problem = None, error.brief
                note(f"stage {stage.name} left out from here on: {error.brief}")
        if answers is None:
            self._add(stage, StageCost(errors={stage.problem: len(rows)}))
            return
        answered = np.atleast_1d(np.isfinite(answers.chances).all(axis=1))
        for row, own, is_known in zip(rows, answers.chances, answered, strict=True):
            if is_known:
                row.label, row.confidence = int(own.argmax()), min(float(own.max()), _SUREST)
                row.stage = stage.name if stage.threshold is not None and own.max() >= stage.threshold else ""
        silent = int((~answered).sum())
        taken, seconds = sum(1 for row in rows if row.stage), self._clock() - started
        unsure = {UNSURE: len(rows) - silent} if stage.threshold is None else {}
        errors = unsure | ({"no answer": silent} if silent else {})
        self._add(stage, StageCost(len(rows), taken, seconds, answers.requests, answers.money, errors))

    def go_through(self, rows: Sequence[StagedRow], guess: bool, told: Callable[[int], None] | None = None) -> None:
        """Each row to the first stage that is sure of it. Args: guess: rows that are left take the last guess.
        told: the number of rows that are done.
        """
        for stage in self.stages:
            left = unlabelled(rows)
            if left:
                self.ask(stage, left)
            if told:
                told(len(rows) - len(unlabelled(rows)))
        for row in unlabelled(rows) if guess else ():
            row.stage = GUESS if row.label != _NONE else ""

    def staged(self, rows: Sequence[StagedRow]) -> Staged:
        """What is stored of rows that went through, with the costs since the last time."""
        costs, self._costs = self._costs, {}
        confidence = np.array([row.confidence for row in rows], np.float32)
        return Staged([row.stage for row in rows], confidence, costs)

    def _add(self, stage: OpenStage, cost: StageCost) -> None:
        self._costs[stage.name] = self._costs.get(stage.name, StageCost()) + cost


def _stopping(stage: str, error: DistillError) -> UserError:
    """The error of a run that ends with a stage that cannot be asked."""
    do = f"{error.do or 'mend it'}; or let its rows pass to the next stage: on_error: go_on"
    return UserError(f"the stage {stage} cannot be asked: {error.what}", where=error.where, found=error.found, do=do)


def unlabelled(rows: Sequence[StagedRow]) -> list[StagedRow]:
    """The rows with a text that no stage has labelled yet."""
    return [row for row in rows if row.text and not row.stage]


def chances(rows: Sequence[StagedRow], classes: int) -> FloatArray:
    """Probabilities (N, C): the confidence for the class, the rest spread evenly; all equal where no stage answered."""
    found = np.full((len(rows), classes), 1 / classes)
    for own, row in zip(found, rows, strict=True):
        if row.label != _NONE:
            own[:] = (1 - row.confidence) / (classes - 1)
            own[row.label] = row.confidence
    return found
