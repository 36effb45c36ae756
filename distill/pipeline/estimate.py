"""What a run will take: its own plan performed on a few rows of each split, and each step scaled to all of its work."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from distill.core.config import merge
from distill.core.files import read_json, write_text
from distill.core.intake.extra import is_extra
from distill.core.labelling import Labelling
from distill.core.progress import Reporter, reporting
from distill.core.record_store import count_records, sample_records, slice_counts, splits, write_records
from distill.core.run_folder import LATENCY, RECORDS, RunFolder
from distill.core.selection.config import Select
from distill.core.steps import Step, Steps
from distill.core.work import Counts, Work
from distill.families.family import family
from distill.pipeline.execute import run_step
from distill.pipeline.experiment import Experiment
from distill.pipeline.models import ModelSpec
from distill.pipeline.plan import Stage, asking, learning, planned
from distill.pipeline.settings import Settings
from distill.training.convergence import FORWARD
from distill.training.learnt_rows import labelled_rows
from teachers.config import TeacherConfig, TeacherEntry

ROWS, STEPS, _HELD_OUT = 50, 4, 10
_REQUESTS, _REPLICATES = 24, 100
_CHECKPOINTS = 8  # bytes on disk while a model trains, as a multiple of its own: two checkpoints with optimiser state


@dataclass(frozen=True)
class Estimate:
    """What a step takes.

    Attributes: expected, longest: seconds, as likely and at most, where it ends by itself. size: bytes of what it
        leaves. spare: bytes more while it works.
    """

    expected: float
    longest: float
    size: float = 0.0
    spare: float = 0.0


@dataclass(frozen=True)
class Timing:
    """What a step took on few rows.

    Attributes:
        whole: seconds of the step; busy: those of its work proper, without loading and saving.
        ticks: when each piece of the work was made, in seconds. size: bytes of its artifact.
        extra: seconds of one more request, of a step that times requests in processes of their own.
    """

    whole: float
    busy: float
    ticks: tuple[float, ...] = ()
    size: int = 0
    extra: float | None = None

    def scaled(self, own: Work, work: Work) -> Estimate:
        """The estimate for `work`, from this timing of `own`, the same step's work on few rows."""
        if work.steps:
            return self._training(work)
        if self.extra is not None:
            seconds = self.whole - self.busy + self.busy * work.launches / max(1, own.launches)
            seconds += self.extra * max(0.0, work.rows - own.rows * work.launches / max(1, own.launches))
            most = 60 * work.most_minutes
            return Estimate(min(seconds, most), seconds if math.isinf(most) else most, self.size)
        ratio = work.rows / own.rows if work.rows and own.rows else 1.0
        seconds = self.whole - self.busy + self.busy * ratio
        return Estimate(seconds, seconds, self.size * (ratio if work.grows else 1.0))

    def _training(self, work: Work) -> Estimate:
        """A step's time is the mean of all but the first, which warms up; validation is a forward pass of its rows."""
        pace = (self.ticks[-1] - self.ticks[0]) / max(1, len(self.ticks) - 1)

        def seconds(steps: int) -> float:
            validated = math.ceil(steps / work.every) * work.valid_rows
            return self.whole - self.busy + pace * steps + pace / work.batch * FORWARD * validated

        longest = min(seconds(work.most_steps), 60 * work.most_minutes)
        return Estimate(min(seconds(work.steps), longest), longest, self.size, self.size * _CHECKPOINTS)


@dataclass(frozen=True)
class Pace:
    """What the steps of a plan took on few rows.

    Attributes: timings: by name of the step, each with its work there. rows: of each split of the whole run.
    """

    timings: Mapping[str, tuple[Timing, Work]]
    rows: Counts

    def of(self, step: Step, rows: Counts | None = None) -> Estimate | None:
        """What a step takes; None for one that was not performed. Args: rows: of each split, where not all are read."""
        work = step.work(self.rows if rows is None else rows)
        timed = self.timings.get(work.like or step.name)
        return None if timed is None else timed[0].scaled(timed[1], work)


def estimate(settings: Settings, records: Path, folder: Path, on_start: Callable[[str], None]) -> dict[str, Estimate]:
    """What each step of a run's plan takes, by its name, but for those that ask a server. Args, Raises: as `pace`."""
    taken, real = pace(settings, records, folder, on_start), Experiment(settings)
    unknown = {one for spec in real.models.values() if real.is_remote(spec) for one in _answering(spec)}
    steps = [stage.step for stage in (*asking(real), *learning(real)) if stage.step.artifact not in unknown]
    return {step.name: one for step in steps if (one := taken.of(step)) is not None}


