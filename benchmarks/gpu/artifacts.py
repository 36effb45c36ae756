"""Part: what each export target's file answers on the card, against PyTorch in fp32; and the files, for other parts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from benchmarks.gpu.inputs import CARD, CARD_TOKENS, classifier, rows
from benchmarks.gpu.job import Job
from distill.core.errors import DistillError, UserError
from distill.core.files import Json, remove
from distill.inference.providers import NAMES, ProviderError, candidates, short
from export.build import export_target
from export.config import load_target, target_names
from export.evidence import Evidence, Sample
from export.parity import Original
from export.parity import measure as measure_parity
from export.targets.base import Target

EXPECTED = ("onnx", "onnx-int8", "onnx-cuda", "onnx-fp16", "tensorrt-fp16", "tensorrt-bf16")
_FP32 = "onnx"
_ROWS, _TINY_ROWS = 400, 6


def measure(job: Job) -> Json:
    """One cell per target: its largest difference of a logit and share of changed labels on each provider that may run
    it here, the refusal of each that must not, or why there is no file.
    """
    layers, width = student(job)
    model = classifier(job, layers, width, CARD)
    given = rows("parity", CARD_TOKENS, _TINY_ROWS if job.tiny else _ROWS)
    original = Original(model, Sample(given), len(given))
    cells = list[Json]()
    figures = {"layers": layers, "width": width, "rows": len(given), "tokens": CARD_TOKENS, "cells": cells}
    for name in names():
        for cell in _cells(job, name, original):
            cells.append(cell)
            job.keep(figures)
    return figures


def names() -> list[str]:
    """The targets: those that the kit expects, whether they are registered or not, and all others."""
    known = target_names()
    return [*EXPECTED, *(name for name in known if name not in EXPECTED)]


def student(job: Job) -> tuple[int, int]:
    """Layers and width of the model that is exported."""
    return job.shapes[-1]


def exported(job: Job, name: str) -> tuple[Target, Path]:
    """A target and the folder with its file, made once and kept in the work folder.

    Raises: UserError where the target is not registered or cannot be built here.
    """
    if name not in target_names():
        raise UserError("the target is not registered")
    layers, width = student(job)
    model, target = classifier(job, layers, width, CARD), load_target(name)
    target = target if job.device == "cuda" else target.made_elsewhere()
    folder = job.work / "exports" / f"{layers}x{width}" / name
    if not (folder / "parity.json").is_file():
        base = exported(job, _FP32)[1] if name != _FP32 else None
        remove(folder)
        folder.mkdir(parents=True)
        given = rows("parity", CARD_TOKENS, _TINY_ROWS)
        evidence = Evidence(Sample(given), calibration=lambda: given)
        export_target(target, model, evidence, folder, base)
    return target, folder


def _cells(job: Job, name: str, original: Original) -> Iterator[Json]:
    try:
        target, folder = exported(job, name)
    except DistillError as error:
        yield {"target": name, "provider": None, "outcome": error.brief}
        return
    except Exception as error:  # an exporter of another version may raise anything: the other targets go on
        yield {"target": name, "provider": None, "outcome": f"{type(error).__name__}: {error}".partition("\n")[0]}
        return
    for provider in _providers(job, target):
        yield {"target": name, "provider": provider, **_on(provider, target, folder, original)}


def _providers(job: Job, target: Target) -> list[str]:
    """CUDA and what else of a card the target may run on; on a machine without a card the processor."""
    if job.device != "cuda":
        return ["cpu"]
    return [name for name in dict.fromkeys(["cuda", *map(short, target.facts()["providers"])]) if name != "cpu"]


def _on(provider: str, target: Target, folder: Path, original: Original) -> Json:
    try:
        candidates(provider, target.facts(), list(NAMES.values()))
    except ProviderError as error:
        return {"outcome": f"refused: {error}"}
    try:
        found = measure_parity(original, target.open(folder, provider=provider), target)
    except UserError as error:
        return {"outcome": error.brief}
    wanted = ("max_abs_diff", "mean_abs_diff", "label_flips", "label_flips_large", "batch_shift", "finite", "error")
    entry = target.entry(folder)
    declared = entry.get("tolerances", {}).get(NAMES[provider], entry.get("tolerance"))
    return {"outcome": "measured", "declared": declared, **{key: found[key] for key in wanted}}
