"""Part: how fast a teacher labels a pool, tokenisation and writing included, as a share of what the card can do."""

from __future__ import annotations

import time

from benchmarks.gpu.flops import forward_flops, peak, synchronise
from benchmarks.gpu.inputs import DOCUMENT, MIX_TOKENS, classifier, records
from benchmarks.gpu.job import Job
from distill.core.files import Json, remove
from distill.core.soft_labels import read_soft_labels
from teachers.config import LabellingConfig
from teachers.label import label

_ROWS, _WARM_ROWS, _TINY_ROWS, _WARM = {12: 40_000, 6: 120_000}, 2048, 40, 8
_BATCHES = (4096, 16_384)
_TRAIN = 8


def measure(job: Job) -> Json:
    """Pairs per second by `distill label`'s own step, by model and padded tokens of a batch; the peak they are held to.

    Each model labels some rows first, off the clock.
    """
    best, cells = peak(job.device), list[Json]()
    figures = {"peak": best, "cells": cells, "mean_tokens": MIX_TOKENS}
    for layers, width in job.shapes:
        count = _TINY_ROWS if job.tiny else _ROWS[layers]
        for batch_tokens in (256,) if job.tiny else _BATCHES:
            _pass(job, layers, width, batch_tokens, _WARM if job.tiny else _WARM_ROWS)
            cell = _pass(job, layers, width, batch_tokens, count)
            cells.append({**cell, "share_of_peak": cell["tflops"] / best["tflops"]})
            job.keep(figures)
    return figures


def _pass(job: Job, layers: int, width: int, batch_tokens: int, pool: int) -> Json:
    folder, model = records(job, "labelling", MIX_TOKENS, _TRAIN, pool), classifier(job, layers, width, DOCUMENT)
    out = folder.with_name("labels")
    remove(out)
    out.mkdir()
    config = LabellingConfig(batch_tokens=batch_tokens, precision="bf16" if job.device == "cuda" else "fp32")
    started = time.perf_counter()
    label(config, model, folder, job.threads, out)
    synchronise(job.device)
    seconds = time.perf_counter() - started
    return {"layers": layers, "width": width, "batch_tokens": batch_tokens, **_rates(job, layers, width, seconds)}


def _rates(job: Job, layers: int, width: int, seconds: float) -> Json:
    found = read_soft_labels(job.work / "inputs" / "labelling" / "labels")
    # The view adds three special tokens, and cuts at its most.
    lengths = [min(DOCUMENT.max_tokens, int(count) + 3) for count in found.tokens]
    rate = forward_flops(lengths, layers, width) / seconds / 1e12
    return {"rows": len(lengths), "seconds": seconds, "pairs_per_s": len(lengths) / seconds, "tflops": rate}
