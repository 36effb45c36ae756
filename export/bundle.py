"""The hand-off: everything a serving team needs in one folder, which checks itself before it counts as made."""

from __future__ import annotations

import importlib.metadata
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from distill.core.errors import GateFailed, UserError
from distill.core.files import read_json, remove, sha256, write_json, write_text
from distill.core.folders import STARTED, is_ours
from distill.core.label_space import LabelSpace
from distill.core.view import TOKENIZER_FILE, View
from distill.inference.collate import pad_id
from export.artifact import Artifact
from export.golden import synthetic_records, write_golden
from export.model_card import model_card
from export.runtime import MANIFEST, SCHEMA, cpu_class, seal
from export.triton import write_triton

_PACKAGES = ("onnxruntime", "tokenizers", "numpy", "onnx", "torch", "transformers")
_RENDERING = Path(__file__).parents[1] / "distill" / "core" / "rendering.py"
_RUNTIME = Path(__file__).with_name("runtime.py")
_REPLAY_SECONDS = 1800


def bundle(
    name: str,
    model_folder: Path,
    artifacts: Sequence[Artifact],
    space: LabelSpace,
    lineage: Mapping[str, Any],
    folder: Path,
    latency: Sequence[Mapping[str, Any]] | None = None,
    real_records: Sequence[Mapping[str, Any]] = (),
    seed: int = 1,
    threads: int | None = None,
) -> None:
    """Write a bundle into `folder`; equal inputs on one machine give equal bytes.

    Args: name: of the student. model_folder: Hugging Face folder with its view. artifacts: one per precision, fp32
        among them. lineage: what it was made from, JSON-ready. latency: rows of report.json. real_records: `{"id",
        "record"}` for golden.jsonl beside the synthetic ones; only texts that may leave the house. threads: of the
        final check.
    Raises: UserError when the parts do not fit each other, or the folder holds files of others. GateFailed when a
        parity check failed or the finished bundle does not give its own recorded answers.
    """
    _require_fitting(artifacts, model_folder, space)
    view = View.load(model_folder)
    _clear(folder)
    for artifact in artifacts:
        shutil.copyfile(artifact.folder / "model.onnx", folder / artifact.file)
    for file in (TOKENIZER_FILE, "config.json"):
        shutil.copyfile(model_folder / file, folder / file)
    for source in (_RUNTIME, _RENDERING):
        shutil.copyfile(source, folder / source.name)
    write_json(folder / "preprocessing.json", _preprocessing(view, model_folder))
    write_json(folder / "postprocessing.json", _postprocessing(artifacts, space))
    write_json(folder / "latency.json", list(latency or []))
    records = [*synthetic_records(view.content, seed), *real_records]
    tolerance = write_golden(folder, records, [artifact.precision for artifact in artifacts])
    write_triton(folder, name, {artifact.precision: folder / artifact.file for artifact in artifacts}, len(space))
    manifest = _manifest(name, artifacts, space, view, lineage, tolerance)
    write_text(folder / "MODEL_CARD.md", model_card(manifest, view.config, artifacts, latency or []))
    write_manifest(folder, manifest)
    _replay(folder, threads)


def write_manifest(folder: Path, content: Mapping[str, Any]) -> None:
    """Hash every file of a bundle folder and write `manifest.json` with its seal, last of all."""
    files = {
        path.relative_to(folder).as_posix(): {"sha256": sha256(path), "bytes": path.stat().st_size}
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in (MANIFEST, STARTED) and "__pycache__" not in path.parts
    }
    manifest = {**content, "files": files}
    write_json(folder / MANIFEST, {**manifest, "seal": seal(manifest)})


def _clear(folder: Path) -> None:
    """Remove what an interrupted attempt left, so that the manifest lists nothing of it.

    The step machinery keeps a file of its own there, which is no part of the bundle.
    """
    if not is_ours(folder):
        raise UserError("a bundle needs an empty folder", where=str(folder), do="give another one, or empty it")
    for path in folder.iterdir():
        if path.name != STARTED:
            remove(path)


def _require_fitting(artifacts: Sequence[Artifact], model_folder: Path, space: LabelSpace) -> None:
    precisions = [artifact.precision for artifact in artifacts]
    if "fp32" not in precisions or len(set(precisions)) < len(precisions):
        raise UserError(
            "a bundle holds one file per precision, fp32 among them",
            where="export",
            found=", ".join(precisions) or "none",
            do="export the target 'onnx', and at most one target of each other precision",
        )
    for artifact in artifacts:
        if read_json(artifact.folder / "parity.json").get("passed") is False:
            raise GateFailed(f"the parity check of '{artifact.target}' failed: no bundle", where=str(artifact.folder))
        if not artifact.temperature > 0:
            raise ValueError(f"temperature of '{artifact.target}': {artifact.temperature}")
    names = read_json(model_folder / "config.json").get("id2label") or {}
    stored = [names[key] for key in sorted(names, key=int)]
    if stored and stored != list(space.labels) and stored != [f"LABEL_{i}" for i in range(len(space))]:
        found = f"model: {', '.join(stored)}; task: {', '.join(space.labels)}"
        raise UserError("the model's labels are not the task's, in order", where=str(model_folder), found=found)


def _preprocessing(view: View, model_folder: Path) -> dict[str, Any]:
    identity = {"schema": SCHEMA, "name": view.name, "hash": view.hash}
    return {**identity, **view.content, "pad_id": pad_id(model_folder)}


def _postprocessing(artifacts: Sequence[Artifact], space: LabelSpace) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "labels": list(space.labels),
        "kind": space.kind,
        "activation": "sigmoid" if space.kind == "multi" else "softmax",
        "positive": space.positive,
        "temperature": {artifact.precision: artifact.temperature for artifact in artifacts},
        "operating_points": {artifact.precision: dict(artifact.operating_points) for artifact in artifacts},
    }


def _manifest(
    name: str,
    artifacts: Sequence[Artifact],
    space: LabelSpace,
    view: View,
    lineage: Mapping[str, Any],
    tolerance: Mapping[str, float],
) -> dict[str, Any]:
    """The manifest without its files."""
    held = {
        one.precision: {"file": one.file, "target": one.target, "tolerance": tolerance[one.precision]}
        for one in artifacts
    }
    return {
        "schema": SCHEMA,
        "name": name,
        "labels": list(space.labels),
        "view": {"name": view.name, "hash": view.hash},
        "artifacts": held,
        "cpu": cpu_class(),
        "versions": _versions(),
        "lineage": dict(lineage),
    }


def _versions() -> dict[str, str]:
    found = {"python": ".".join(map(str, sys.version_info[:3]))}
    for package in ("distill", *_PACKAGES):
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def _replay(folder: Path, threads: int | None) -> None:
    """Let the bundle check itself as its receivers will: its own runtime.py in a fresh, isolated interpreter."""
    command = [sys.executable, "-I", "-B", "-X", "utf8", str(folder / "runtime.py"), "--verify"]
    command += ["--threads", str(threads)] if threads else []
    done = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=_REPLAY_SECONDS, check=False)
    if done.returncode:
        found = "; ".join((done.stdout + done.stderr).split("\n")[:8])
        raise GateFailed("the finished bundle does not pass its own check", where=str(folder), found=found)
