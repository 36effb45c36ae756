"""Steps that turn model folders into exported files and bundles."""

from __future__ import annotations

from pathlib import Path

from distill.core.files import Json
from distill.core.halves import choosing_half
from distill.core.predictions import cluster_of
from distill.core.records import Record
from distill.core.run_folder import EVALUATION, LATENCY, RECORDS, RunFolder
from distill.core.steps import Read, Step
from distill.core.work import Work
from distill.pipeline.experiment import Experiment
from distill.pipeline.models import ModelSpec

_MOST_ROWS = 1000


def export_step(experiment: Experiment, spec: ModelSpec, target: str) -> Step:
    """One target's files with their parity figures; built on another target's files where the run exports those."""
    targets = experiment.settings.targets
    chosen = targets[target]
    base = next((name for name, other in targets.items() if other.target == chosen.starts_from), None)
    built_on = RunFolder.export(spec.name, base) if base else None
    first = next(one.name for one, _ in experiment.exports() if one.role == spec.role)

    def body(folder: Path) -> None:
        from export.build import export_target

        run = experiment.run
        rows, choosing = _halves(experiment) if chosen.chooses else (_real_rows(experiment), None)
        fields = [record.fields for record in rows]
        others = [record.fields for record in choosing] if choosing else None
        export_target(chosen, run / spec.artifact, fields, folder, run / built_on if built_on else None, others)

    return Step(
        name=f"export {spec.name}.{target}",
        artifact=RunFolder.export(spec.name, target),
        body=body,
        config={**chosen.as_fingerprint(), **({"halves": experiment.project.seed} if chosen.chooses else {})},
        reads=(
            Read(RECORDS, (f"{_real_split(experiment)}.parquet",)),
            Read(spec.artifact),
            *([Read(built_on)] if built_on else []),
        ),
        work=lambda rows: Work(like=f"export {first}.{target}"),
    )


def _real_split(experiment: Experiment) -> str:
    """Whose rows files are compared with their model on: validation, or training where there is none."""
    return "valid" if experiment.has_validation else "train"


def _real_rows(experiment: Experiment) -> list[Record]:
    from distill.core.record_store import read_records, sample_records

    records, split = experiment.run / RECORDS, _real_split(experiment)
    if experiment.has_validation:
        return read_records(records, split)
    return sample_records(records, split, _MOST_ROWS, experiment.project.seed)


def _halves(experiment: Experiment) -> tuple[list[Record], list[Record] | None]:
    """The validation rows that judge, and those that something is chosen on; None where they are too few to halve."""
    rows = _real_rows(experiment)
    chosen = choosing_half([cluster_of(record) for record in rows], experiment.project.seed)
    if chosen is None:
        return rows, None
    judging, choosing = ([record for record, one in zip(rows, chosen, strict=True) if one == side] for side in (0, 1))
    return judging, choosing


def bundle_step(experiment: Experiment, spec: ModelSpec) -> Step:
    """The hand-off of one student, proved against the predictions of its files."""
    exports = {target: RunFolder.export(spec.name, target) for owner, target in experiment.shipped() if owner == spec}
    stores = [RunFolder.labels(name) for name in experiment.teachers_of(spec)]
    start = experiment.start(spec)
    started = [start.artifact] if start else []
    lineage = [RECORDS, *started, *stores, spec.artifact, *exports.values()]
    measured = [RunFolder.predicted(f"{spec.label}.{target}") for target in exports]

    def body(folder: Path) -> None:
        from distill.pipeline.hand_off import hand_off

        hand_off(experiment, spec, exports, lineage, folder)

    return Step(
        name=f"bundle {spec.name}",
        artifact=RunFolder.bundle(spec.name),
        body=body,
        config={"seed": experiment.project.seed, **_published(experiment)},
        reads=tuple(map(Read, (*lineage, *measured, EVALUATION, LATENCY))),
        version=3,
        manifest="step.json",
    )


def _published(experiment: Experiment) -> Json:
    """What of the project a bundle says, as far as it is no default."""
    project = experiment.project
    found = {"bundle": project.bundle.as_fingerprint(), "report": project.report.as_fingerprint()}
    return {key: value for key, value in found.items() if value}
