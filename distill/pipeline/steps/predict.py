"""Steps that ask models and exported files on validation and test."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from distill.core.run_folder import RECORDS, RunFolder
from distill.core.steps import Body, Read, Step
from distill.core.work import reading
from distill.inference.providers import AUTO
from distill.pipeline.experiment import Experiment
from distill.pipeline.models import ModelSpec

if TYPE_CHECKING:
    from distill.inference.scorer import Scorer


def predict_step(experiment: Experiment, spec: ModelSpec) -> Step:
    """A model's predictions through its own view."""

    def body(folder: Path) -> None:
        from distill.families.family import Opening, open_model
        from distill.inference.predict import predict
        from distill.training.device import device

        model = experiment.run / spec.artifact
        how = Opening(threads=experiment.project.threads, device=device())
        records, splits = experiment.run / RECORDS, experiment.predicted_splits
        predict(lambda: open_model(model, how), records, splits, folder)

    like = f"predict {experiment.models[spec.twin_of].label}" if spec.twin_of else None
    return _step(experiment, spec.label, body, (Read(spec.artifact),), like)


def cross_view_step(experiment: Experiment, spec: ModelSpec, view: str, name: str) -> Step:
    """A model's predictions through another view than its own. Args: name: of these predictions."""
    config, model = experiment.project.views[view], experiment.run / spec.artifact

    def body(folder: Path) -> None:
        from distill.families.family import Opening, open_model
        from distill.inference.predict import predict
        from distill.training.device import device

        how = Opening(threads=experiment.project.threads, device=device(), view=config)
        records, splits = experiment.run / RECORDS, experiment.predicted_splits
        predict(lambda: open_model(model, how), records, splits, folder)

    return _step(experiment, name, body, (Read(spec.artifact),), None, {"view": config.as_fingerprint()})


def predict_exported_step(experiment: Experiment, spec: ModelSpec, target: str) -> Step:
    """An exported file's predictions."""
    artifact, chosen = RunFolder.export(spec.name, target), experiment.settings.target(target)
    provider = experiment.project.provider

    def body(folder: Path) -> None:
        from distill.families.family import Opening
        from distill.inference.predict import predict

        run, how = experiment.run, Opening(threads=experiment.project.threads, provider=provider)

        def opened() -> Scorer:
            return chosen.scorer(run / artifact, run / spec.artifact, how)

        predict(opened, run / RECORDS, experiment.predicted_splits, folder)

    like = f"predict {experiment.shipped()[0][0].label}.{target}"
    asked: dict[str, object] = {} if provider == AUTO else {"provider": provider}
    return _step(experiment, f"{spec.label}.{target}", body, (Read(spec.artifact), Read(artifact)), like, asked)


def _step(
    experiment: Experiment,
    name: str,
    body: Body,
    reads: tuple[Read, ...],
    like: str | None,
    config: dict[str, object] | None = None,
) -> Step:
    splits = experiment.predicted_splits
    rows = Read(RECORDS, tuple(f"{split}.parquet" for split in splits))
    return Step(
        name=f"predict {name}",
        artifact=RunFolder.predicted(name),
        body=body,
        config={"splits": splits, **(config or {})},
        reads=(rows, *reads),
        work=reading(*splits, like=like),
    )
