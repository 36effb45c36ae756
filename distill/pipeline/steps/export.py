"""Steps that turn model folders into exported files and bundles."""

from __future__ import annotations

from pathlib import Path

from distill.core.files import Json
from distill.core.run_folder import EVALUATION, LATENCY, RECORDS, RunFolder
from distill.core.steps import Read, Step
from distill.core.work import Work
from distill.pipeline.evidence import chosen_by, evidence_of, record_files
from distill.pipeline.experiment import Experiment
from distill.pipeline.ladders import Rung
from distill.pipeline.models import ModelSpec
from export.build import PARITY, export_target, note_in_place_of


def export_step(experiment: Experiment, spec: ModelSpec, rung: Rung) -> Step:
    """One target's files with their parity figures; built on another target's files where the run exports those."""
    targets, target = experiment.settings.targets, rung.target
    chosen = experiment.settings.target(target)
    base = next((name for name, other in targets.items() if other.target == chosen.starts_from), None)
    built_on = RunFolder.export(spec.name, base) if base and not chosen.refits else None
    refitted = RunFolder.refitted(spec.name, target) if chosen.refits else None
    first = next(one.name for one, _ in experiment.tried_exports() if one.role == spec.role)

    def body(folder: Path) -> None:
        run = experiment.run
        base, own = (run / one if one else None for one in (built_on, refitted))
        export_target(chosen, run / spec.artifact, evidence_of(experiment, chosen), folder, base, own)
        if rung.in_place_of:
            note_in_place_of(folder, rung.in_place_of)

    return Step(
        name=f"export {spec.name}.{target}",
        artifact=RunFolder.export(spec.name, target),
        body=body,
        config={
            **chosen.as_fingerprint("falls_back", "fit"),
            **chosen_by(experiment, chosen),
            **({"in_place_of": rung.in_place_of} if rung.in_place_of else {}),
        },
        reads=(
            Read(RECORDS, record_files(experiment, chosen)),
            Read(spec.artifact),
            *map(Read, filter(None, (built_on, refitted))),
            *(Read(RunFolder.export(spec.name, one["target"]), (PARITY,)) for one in rung.in_place_of),
        ),
        work=lambda rows: Work(like=f"export {first}.{target}"),
    )


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
    found = {
        "bundle": project.bundle.as_fingerprint(),
        "report": project.report.as_fingerprint("price_per_hour", "trackers"),
    }
    return {key: value for key, value in found.items() if value}
