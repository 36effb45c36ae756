"""What a run will take: its own steps rehearsed on 50 rows, scaled to all of them."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from distill.core.progress import Reporter, reporting
from distill.core.record_store import count_records, sample_records, splits, write_records
from distill.core.steps import Step, Steps
from distill.pipeline.execute import run_step
from distill.pipeline.experiment import GOLD, GOLD_STEPS, KINDS, RECORDS, Experiment
from distill.pipeline.settings import Settings
from distill.pipeline.steps.evaluate import predict_step
from distill.pipeline.steps.students import train_step
from distill.pipeline.steps.teachers import checkpoint_step, label_step, teach_step
from distill.training.config import TrainingConfig
from teachers.config import TeacherConfig

ROWS, STEPS = 50, 4
_VALID_ROWS = 8  # few, so that validating does not stand in the time of a training step
_FORWARD = 1 / 3  # a row's forward pass as a part of its forward and backward pass


@dataclass(frozen=True)
class Estimate:
    """Seconds of a step: as likely, and at most where it ends by itself."""

    expected: float
    longest: float


def estimate(settings: Settings, records: Path, folder: Path, on_start: Callable[[str], None]) -> dict[str, Estimate]:
    """Seconds that each step takes, by its name: the steps that learn, label and predict, which grow with the rows.

    Each is run on 50 rows of every split, training for 4 optimiser steps. What a training step takes is scaled to all
    of them and to the validations between, what a labelled or predicted row takes to all rows; the rest of a step, as
    loading a model, is taken as it is. Exports, evaluation and latency are left out.

    Args: records: the run's clean records. folder: an empty folder for what the rehearsal makes. on_start: told the
        name of each step.
    Raises: as the steps do, for instance UserError for a checkpoint that is not there.
    """
    return _Estimation(settings, records, folder, on_start).estimates()


@dataclass(frozen=True)
class Timing:
    """What a rehearsed step took, and what it would take over all rows.

    Attributes:
        whole: seconds of the step; busy: those of its work proper, without loading and saving.
        units: rows or optimiser steps of the work. ticks: when each piece of it was made, in seconds.
    """

    whole: float
    busy: float
    units: int
    ticks: tuple[float, ...]

    def over_rows(self, rows: int) -> float:
        """Seconds when `rows` rows are read once."""
        return self.whole - self.busy + self.busy / max(1, self.units) * rows

    def over_steps(self, steps: int, batch: int, validated: int) -> float:
        """Seconds of `steps` optimiser steps on `batch` rows each, with `validated` rows read in between.

        A step's time is the mean of all but the first, which warms up.
        """
        pace = (self.ticks[-1] - self.ticks[0]) / max(1, len(self.ticks) - 1)
        return self.whole - self.busy + pace * steps + pace / batch * _FORWARD * validated

    def over_training(self, training: TrainingConfig, rows: int, valid_rows: int) -> Estimate:
        """What a training run takes on `rows` rows, with `valid_rows` rows read at each of its evaluations."""
        from distill.training.convergence import evaluation_steps, expected_steps
        from distill.training.fit import optimiser_steps

        batch, most = training.batch_size * training.accumulate, optimiser_steps(rows, training)

        def seconds(steps: int, every: float) -> float:
            return self.over_steps(steps, batch, validated=math.ceil(steps / every) * valid_rows)

        if not training.converges:
            fixed = seconds(most, max(1.0, rows / batch))
            return Estimate(fixed, fixed)
        every = evaluation_steps(training, rows, valid_rows)
        longest = min(seconds(most, every), 60 * training.ceiling_minutes)
        return Estimate(min(seconds(expected_steps(training, rows), every), longest), longest)


class _Estimation:
    def __init__(self, settings: Settings, records: Path, folder: Path, on_start: Callable[[str], None]) -> None:
        self.settings, self.experiment = settings, Experiment(_shortened(settings, folder))
        self.records, self.steps, self.on_start = records, Steps(folder, {}, {}), on_start
        self.counts = {split: count_records(records, split) for split in splits(records)}
        self._perform(_sampling(records, settings.project.seed))

    def estimates(self) -> dict[str, Estimate]:
        """By step name, in the order of the plan."""
        return {**self._teaching(), **self._labelling(), **self._training(), **self._predicting()}

    def _teaching(self) -> dict[str, Estimate]:
        experiment = self.experiment
        found: dict[str, Estimate] = {}
        for name, teacher in self.settings.teachers.items():
            if teacher.finished is None:
                found |= self._as_it_is(checkpoint_step(experiment, name))
                found |= self._learning(teach_step(experiment, name), teacher.training, self._gold(teacher))
            else:
                found |= self._as_it_is(teach_step(experiment, name))
        if experiment.card_teacher:
            lead = self.settings.teachers[experiment.first_teacher.name]
            step = teach_step(experiment, experiment.first_teacher.name, on_card=True)
            found |= self._learning(step, lead.training, self._gold(lead))
        return found

    def _labelling(self) -> dict[str, Estimate]:
        """Every teacher that might be chosen to label."""
        if not self.settings.students:
            return {}
        found: dict[str, Estimate] = {}
        imported = Experiment(self.settings).imported
        for teacher in self.experiment.asked:
            made = self._reading(label_step(self.experiment, teacher), self._labelled)
            found |= {} if teacher.label in imported else made
        return found

    def _training(self) -> dict[str, Estimate]:
        """Students; their twins are not run, they make the same steps on other rows."""
        found: dict[str, Estimate] = {}
        for name, student in self.settings.students.items():
            step, training = train_step(self.experiment, name), student.training
            timing, gold, valid = self._perform(step), self.counts["train"], self.counts["valid"]
            alone = training.model_copy(update={"epochs": None, "max_steps": None})
            own = timing.over_training(training, self._labelled, valid)
            found |= {step.name: own, f"{step.name}{GOLD_STEPS}": own}
            found[f"{step.name}{GOLD}"] = timing.over_training(alone, gold, valid)
        return found

    def _predicting(self) -> dict[str, Estimate]:
        experiment, rows = self.experiment, sum(self.counts[split] for split in self.experiment.labelled)
        found: dict[str, Estimate] = {}
        for model in [*experiment.teachers, *([experiment.card_teacher] if experiment.card_teacher else [])]:
            found |= self._reading(predict_step(experiment, model), rows)
        for name in self.settings.students:
            own = self._reading(predict_step(experiment, experiment.student(name)), rows)
            (seconds,) = own.values()
            found |= own | {f"predict {experiment.twin(name, kind).label}": seconds for kind in KINDS}
        return found | self._reading(predict_step(experiment, experiment.first_teacher, cross_view=True), rows)

    def _gold(self, teacher: TeacherConfig) -> int:
        """Rows that a teacher is trained on."""
        from teachers.teach import training_rows

        return len(training_rows(self.records, teacher.slices)) if teacher.slices else self.counts["train"]

    @property
    def _labelled(self) -> int:
        """Rows that a teacher labels."""
        return sum(rows for split, rows in self.counts.items() if split == "train" or split.startswith("pool."))

    def _as_it_is(self, step: Step) -> dict[str, Estimate]:
        seconds = self._perform(step).whole
        return {step.name: Estimate(seconds, seconds)}

    def _reading(self, step: Step, rows: int) -> dict[str, Estimate]:
        """A step that passes every row through a model once."""
        seconds = self._perform(step).over_rows(rows)
        return {step.name: Estimate(seconds, seconds)}

    def _learning(self, step: Step, training: TrainingConfig, rows: int) -> dict[str, Estimate]:
        """A training run on `rows` rows."""
        return {step.name: self._perform(step).over_training(training, rows, self.counts["valid"])}

    def _perform(self, step: Step) -> Timing:
        self.on_start(step.name)
        clock, started = _Clock(), time.monotonic()
        with reporting(clock):
            run_step(self.steps, step)
        return Timing(time.monotonic() - started, clock.busy, clock.units, tuple(clock.ticks))


def _shortened(settings: Settings, folder: Path) -> Settings:
    """The same run, with few optimiser steps and no gate on what they come to."""
    few = {"max_steps": STEPS, "may_collapse": True, "checkpoint": "last"}
    teachers = {
        name: teacher.model_copy(
            update={"training": teacher.training.model_copy(update=few), "slices": None, "labels": None}
        )
        for name, teacher in settings.teachers.items()
    }
    students = {
        name: student.model_copy(update={"training": student.training.model_copy(update=few)})
        for name, student in settings.students.items()
    }
    return replace(settings, run=folder, teachers=teachers, students=students)


def _sampling(records: Path, seed: int) -> Step:
    def body(folder: Path) -> None:
        for split in splits(records):
            rows = _VALID_ROWS if split == "valid" else ROWS
            write_records(folder / f"{split}.parquet", sample_records(records, split, rows, seed))

    return Step(name="sample", artifact=RECORDS, body=body)


class _Clock(Reporter):
    """A reporter that takes the times of one step's work."""

    def __init__(self) -> None:
        self.busy, self.units, self._started, self._total = 0.0, 0, 0.0, 0
        self.ticks: list[float] = []

    def start(self, name: str, total: int, done: int, at_most: bool) -> None:
        """Begin a task."""
        self._started, self._total = time.monotonic(), total

    def advance(self, done: int) -> None:
        """Take the time."""
        self.ticks.append(time.monotonic())

    def end(self) -> None:
        """Add the task up."""
        self.busy += time.monotonic() - self._started
        self.units += self._total
