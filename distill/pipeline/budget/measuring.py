"""The steps that make a shape, export it, and time it as it would be served; each is kept, and made once."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks.bench import Bench
from benchmarks.candidates import Candidate, Shape, percentile_of
from benchmarks.config import BenchConfig
from benchmarks.environment import environment
from benchmarks.latency_rows import Round
from benchmarks.requests import Row
from benchmarks.subjects import Subject, trained_subject
from distill.core.budget import Budget
from distill.core.files import Json, write_json
from distill.core.record_store import read_records, sample_records, write_records
from distill.core.run_folder import RECORDS, RunFolder
from distill.core.steps import Read, Step
from distill.core.view import TOKENIZER_FILE, View
from distill.families.copying import copy_files
from distill.families.family import family_of, fit
from distill.pipeline.budget.shapes import Shapes
from distill.pipeline.experiment import Experiment
from distill.pipeline.steps.fit import Sources, lesson_of
from export.build import build_untried
from export.targets.base import Target

Measure = Callable[[Subject, Sequence[Row], int], Sequence[Round]]
"""The processes that time a subject on these rows with so many threads."""

MEASURED = "measured.json"
_ROWS, _FEW, _TRAIN, _VALID = "rows", 64, "train", "valid"
_MINUTES = 2.0


def in_processes(budget: Budget) -> Measure:
    """Fresh processes, a disturbed one measured again; see `benchmarks.bench`."""
    config = BenchConfig(requests=budget.requests, processes=budget.processes, minutes=_MINUTES, layouts=False)

    def measure(subject: Subject, rows: Sequence[Row], threads: int) -> Sequence[Round]:
        return Bench([subject], {subject.view: rows}, config, threads).run().rounds[subject.name]

    return measure


def rows_step(experiment: Experiment) -> Step:
    """A few rows, on which shapes are made and calibrated."""
    run, seed, valid = experiment.run, experiment.project.seed, valid_split(experiment)

    def body(folder: Path) -> None:
        for name, split in ((_TRAIN, _TRAIN), (_VALID, valid)):
            write_records(folder / f"{name}.parquet", sample_records(run / RECORDS, split, _FEW, seed))

    reads = tuple(f"{split}.parquet" for split in dict.fromkeys((_TRAIN, valid)))
    return Step(name="rows for shapes", artifact=_ROWS, body=body, config={"seed": seed}, reads=(Read(RECORDS, reads),))


def shape_step(shapes: Shapes, shape: Shape) -> Step:
    """A model of the shape, fitted for one step on few rows by its own family."""
    experiment, spec = shapes.experiment, shapes.spec(shape)
    start = experiment.start(spec)

    def body(folder: Path) -> None:
        lesson = lesson_of(experiment, spec, Sources.of(experiment, spec))
        few = replace(lesson, title=f"shape {shape.name}", records=experiment.run / _ROWS, splits=None, logs=None)
        fit(spec.family, spec.config, few, folder)

    return Step(
        name=f"shape {shape.name}",
        artifact=spec.artifact,
        body=body,
        config={
            **spec.config.fit_settings(),
            "family": spec.family,
            "view": experiment.project.views[spec.view].as_fingerprint(),
            "labels": list(experiment.space.labels),
        },
        reads=(Read(_ROWS), *([Read(start.artifact)] if start else [])),
    )


def export_step(shapes: Shapes, shape: Shape, target: Target) -> Step:
    """Its file, unjudged: the weights say nothing. What int8 may have to leave in fp32 is left in it."""
    experiment, spec = shapes.experiment, shapes.spec(shape)
    first = next((name for name, one in experiment.settings.targets.items() if one.target == target.starts_from), None)
    base = RunFolder.export(spec.name, first) if first else None

    def body(folder: Path) -> None:
        rows = [record.fields for record in read_records(experiment.run / _ROWS, _TRAIN)]
        start = experiment.run / base if base else None
        build_untried(target, experiment.run / spec.artifact, rows, folder, start, most_exact=True)

    return Step(
        name=f"export shape {spec.name}.{target.name}",
        artifact=RunFolder.export(spec.name, target.name),
        body=body,
        config={**target.as_fingerprint("falls_back", "fit"), "most_exact": True},
        reads=(Read(_ROWS), Read(spec.artifact), *([Read(base)] if base else [])),
    )


def steps_before(shapes: Shapes, candidate: Candidate) -> list[Step]:
    """What has to be made before a candidate is timed."""
    targets, exports = shapes.experiment.settings.targets, list[Step]()
    target = targets[candidate.target]
    while True:
        exports.insert(0, export_step(shapes, candidate.shape, target))
        first = next((one for one in targets.values() if one.target == target.starts_from), None)
        if first is None:
            return [shape_step(shapes, candidate.shape), *exports]
        target = first


def candidate_step(shapes: Shapes, candidate: Candidate, measure: Measure) -> Step:
    """What the requests of a candidate take: training rows, so that validation rows can check it."""
    experiment, spec = shapes.experiment, shapes.spec(candidate.shape)
    model, export = experiment.run / spec.artifact, experiment.run / RunFolder.export(spec.name, candidate.target)
    timed = Timed(experiment, candidate, model, export, measure)
    step = timed.step(_TRAIN, experiment.project.seed, spec.name)
    return replace(step, name=f"time {candidate.name}", artifact=f"candidates/{candidate.key}")


class Timed:
    """A model folder and its exported file, to be timed as a candidate is served.

    Args: experiment: that has the records. model, export: their folders, in any run.
    """

    def __init__(
        self, experiment: Experiment, candidate: Candidate, model: Path, export: Path, measure: Measure
    ) -> None:
        self._experiment, self._candidate = experiment, candidate
        self._model, self._export, self._measure = model, export, measure

    def step(self, split: str, seed: int, model: str) -> Step:
        """Times requests drawn from a split. Args: model: its name, in the run of the experiment."""
        experiment, candidate, budget = self._experiment, self._candidate, self._experiment.project.budget
        machine = environment()
        told = {key: machine[key] for key in ("cpu", "cpu_flags", "cores", "versions")}
        asked = {"requests": budget.requests, "processes": budget.processes, "seed": seed}
        artifact = experiment.models[model].artifact
        return Step(
            name="",
            artifact="",
            body=lambda folder: self._time(split, seed, folder),
            config={**asked, "tokens": candidate.tokens, "threads": candidate.threads, "machine": told},
            reads=(
                Read(RECORDS, (f"{split}.parquet",)),
                Read(RunFolder.export(model, candidate.target)),
                Read(artifact, (TOKENIZER_FILE,)),
            ),
        )

    def _time(self, split: str, seed: int, folder: Path) -> None:
        experiment, budget = self._experiment, self._experiment.project.budget
        found = sample_records(experiment.run / RECORDS, split, budget.requests, seed)
        with tempfile.TemporaryDirectory(prefix="budget-") as scratch:
            subject = self._subject(Path(scratch))
            processes = self._measure(subject, [record.fields for record in found], self._candidate.threads)
        write_json(folder / MEASURED, _figures(processes))

    def _subject(self, folder: Path) -> Subject:
        """The file behind the view at the candidate's length."""
        candidate, stored = self._candidate, View.load(self._model)
        copy_files(self._model, folder)
        view = stored.config.model_copy(update={"max_tokens": candidate.tokens})
        View(stored.name, view, folder / TOKENIZER_FILE).save(folder)
        subject = trained_subject(candidate.student, stored.name, folder, "student", family_of(self._model))
        return subject.exported(self._experiment.settings.target(candidate.target), self._export)


