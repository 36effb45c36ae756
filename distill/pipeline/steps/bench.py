"""The step that measures latency."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from distill.core.run_folder import LATENCY, RECORDS, RunFolder
from distill.core.steps import Read, Step
from distill.core.work import Work
from distill.families.family import family
from distill.pipeline.experiment import Experiment
from distill.pipeline.models import TEACHER, ModelSpec

if TYPE_CHECKING:
    from benchmarks.subjects import Subject


def bench_step(experiment: Experiment) -> Step:
    """Latency of the teachers in PyTorch and of every file that may be served."""
    config, threads, tests = experiment.settings.bench, experiment.project.threads, experiment.tests
    teachers = [spec for spec in experiment.timed if spec.role == TEACHER and family(spec.family).exports]

    def body(folder: Path) -> None:
        from benchmarks.latency import measure
        from distill.core.progress import progress
        from distill.core.record_store import read_records

        rows = [record.fields for test in tests for record in read_records(experiment.run / RECORDS, test)]
        by_view, subjects = {view: rows for view in experiment.project.views}, _subjects(experiment, teachers)
        with progress("measuring latency", len(subjects) * config.processes) as advance:
            out = folder / "latency.json"
            measure(subjects, by_view, config, threads, out, on_progress=lambda done, total, name: advance(done))

    files = [RunFolder.export(spec.name, target) for spec, target in experiment.exports()]
    launches = config.processes * (len(teachers) + len(files))
    return Step(
        name="bench",
        artifact=LATENCY,
        body=body,
        config={"bench": config.as_fingerprint(), "threads": threads},
        reads=(
            Read(RECORDS, tuple(f"{test}.parquet" for test in tests)),
            *(Read(spec.artifact) for spec in teachers),
            *map(Read, files),
        ),
        work=lambda rows: Work(rows=launches * (config.requests + config.warmup), launches=launches),
    )


def _subjects(experiment: Experiment, teachers: list[ModelSpec]) -> list[Subject]:
    """What is timed: teachers in PyTorch, and every exported file."""
    from benchmarks.subjects import pytorch_subject

    def trained(spec: ModelSpec) -> Subject:
        return pytorch_subject(spec.label, spec.view, experiment.run / spec.artifact, spec.role)

    targets = experiment.settings.targets
    exported = [
        trained(spec).exported(targets[target], experiment.run / RunFolder.export(spec.name, target))
        for spec, target in experiment.exports()
    ]
    return [*map(trained, teachers), *exported]
