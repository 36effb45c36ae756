"""The step that measures latency."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from distill.core.run_folder import LATENCY, RECORDS, RunFolder
from distill.core.steps import Read, Step
from distill.core.work import Work
from distill.families.family import family, family_of
from distill.inference.providers import AUTO
from distill.pipeline.experiment import Experiment
from distill.pipeline.models import TEACHER, ModelSpec

if TYPE_CHECKING:
    from benchmarks.subjects import Subject


def bench_step(experiment: Experiment) -> Step:
    """Latency of the teachers and the students as they were trained, of every file, and of variants of them.

    Students that leave as files are timed in PyTorch only where `bench.trained_students` says so.
    """
    config, threads, tests = experiment.settings.bench, experiment.project.threads, experiment.tests
    provider = experiment.project.provider
    trained = [
        spec for spec in experiment.timed if spec.role == TEACHER or config.trained_students or not _exports(spec)
    ]
    left_out = {label: "its labels were made elsewhere, there is no model to time" for label in experiment.imported}
    remote = [spec.label for spec in experiment.of_role(TEACHER) if experiment.is_remote(spec)]
    left_out |= dict.fromkeys(remote, "it asks a server, whose time and price are not this machine's")

    def body(folder: Path) -> None:
        from benchmarks.latency import measure
        from benchmarks.placing import placed
        from benchmarks.variants import with_variants
        from distill.core.files import write_json
        from distill.core.progress import note, progress
        from distill.core.record_store import read_records
        from distill.report.latency_lines import warnings

        rows = [record.fields for test in tests for record in read_records(experiment.run / RECORDS, test)]
        by_view = {view: rows for view in experiment.project.views}
        subjects, elsewhere = placed(_subjects(experiment, trained), provider)
        with tempfile.TemporaryDirectory(prefix="latency-") as scratch:
            subjects, unmade = with_variants(subjects, config, Path(scratch))
            least = len(subjects) * config.processes
            with progress("measuring latency", least, unit="processes") as advance:
                why = {**left_out, **elsewhere, **unmade}
                told = partial(_advance, advance, least)
                result = measure(subjects, by_view, config, threads, why, on_progress=told)
        for sentence in warnings(result["rows"], result["settings"]):
            note(sentence)
        write_json(folder / "latency.json", result)

    files = [RunFolder.export(spec.name, target) for spec, target in experiment.exports()]
    launches = config.processes * (len(trained) + len(files))
    return Step(
        name="bench",
        artifact=LATENCY,
        body=body,
        config={
            "bench": config.as_fingerprint(),
            "threads": threads,
            **({"left_out": list(left_out)} if left_out else {}),
            **({"provider": provider} if provider != AUTO else {}),
        },
        reads=(
            Read(RECORDS, tuple(f"{test}.parquet" for test in tests)),
            *(Read(spec.artifact) for spec in trained),
            *map(Read, files),
        ),
        work=lambda rows: Work(
            rows=launches * (config.requests + config.warmup),
            launches=launches,
            most_minutes=config.minutes or math.inf,
        ),
    )


def _advance(advance: Callable[[int], None], least: int, done: int, total: int, name: str) -> None:
    """Processes beyond the least leave the bar at its end."""
    advance(min(done, least))


def _exports(spec: ModelSpec) -> bool:
    return family(spec.family).exports


def _subjects(experiment: Experiment, trained: list[ModelSpec]) -> list[Subject]:
    """What is timed: models as they were trained, and every exported file."""
    from benchmarks.subjects import trained_subject

    def subject(spec: ModelSpec) -> Subject:
        folder = experiment.run / spec.artifact
        return trained_subject(spec.label, spec.view, folder, spec.role, family_of(folder))

    exported = [
        subject(spec).exported(experiment.settings.target(target), experiment.run / RunFolder.export(spec.name, target))
        for spec, target in experiment.exports()
    ]
    return [*map(subject, trained), *exported]
