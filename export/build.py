"""The export step: one model folder, one target, one ONNX file and how far it is from the original."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distill.core.errors import MissingExtra
from distill.core.files import remove, write_json
from distill.core.project import Gates
from export.config import TargetConfig

if TYPE_CHECKING:
    from export.parity import Original


def export_target(
    config: TargetConfig,
    model_folder: Path,
    rows: Sequence[Mapping[str, Any]],
    gates: Gates,
    folder: Path,
    fp32: Path | None = None,
) -> None:
    """Step body: write `model.onnx` and `parity.json` into `folder`.

    A failed parity check raises nothing: it stands in `parity.json` as `passed: false`, for the report to show and
    for the gates to stop the bundle.

    Args: rows: real records of train or validation, for parity and for choosing what int8 leaves in fp32.
        fp32: the model's fp32 export that int8 starts from; None makes one on the way.
    Raises: MissingExtra without torch or ONNX. UserError when the family cannot be exported or there are no rows.
    """
    try:
        from export import parity, to_onnx  # torch and onnx: only when the step runs
    except ModuleNotFoundError as error:
        raise MissingExtra(f"export ({error.name})", "train,cpu") from error
    for leftover in folder.glob("*.onnx*"):
        remove(leftover)
    original = parity.Original(model_folder, rows, config.parity_rows)
    model, notes = folder / "model.onnx", {}
    if config.precision == "fp32":
        to_onnx.export_fp32(model_folder, model)
    else:
        made = folder / "fp32.onnx"
        if fp32 is None:
            to_onnx.export_fp32(model_folder, made)
        notes = _quantise(config, original, fp32 or made, model)
        remove(made)
    write_json(folder / "parity.json", {**parity.check(original, model, config, gates), **notes})


def _quantise(config: TargetConfig, original: Original, fp32: Path, out: Path) -> dict[str, Any]:
    """Write the first int8 form that changes few enough labels, or else the one that changes the fewest.

    Returns: `rung`, the one taken, and `rungs`, the label flips of each that was tried.
    """
    from export import int8

    rungs = int8.rungs(fp32, config.keep_fp32)
    flips: dict[str, float] = {}
    for rung, kept in rungs.items():
        int8.quantise(fp32, out, keep_fp32=kept, reduce_range=config.reduce_range)
        flips[rung] = original.flips_of(out)
        if flips[rung] <= config.max_flips:
            return {"rung": rung, "rungs": flips}
    rung = min(flips, key=lambda name: flips[name])
    int8.quantise(fp32, out, keep_fp32=rungs[rung], reduce_range=config.reduce_range)
    return {"rung": rung, "rungs": flips}
