"""Part: how fast a teacher labels a pool, tokenisation and writing included, as a share of what the card can do."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks.gpu.flops import forward_flops, peak, synchronise
from benchmarks.gpu.inputs import DOCUMENT, MIX_TOKENS, classifier, records
from benchmarks.gpu.job import Job
from distill.core.files import Json, remove
from distill.core.soft_labels import read_soft_labels
from distill.families.family import open_model
from distill.inference.scorer import Scorer
from teachers.config import LabellingConfig
from teachers.label_origins import Origins
from teachers.label_shard import Writing, label_shards
from teachers.opening import arithmetic, opening
from teachers.shards import Shard, parts

_ROWS, _TINY_ROWS = {12: 20_000, 6: 60_000}, 40
_TRAIN, _SHORT, _TOKENISERS = 8, 128, 12
_LARGE, _NARROW = (12, 768), (6, 384)


class _Way(NamedTuple):
    """How rows are read: mean tokens of a row, padded tokens of a batch, with padding or without, compiled or not."""

    tokens: int
    batch_tokens: int
    unpadded: bool
    compiled: bool = False


_WAYS = (
    *(_Way(MIX_TOKENS, size, unpadded) for size in (4096, 16_384) for unpadded in (False, True)),
    _Way(_SHORT, 16_384, True),
)
_COMPILED = _Way(MIX_TOKENS, 16_384, False, compiled=True)
_TINY_WAYS = (_Way(MIX_TOKENS, 256, False), _Way(MIX_TOKENS, 256, True))


def measure(job: Job) -> Json:
    """Pairs per second by what labels a shard, by model and way of reading; the peak they are held to."""
    best, cells = peak(job.device), list[Json]()
    figures = {"peak": best, "cells": cells, "mean_tokens": MIX_TOKENS, "bounds": list[Json]()}

    def add(layers: int, width: int, way: _Way) -> None:
        cell = _cell(job, layers, width, way, _TINY_ROWS if job.tiny else _ROWS[layers])
        cells.append({**cell, "share_of_peak": cell["tflops"] / best["tflops"]})
        figures["bounds"] = bounds(cells)
        job.keep(figures)

    for layers, width in job.shapes:
        for way in _TINY_WAYS if job.tiny else _WAYS:
            add(layers, width, way)
    if not job.tiny:  # what may take longest, or fail where there is no compiler, comes last
        try:
            add(*job.shapes[0], _COMPILED)
        except Exception as error:  # the compiler's errors are of many kinds
            figures["left_out"] = {"compiled": next(iter(str(error).splitlines()), type(error).__name__)}
    return figures


def bounds(cells: Sequence[Json]) -> list[Json]:
    """What is asked of one H100 and what was measured, as far as cells tell: `what`, `required`, `measured`."""
    found = [
        ("share of the peak, 12 × 768, 128 tokens", 0.45, _most(cells, _LARGE, "share_of_peak", _SHORT)),
        ("pairs/s, 12 × 768, 160 tokens", 8500, _most(cells, _LARGE, "pairs_per_s", MIX_TOKENS)),
        ("pairs/s, 6 × 384, 160 tokens", 11_500, _most(cells, _NARROW, "pairs_per_s", MIX_TOKENS)),
        ("unpadded over padded, 12 × 768", 1.8, _gain(cells, _LARGE)),
    ]
    return [{"what": what, "required": required, "measured": value} for what, required, value in found if value]


def _most(
    cells: Sequence[Json], shape: tuple[int, int], key: str, tokens: int, unpadded: bool | None = None
) -> float | None:
    """The largest figure of a shape's cells; None without one. Args: unpadded: None: padded cells too."""
    chosen = (cell for cell in cells if (cell["layers"], cell["width"], cell["mean_tokens"]) == (*shape, tokens))
    return max((cell[key] for cell in chosen if unpadded in (None, cell["unpadded"])), default=None)


def _gain(cells: Sequence[Json], shape: tuple[int, int]) -> float | None:
    """How many times as fast the best unpadded cell is as the best padded one."""
    with_padding, without = (_most(cells, shape, "pairs_per_s", MIX_TOKENS, way) for way in (False, True))
    return without / with_padding if with_padding and without else None


def _cell(job: Job, layers: int, width: int, way: _Way, pool: int) -> Json:
    """One way of reading, by a model that is open and has labelled a shard off the clock."""
    folder, model = records(job, "labelling", way.tokens, _TRAIN, pool), classifier(job, layers, width, DOCUMENT)
    out, warm = folder.with_name("labels"), folder.with_name("warm")
    for place in (out, warm):
        remove(place)
    card = job.device == "cuda"
    config = LabellingConfig(
        batch_tokens=way.batch_tokens,
        precision="bf16" if card else "fp32",
        unpadded=way.unpadded,
        compiled=way.compiled,
        tokenisers=max(0, min(_TOKENISERS, (os.cpu_count() or 1) - 2)) if card else 0,
    )
    (part,) = parts(model, folder, config.shard_rows)
    how = opening(config, job.threads)
    scorer, writing = open_model(model, how), Writing(Origins.of(part, model, arithmetic(how)))
    _label(scorer, part.shards[:1], warm, writing)
    synchronise(job.device)
    started = time.perf_counter()
    _label(scorer, part.shards, out, writing)
    synchronise(job.device)
    seconds = time.perf_counter() - started
    about = {"layers": layers, "width": width, "mean_tokens": way.tokens, "batch_tokens": way.batch_tokens}
    about |= {"unpadded": way.unpadded, "compiled": way.compiled}
    return {**about, "tokenisers": config.tokenisers, **_rates(out, layers, width, seconds)}


def _label(scorer: Scorer, shards: Sequence[Shard], folder: Path, writing: Writing) -> None:
    folder.mkdir(exist_ok=True)
    for _ in label_shards(scorer, shards, folder, writing):
        pass


def _rates(labels: Path, layers: int, width: int, seconds: float) -> Json:
    found = read_soft_labels(labels)
    # The view adds three special tokens, and cuts at its most.
    lengths = [min(DOCUMENT.max_tokens, int(count) + 3) for count in found.tokens]
    rate = forward_flops(lengths, layers, width) / seconds / 1e12
    return {"rows": len(lengths), "seconds": seconds, "pairs_per_s": len(lengths) / seconds, "tflops": rate}
