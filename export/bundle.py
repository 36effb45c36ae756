"""The hand-off: everything a serving team needs in one folder, which checks itself before it counts as made."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from distill.core.errors import GateFailed, UserError
from distill.core.files import Json, read_json, remove, sha256, write_json, write_text
from distill.core.folders import STARTED, is_ours
from distill.core.label_space import LabelSpace
from distill.core.model_folder import HISTORY_FILE
from distill.core.padding import pad_id
from distill.core.versions import versions_of
from distill.core.view import View
from export import expected
from export.artifact import Artifact, Contents, named
from export.build import PARITY, in_place_of, made_by
from export.checked_bundle import CODE, SENDING_CODE
from export.clean_process import run_alone
from export.drift_reference import drift_reference
from export.golden import synthetic_records, tolerance, write_golden
from export.model_card import model_card
from export.onnx_inputs import input_names
from export.positive_alone import positive_alone
from export.targets.base import Target
from export.tokenizer_files import write_tokenizer
from export.triton import write_triton
from export.verify import (
    BANDS,
    DRIFT,
    MANIFEST,
    MEASURED,
    PROJECT,
    SCHEMA,
    SENDING,
    SIGNATURE,
    BundleError,
    content_sha256,
    cpu_class,
    seal,
)

_PACKAGES = ("distill", "onnxruntime", "tokenizers", "numpy", "onnx", "torch", "transformers")
_WEIGHTS = "model.safetensors"


def bundle(contents: Contents, folder: Path, threads: int | None = None) -> None:
    """Write a bundle into `folder`; equal contents on one machine give equal bytes.

    Args: threads: of the final check.
    Raises: UserError when the contents do not fit each other, or the folder holds files of others. GateFailed when an
        export gave logits that are not finite or not on one scale, or the finished bundle does not give the answers
        that the exports gave.
    """
    _require_apart([one.target for one in contents.artifacts])
    for artifact in contents.artifacts:
        _require_usable(artifact)
    _require_labels(contents.model_folder, contents.space)
    view, held = View.load(contents.model_folder), named(contents.artifacts)
    clear(folder)
    records = [*synthetic_records(view.content, contents.seed), *contents.real_records]
    logits = _logits(contents, held, records)
    try:
        _fill(folder, contents, view, records, logits)
    except BundleError as error:
        raise GateFailed("the bundle cannot be read: no bundle", where=str(error.path), found=error.problem) from error
    require_own_check(folder, threads)


def _logits(
    contents: Contents, held: Mapping[str, Artifact], records: Sequence[Mapping[str, Any]]
) -> dict[str, expected.Logits]:
    """What the exported files say of the golden records before there is a bundle, without its code and its files.

    Raises: GateFailed when these are not the model's logits.
    """
    rows = [item["record"] for item in records]
    found = {name: expected.logits_of(one, contents.model_folder, rows) for name, one in held.items()}
    for name, values in found.items():
        expected.require_finite(values, records, name)
    expected.require_same_scale(found, held, contents.space)
    return found


def _fill(
    folder: Path,
    contents: Contents,
    view: View,
    records: Sequence[Mapping[str, Any]],
    logits: Mapping[str, expected.Logits],
) -> None:
    """Write all files of a bundle. Args: logits: of the golden records, by artifact."""
    model_folder, space, held = contents.model_folder, contents.space, named(contents.artifacts)
    latency, rows = list(contents.latency), [item["record"] for item in records]
    _copy(held.values(), model_folder, folder)
    entries = {name: _entry(one) for name, one in held.items()}
    exact = next(entry for entry in entries.values() if entry["criterion"] == "parity")
    write_tokenizer(view, folder, input_names(folder / exact["file"]))
    write_json(folder / "preprocessing.json", _preprocessing(view, model_folder))
    after = _postprocessing(held, space, model_folder)
    write_json(folder / "postprocessing.json", after)
    write_json(folder / "latency.json", latency)
    entries = {name: {**one, "tolerance": tolerance(folder, name, one, rows)} for name, one in entries.items()}
    said = {
        name: expected.answers(logits[name], space, one.temperature, one.operating_points, one.class_thresholds)
        for name, one in held.items()
    }
    write_golden(folder, records, view.renderer().encode_batch(rows), logits, said)
    write_triton(folder, contents.name, entries, len(space.outputs))
    if contents.project is not None:
        write_text(folder / PROJECT, contents.project)
    if bands := _bands(held):
        write_json(folder / BANDS, {"schema": SCHEMA, "artifacts": bands})
        shutil.copyfile(SENDING_CODE, folder / SENDING)
    if contents.reference is not None:
        drift = drift_reference(contents.reference, view.renderer(), view.config.fields, entries, space)
        write_json(folder / DRIFT, drift)
    manifest = _manifest(contents, view, entries)
    card = model_card(manifest, view.config, held, latency, space.objective, positive_alone(after))
    write_text(folder / "MODEL_CARD.md", card)
    write_manifest(folder, manifest)


def write_manifest(folder: Path, content: Mapping[str, Any]) -> None:
    """Hash every file of a bundle folder and write `manifest.json` with its seal, last of all."""
    files = {
        path.relative_to(folder).as_posix(): {"sha256": sha256(path), "bytes": path.stat().st_size}
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in (MANIFEST, SIGNATURE, STARTED) and "__pycache__" not in path.parts
    }
    manifest = {**content, "files": files}
    manifest["content_sha256"] = content_sha256(manifest)
    write_json(folder / MANIFEST, {**manifest, "seal": seal(manifest)})


def clear(folder: Path) -> None:
    """Remove a bundle, or what an interrupted attempt left, so that the manifest lists nothing of it.

    The step machinery keeps a file of its own there, which is no part of the bundle.

    Raises: UserError when the folder holds files of others.
    """
    if not is_ours(folder):
        raise UserError("a bundle needs an empty folder", where=str(folder), do="give another one, or empty it")
    for path in folder.iterdir():
        if path.name != STARTED:
            remove(path)


def _require_usable(artifact: Artifact) -> None:
    """Check that every logit of an export was finite. Raises: GateFailed; ValueError for an impossible temperature."""
    name = artifact.target.name
    if read_json(artifact.folder / PARITY).get("finite") is not True:
        raise GateFailed(f"'{name}' gives logits that are not finite: no bundle", where=str(artifact.folder))
    if not artifact.temperature > 0:
        raise ValueError(f"temperature of '{name}': {artifact.temperature}")


def _require_labels(model_folder: Path, space: LabelSpace) -> None:
    """Check that the model's labels, where it names them, are the task's in order. Raises: UserError."""
    names = read_json(model_folder / "config.json").get("id2label") or {}
    stored = [names[key] for key in sorted(names, key=int)]
    if stored and stored != list(space.outputs) and stored != [f"LABEL_{i}" for i in range(len(space.outputs))]:
        found = f"model: {', '.join(stored)}; task: {', '.join(space.labels)}"
        raise UserError("the model's labels are not the task's, in order", where=str(model_folder), found=found)


def _require_apart(targets: Sequence[Target]) -> None:
    """Check that no two targets share a name or a file, and that one of them is judged by parity. Raises: UserError."""
    names, files = [target.name for target in targets], [target.file for target in targets]
    exact = any(target.criterion == "parity" for target in targets)
    if not exact or len(set(names)) < len(names) or len(set(files)) < len(files):
        raise UserError(
            "a bundle holds one file of each target, one judged by parity among them",
            where="export",
            found=", ".join(f"{name} ({file})" for name, file in zip(names, files, strict=True)) or "none",
            do="export the target 'onnx', and at most one target for each other file name",
        )


def _copy(artifacts: Iterable[Artifact], model_folder: Path, folder: Path) -> None:
    """Copy the model files, the model's description and the code that reads them."""
    for one in artifacts:
        shutil.copyfile(one.folder / one.target.model, folder / one.target.file)
    shutil.copyfile(model_folder / "config.json", folder / "config.json")
    for name, source in CODE.items():
        shutil.copyfile(source, folder / name)


