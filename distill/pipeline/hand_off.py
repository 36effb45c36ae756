"""What of a run goes into a student's bundle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from distill.core import manifest
from distill.core.files import read_json
from distill.pipeline.settings import Settings
from export.artifact import Artifact, Contents
from export.bundle import bundle
from export.targets.base import Target


def hand_off(
    settings: Settings,
    label: str,
    model_folder: Path,
    exports: Mapping[str, str],
    upstream: Sequence[str],
    folder: Path,
) -> None:
    """Step body: the bundle of the student `label` (`8L_trunc@card`), from its exports, evaluation and latency.

    Args: exports: target name to export folder. upstream: artifacts named in the lineage, with their digests.
    """
    run = settings.run
    models = {model["name"]: model for model in read_json(run / "evaluation" / "evaluation.json")["models"]}
    rows = read_json(run / "latency" / "latency.json")["rows"]
    p50_ms = {row["model"]: row["p50_ms"] for row in rows if row["batch"] == 1}
    names = {target: f"{label}.{target}" for target in exports}
    artifacts = [
        _artifact(settings.targets[target], run / exports[target], models[name], p50_ms.get(name))
        for target, name in names.items()
    ]
    lineage = {name: manifest.digest(run / name) for name in upstream}
    latency = [row for row in rows if row["model"] in names.values() or row["role"] == "teacher"]
    name, space, seed = folder.name.removesuffix(".partial"), settings.project.task.space, settings.project.seed
    bundle(Contents(name, model_folder, artifacts, space, lineage, latency, seed=seed), folder)


def _artifact(target: Target, folder: Path, model: Mapping[str, Any], p50_ms: float | None) -> Artifact:
    return Artifact(
        target=target,
        folder=folder,
        temperature=model["temperature"],
        operating_points=model["thresholds"] or {},
        quality={"test": model["quality"]} | {f"test.{name}": block for name, block in model["tests"].items()},
        p50_ms=p50_ms,
    )