def held_out_step(trained: Experiment, candidate: Candidate, measure: Measure) -> Step:
    """The same of the student as it was trained, on rows that no candidate was timed on: validation."""
    spec = trained.models[candidate.student]
    export = trained.run / RunFolder.export(spec.name, candidate.target)
    timed = Timed(trained, candidate, trained.run / spec.artifact, export, measure)
    step = timed.step(valid_split(trained), trained.project.seed + 1, spec.name)
    name = f"time {candidate.name}, trained, on other requests"
    return replace(step, name=name, artifact=f"held_out/{candidate.key}")


def _figures(processes: Sequence[Round]) -> Json:
    """Both percentiles, the median tokens of a request, how many requests, and the largest share that was disturbed."""
    return {
        **{name: percentile_of(processes, name) for name in ("p50", "p99")},
        "tokens": sorted(processes[0]["tokens"])[len(processes[0]["tokens"]) // 2],
        "requests": sum(len(one["batches"]["1"]["total_ns"]) for one in processes),
        "processes": len(processes),
        "disturbed": max(float(one.get("disturbed", 0.0)) for one in processes),
    }


def valid_split(experiment: Experiment) -> str:
    """The split whose rows nothing is trained on, where there is one."""
    return _VALID if experiment.has_validation else _TRAIN