def pace(
    settings: Settings,
    records: Path,
    folder: Path,
    on_start: Callable[[str], None],
    leave_out: Collection[str] = (),
) -> Pace:
    """What each step of a run's plan takes on few rows.

    The plan of the same run is performed on about 50 rows of every split, training for 4 optimiser steps, with all that
    follows: labels, predictions, exports, evaluation, latency. Each timing is scaled by the work that the step states.
    Gold-only twins are not performed: they take their students' pace. Of what is exported and timed, only the first
    teacher and student that are exported and the first ones that are not: the others are taken to be like them.

    Args: records: the run's clean records. folder: an empty folder for what is made. on_start: told each step's name.
        leave_out: verbs whose steps are not performed, with all that read what they make.
    Raises: as the steps do, for instance UserError for a checkpoint that is unavailable.
    """
    short = _Short(_shortened(settings, folder))
    sample = _sampling(records, settings)
    steps = Steps(folder, {}, {})
    run_step(steps, sample)
    _write_imported(short, settings)
    few, all_rows = _counts(folder / RECORDS, settings), _counts(records, settings)
    return Pace(dict(_timings(short, steps, few, on_start, {"audit", *leave_out})), all_rows)


class _Short(Experiment):
    """The experiment that is performed: of the models that are exported or timed, the first teachers and students."""

    @property
    def timed(self) -> list[ModelSpec]:
        """One teacher and one student that are exported, and one that is not; the others are taken to be like them."""
        kinds: dict[tuple[str, bool], ModelSpec] = {}
        for spec in super().timed:
            kinds.setdefault((spec.role, family(spec.family).exports), spec)
        return list(kinds.values())


def _timings(
    short: Experiment, steps: Steps, few: Counts, on_start: Callable[[str], None], leave_out: Collection[str]
) -> Iterator[tuple[str, tuple[Timing, Work]]]:
    """Timing and work of each step of the short plan; a step that another one stands for is not performed."""
    for part in (asking, learning):
        for step in (stage.step for stage in _wanted(short, list(part(short))) if stage.verb not in leave_out):
            on_start(step.name)
            work, clock, started = step.work(few), _Clock(), time.monotonic()
            with reporting(clock):
                run_step(steps, step)
            whole, folder = time.monotonic() - started, short.run / step.artifact
            size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
            extra = _per_request(folder) if step.artifact == LATENCY else None
            yield step.name, (Timing(whole, clock.busy, tuple(clock.ticks), size, extra), work)


def _wanted(short: Experiment, stages: list[Stage]) -> list[Stage]:
    """The stages of a run for one model alone that this one needs; else all."""
    if short.settings.only is None:
        return stages
    kept = {stage.step.artifact for stage in planned(short, "evaluate")}
    return [stage for stage in stages if stage.step.artifact in kept]


def _per_request(folder: Path) -> float:
    """Seconds of a request, the mean over all that is timed."""
    rows = [row["p50_ms"] for row in read_json(folder / "latency.json")["rows"] if row["p50_ms"] is not None]
    return sum(rows) / len(rows) / 1000 if rows else 0.0


def _shortened(settings: Settings, folder: Path) -> Settings:
    """The same run, with few optimiser steps, requests and resamples, and no gate on what they come to."""
    project = settings.project
    few = {"max_steps": STEPS, "early_stopping": None, "may_collapse": True, "checkpoint": "last"}
    # All that may come to label does, so that its labelling is timed.
    every = {"auto": "document", "mixture": "document"}.get(project.labels, project.labels)
    labels = "mean" if _card_teacher_labels(settings) else every

    def shorter(entry: Any, **more: Any) -> Any:
        training = getattr(entry, "training", None)
        short: dict[str, Any] = {} if training is None else {"training": training.model_copy(update=few)}
        if isinstance(entry, TeacherEntry):  # every part of a mixture has rows among few
            short["rows"] = dict.fromkeys(entry.rows, 1.0)
        if isinstance(entry, TeacherConfig) and entry.phases:
            once = {name: dict.fromkeys(one.rows, 1.0) for name, one in entry.phases.items()}
            phases = entry.phases.items()
            short["phases"] = {n: one.model_copy(update={"epochs": None, "rows": once[n]}) for n, one in phases}
        return entry.model_copy(update={**short, **more})

    quality = project.quality.model_copy(update={"replicates": _REPLICATES})
    controls = project.controls.model_copy(update={"gold_twins": False})  # timed as their students are
    changed = {"labels": labels, "quality": quality, "controls": controls, "pretrain": _few_texts(project.pretrain)}
    changed |= {"select": _any_rows(project.select), "labelling": Labelling()}
    bench = settings.bench
    requests = min(bench.requests, _REQUESTS)
    return replace(
        settings,
        run=folder,
        seeds_in=None,
        project=project.model_copy(update=changed),
        teachers={
            name: shorter(one, slices=None, **_few_folds(one), **_imported(one, name, folder), **_for_timing(one))
            for name, one in settings.teachers.items()
        },
        students={name: shorter(one) for name, one in settings.students.items()},
        bench=bench.model_copy(
            update={"requests": requests, "processes": 1, "minutes": 0.0, "warmup": min(bench.warmup, 2)}
        ),
    )