def _entry(artifact: Artifact) -> Json:
    """What the manifest says of an artifact before its tolerance is measured."""
    target, chosen = artifact.target, {"temperature": artifact.temperature}
    points: Json = {"operating_points": dict(artifact.operating_points)}
    if artifact.class_thresholds:
        points["class_thresholds"] = dict(artifact.class_thresholds)
    points |= {**made_by(artifact.folder), **in_place_of(artifact.folder)}
    return {"file": target.file, "target": target.name, **target.entry(artifact.folder), **chosen, **points}


def _preprocessing(view: View, model_folder: Path) -> Json:
    identity = {"schema": SCHEMA, "name": view.name, "hash": view.hash}
    return {**identity, **view.content, "pad_id": pad_id(model_folder)}


def _postprocessing(held: Mapping[str, Artifact], space: LabelSpace, model_folder: Path) -> Json:
    by_class = {name: dict(one.class_thresholds) for name, one in held.items() if one.class_thresholds}
    return {
        "schema": SCHEMA,
        "labels": list(space.labels),
        "kind": space.objective.name,
        "activation": space.objective.activation,
        "positive": space.positive,
        "temperature": {name: one.temperature for name, one in held.items()},
        "operating_points": {name: dict(one.operating_points) for name, one in held.items()},
        **({"class_thresholds": by_class} if by_class else {}),
        **_fitted_to(model_folder),
    }


def _fitted_to(model_folder: Path) -> Json:
    """The objective of the fit where it had other outputs than the task's logits, which it was folded into."""
    history = model_folder / HISTORY_FILE
    folded = read_json(history).get("objective") if history.is_file() else None
    return {"objective": folded["name"]} if folded else {}


def _bands(held: Mapping[str, Artifact]) -> Json:
    """What `fallthrough.json` has of each file; empty where nothing may be sent on."""
    return {name: dict(one.fall_through) for name, one in held.items() if one.fall_through}


def _manifest(contents: Contents, view: View, entries: Mapping[str, Any]) -> Json:
    """The manifest without its files."""
    reference = contents.reference
    return {
        "schema": SCHEMA,
        "name": contents.name,
        "license": contents.license,
        "labels": list(contents.space.labels),
        "view": {"name": view.name, "hash": view.hash},
        "weights_sha256": sha256(contents.model_folder / _WEIGHTS),
        "artifacts": dict(entries),
        "cpu": cpu_class(),
        "versions": versions_of(_PACKAGES),
        "lineage": dict(contents.lineage),
        "holds": {
            "real_records": len(contents.real_records),
            **({} if reference is None else {"drift": {"split": reference.split, "rows": len(reference.records)}}),
            **({} if contents.project is None else {"project": PROJECT}),
            **({"fall_through": sorted(bands)} if (bands := _bands(named(contents.artifacts))) else {}),
        },
        "run": {"finished": dict(contents.finished), "files": list(MEASURED)},
    }


def require_own_check(folder: Path, threads: int | None = None) -> None:
    """Let the bundle check itself as its receivers will: its own runtime.py in a fresh, isolated interpreter.

    Raises: GateFailed with what it printed.
    """
    options = ["--threads", str(threads)] if threads else []
    done = run_alone(folder / "runtime.py", "--verify", *options)
    if done.returncode:
        found = "; ".join((done.stdout + done.stderr).split("\n")[:8])
        raise GateFailed("the finished bundle does not pass its own check", where=str(folder), found=found)
