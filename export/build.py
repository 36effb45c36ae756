"""The export step: one model folder, one target, its files and how far they are from the original."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from distill.core.errors import MissingExtra
from distill.core.files import Json, read_object, remove, write_json
from distill.inference.providers import recorded_on
from export.targets import target_class
from export.targets.base import Source, Target

PARITY = "parity.json"
_SCRATCH = "base"


def export_target(
    target: Target,
    model_folder: Path,
    rows: Sequence[Mapping[str, Any]],
    folder: Path,
    base: Path | None = None,
    choosing: Sequence[Mapping[str, Any]] | None = None,
) -> None:
    """Step body: write the target's model file and `parity.json` into `folder`.

    Parity is measured, not judged: however far the file is from the original, nothing is raised.

    Args: rows: real records of train or validation, for parity. base: the model's export that the target starts from;
        None makes one on the way, where it needs one. choosing: other records, for what the target chooses by labels;
        None: the same ones, which `parity.json` then says.
    Raises: MissingExtra without torch or ONNX. UserError when the family cannot be exported or there are no rows.
    """
    try:
        from export import parity  # torch and onnx: only when the step runs

        for leftover in [*folder.glob(f"*{target.model}*"), folder / _SCRATCH]:
            remove(leftover)
        original = parity.Original(model_folder, rows, target.parity_rows)
        chooser = (
            parity.Original(model_folder, choosing, target.parity_rows) if choosing and target.chooses else original
        )
        chosen = _build(target, Source(model_folder, base, chooser.flips_of), folder)
        measured = parity.measure(original, target.open(folder, provider=recorded_on(target.facts())), target)
    except ModuleNotFoundError as error:
        raise MissingExtra(f"export ({error.name})", "train,cpu") from error
    if target.chooses:
        chosen = {**chosen, "chosen_on": {"rows": len(chooser.rows), "apart": chooser is not original}}
    write_json(folder / PARITY, {**measured, **(made_by(base) if base else {}), **chosen})


def made_by(folder: Path) -> Json:
    """`exporter`, with its name and versions, of an export that an exporter of another environment traced; else empty.

    An export that starts from another one has its exporter.
    """
    found = read_object(folder / PARITY)
    return {"exporter": found["exporter"]} if "exporter" in found else {}


def _build(target: Target, source: Source, folder: Path) -> Mapping[str, Any]:
    """Build a target, after the one that it starts from where that is not at hand."""
    if target.starts_from is None or source.base is not None:
        return target.build(source, folder)
    first, scratch = target_class(target.starts_from), folder / _SCRATCH
    scratch.mkdir()
    _build(first(name=target.starts_from, target=target.starts_from), source, scratch)
    chosen = target.build(replace(source, base=scratch), folder)
    remove(scratch)
    return chosen