def _few_folds(teacher: TeacherEntry) -> dict[str, None]:
    """A cross-fitted teacher's folds take its own time, unless they are the members of a model, which need theirs."""
    return {} if teacher.kfold else {"cross_fit": None}


def _few_texts(section: Mapping[str, Any]) -> dict[str, Any]:
    """The section `pretrain`, for few rows and as few steps as a fit."""
    few = {"max_steps": STEPS, "warmup": 0}
    return merge(section, {"held_out": _HELD_OUT, "evaluate_steps": STEPS, "training": few})


def _any_rows(select: Select | None) -> Select | None:
    """A selection that finds rows among few, whatever a teacher of four steps says of them."""
    return None if select is None else select.model_copy(update={"entropy": None, "balance": [], "per_key": None})


def _imported(teacher: Any, name: str, folder: Path) -> dict[str, str]:
    """Where the few rows' labels are of a teacher whose labels were made elsewhere; nothing for others."""
    return {} if getattr(teacher, "labels", None) is None else {"labels": str(folder / f"{name}.jsonl")}


def _for_timing(teacher: TeacherEntry) -> dict[str, Any]:
    """What a teacher's family changes, so that a plan that is only timed costs nothing."""
    return family(teacher.made_by).for_timing(teacher)


def _answering(spec: ModelSpec) -> tuple[str, str]:
    """The artifacts for which a model answers rows."""
    return RunFolder.labels(spec.name), RunFolder.predicted(spec.label)


def _write_imported(short: Experiment, settings: Settings) -> None:
    """Labels for the few rows, drawn at random: a file of the user's has them for all rows, which is refused."""
    drawn, size = np.random.default_rng(1), len(short.space.outputs)
    for name, one in settings.teachers.items():
        if _imported(one, name, short.run.path):
            rows = [row.id for _, row in labelled_rows(short.run / RECORDS)]
            lines = [json.dumps({"id": row, "logits": drawn.normal(size=size).tolist()}) for row in rows]
            write_text(short.run.path / f"{name}.jsonl", "\n".join(lines) + "\n")


def _card_teacher_labels(settings: Settings) -> bool:
    """Whether the card teacher may come to label, so that its labelling has to be timed too."""
    real = Experiment(settings)
    return "mean" in real.candidates and settings.project.labels in ("auto", "card", "mean", "mixture")


def _sampling(records: Path, settings: Settings) -> Step:
    """Few rows of each split, each a cluster of its own; training rows enough for 4 steps without an epoch's end."""
    entries = [*settings.teachers.values(), *settings.students.values()]
    fits = [fit for one in entries for fit in (one.in_phases().values() if isinstance(one, TeacherConfig) else [one])]
    trainings = [one.training for one in fits if hasattr(one, "training")]
    enough = max([ROWS, *(STEPS * (one.batch_size * one.accumulate + 1) for one in trainings)])

    def body(folder: Path) -> None:
        for split in splits(records):
            most = enough if split == "train" or is_extra(split) else ROWS
            rows = sample_records(records, split, most, settings.project.seed)
            write_records(folder / f"{split}.parquet", [replace(row, keys={}) for row in rows])

    return Step(name="sample", artifact=RECORDS, body=body)


def _counts(records: Path, settings: Settings) -> Mapping[str, int]:
    """Rows of each split, and of each slice `train/NAME` that a teacher is trained on."""
    found = {split: count_records(records, split) for split in splits(records)}
    wanted: Iterable[Any] = settings.teachers.values()
    if any(getattr(one, "slices", None) for one in wanted):
        found |= {f"train/{name}": rows for name, rows in slice_counts(records, "train").items()}
    return found


class _Clock(Reporter):
    """A reporter that takes the times of one step's work."""

    def __init__(self) -> None:
        self.busy, self._started = 0.0, 0.0
        self.ticks: list[float] = []

    def start(self, name: str, total: int, done: int, at_most: bool, unit: str = "rows") -> None:
        """Begin a task."""
        self._started = time.monotonic()

    def advance(self, done: int) -> None:
        """Take the time."""
        self.ticks.append(time.monotonic())

    def end(self) -> None:
        """Add the task up."""
        self.busy += time.monotonic() - self._started
