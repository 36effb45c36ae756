"""Steps that turn model folders into exported files and bundles."""

from __future__ import annotations

from pathlib import Path

from distill.core.steps import Step
from distill.pipeline.experiment import EVALUATION, LATENCY, RECORDS, Experiment, Trained, exported, labels


def export_step(experiment: Experiment, model: Trained, target: str) -> Step:
    """One exported file with its parity figures, made from the target that it starts from where the run exports one."""
    targets = experiment.settings.targets
    config = targets[target]
    first = next((name for name, other in targets.items() if other.target == config.starts_from), None)
    built_on = exported(model, first) if first else None

    def body(folder: Path) -> None:
        from distill.core.record_store import read_records
        from export.build import export_target

        rows = [record.fields for record in read_records(experiment.run / RECORDS, "valid")]
        base = experiment.run / built_on if built_on else None
        export_target(config, experiment.run / model.artifact, rows, folder, base)

    return Step(
        name=f"export {model.name}.{target}",
        artifact=exported(model, target),
        body=body,
        config={"target": config.as_json()},
        upstream=(RECORDS, model.artifact, *([built_on] if built_on else [])),
    )


def bundle_step(experiment: Experiment, model: Trained) -> Step:
    """The hand-off of one student."""
    exports = {target: exported(model, target) for owner, target in experiment.shipped() if owner == model}
    stores = [labels(experiment.model(teacher)) for teacher in experiment.labellers]
    lineage = [RECORDS, experiment.source(model.name), *stores, model.artifact, *exports.values()]

    def body(folder: Path) -> None:
        from distill.pipeline.hand_off import hand_off

        hand_off(experiment.settings, model.label, experiment.run / model.artifact, exports, lineage, folder)

    return Step(
        name=f"bundle {model.name}",
        artifact=f"bundles/{model.name}",
        body=body,
        config={"seed": experiment.project.seed},
        upstream=(*lineage, EVALUATION, LATENCY),
        manifest="step.json",
    )
