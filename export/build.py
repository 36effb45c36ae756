"""The export step: one model folder, one target, its files and how far they are from the original."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distill.core.errors import MissingExtra
from distill.core.files import Json, read_object, remove, write_json
from distill.inference.providers import recorded_on
from export.evidence import Evidence, Sample
from export.targets import target_class
from export.targets.base import Source, Target

if TYPE_CHECKING:
    from distill.inference.runner import Runner

PARITY = "parity.json"
_SCRATCH = "base"


def export_target(
    target: Target,
    model_folder: Path,
    evidence: Evidence,
    folder: Path,
    base: Path | None = None,
    refitted: Path | None = None,
) -> None:
    """Step body: write the target's model file and `parity.json` into `folder`.

    Parity is measured, not judged: however far the file is from the original, nothing is raised.

    Args: base: the model's export that the target starts from; None makes one on the way, where it needs one.
        refitted: the model as the target's own training left it, which the file is made of; it is compared with the
        one in `model_folder` all the same.
    Raises: MissingExtra without torch or ONNX. UserError when the family cannot be exported or there are no rows.
    """
    try:
        from export import parity  # torch and onnx: only when the step runs

        for leftover in [*folder.glob(f"*{target.model}*"), folder / _SCRATCH]:
            remove(leftover)
        original = parity.Original(model_folder, evidence.judging, target.parity_rows, evidence)
        chooser = original
        if evidence.choosing is not None and target.chooses:
            chooser = parity.Original(model_folder, evidence.choosing, target.parity_rows, evidence)
        source = Source(
            model_folder=model_folder,
            base=base,
            refitted=refitted,
            changes=chooser.changes_of,
            calibrate=lambda runner, most: original.read(runner, Sample(evidence.calibration()).spread(most).rows),
        )
        chosen = _build(target, source, folder)
        exported = target.open(folder, provider=recorded_on(target.facts()))
        measured = parity.measure(original, exported, target, chooser.points if target.chooses else None)
    except ModuleNotFoundError as error:
        raise MissingExtra(f"export ({error.name})", "train,cpu") from error
    if target.chooses:
        chosen = {**chosen, "chosen_on": {"rows": len(chooser.rows), "apart": chooser is not original}}
    write_json(folder / PARITY, {**measured, **(made_by(base) if base else {}), **chosen})


def build_untried(
    target: Target,
    model_folder: Path,
    rows: Sequence[Mapping[str, Any]],
    folder: Path,
    base: Path | None = None,
    *,
    most_exact: bool = False,
) -> None:
    """Write the target's model file of a model whose answers say nothing, to be timed: the first form that there is.

    Args: rows: that calibrate, where the target asks for it. base: as of `export_target`. most_exact: of several forms
        the one that leaves most in fp32, which is as slow as the file of a trained model can become.
    Raises: MissingExtra without torch or ONNX; UserError when the family cannot be exported.
    """
    try:
        from export import parity

        def calibrate(runner: Runner, most: int) -> None:
            original = parity.Original(model_folder, Sample(rows[:1]), 1)
            original.read(runner, Sample(rows).spread(most).rows)

        source = Source(model_folder, base, lambda runner: {"flips": 0.0}, calibrate, most_exact=most_exact)
        _build(target, source, folder)
    except ModuleNotFoundError as error:
        raise MissingExtra(f"export ({error.name})", "train,cpu") from error


def note_in_place_of(folder: Path, found: Sequence[Json]) -> None:
    """Add to `parity.json` the targets that the file is taken in place of, each with the gates that it failed."""
    write_json(folder / PARITY, {**read_object(folder / PARITY), "in_place_of": list(found)})


def in_place_of(folder: Path) -> Json:
    """`in_place_of` of an export that is taken where other targets have failed; else empty."""
    found = read_object(folder / PARITY)
    return {"in_place_of": found["in_place_of"]} if found.get("in_place_of") else {}


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
    traced = replace(source, model_folder=source.refitted or source.model_folder)
    _build(first(name=target.starts_from, target=target.starts_from), traced, scratch)
    chosen = target.build(replace(source, base=scratch), folder)
    remove(scratch)
    return chosen
