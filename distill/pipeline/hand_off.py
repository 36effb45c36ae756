"""What of a run goes into a student's bundle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from distill.core import manifest
from distill.core.files import read_json
from distill.core.run_folder import EVALUATION, LATENCY
from distill.pipeline.experiment import Experiment
from distill.pipeline.models import ModelSpec
from export.artifact import Artifact, Contents
from export.bundle import bundle
from export.targets.base import Target


def hand_off(
    experiment: Experiment, spec: ModelSpec, exports: Mapping[str, str], upstream: Sequence[str], folder: Path
) -> None:
    """Step body: a student's bundle, from its exports, evaluation and latency.

    Args: exports: target name to export artifact. upstream: artifacts named in the lineage, with their digests.
    """
    run, targets = experiment.run, experiment.settings.targets
    models = {one["name"]: one for one in read_json(run / EVALUATION / "evaluation.json")["models"]}
    rows = read_json(run / LATENCY / "latency.json")["rows"]
    names = {target: f"{spec.label}.{target}" for target in exports}
    artifacts = [_artifact(targets[target], run / export, models[names[target]]) for target, export in exports.items()]
    lineage = {name: manifest.digest(run / name) for name in upstream}
    latency = [row for row in rows if row["model"] in names.values() or row["role"] == "teacher"]
    model, space, seed = run / spec.artifact, experiment.space, experiment.project.seed
    bundle(Contents(spec.name, model, artifacts, space, lineage, latency, seed=seed), folder)


def _artifact(target: Target, folder: Path, model: Mapping[str, Any]) -> Artifact:
    return Artifact(
        target=target,
        folder=folder,
        temperature=model["temperature"],
        operating_points=model["thresholds"] or {},
        quality={"test": model["quality"]} | {f"test.{name}": block for name, block in model["tests"].items()},
    )
