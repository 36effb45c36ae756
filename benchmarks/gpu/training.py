"""Part: what a training step takes, and its memory, by the loop that trains students."""

from __future__ import annotations

import time

from benchmarks.gpu.flops import synchronise
from benchmarks.gpu.inputs import DOCUMENT, MIX_TOKENS, SPACE, encoder, labels, records
from benchmarks.gpu.job import Job
from distill.core.files import Json, remove
from distill.families.family import Lesson, fit
from distill.training.joining import Share
from students.config import StudentConfig

_BATCH, _STEPS, _TINY_STEPS = 32, (40, 240), (1, 3)


def measure(job: Job) -> Json:
    """Steps per second of distilling from stored labels, by model.

    Two fits of fixed length are timed and the shorter one taken from the longer, so that neither reading rows, nor
    tokenising, nor the evaluation at the end counts; a fit before them, off the clock, compiles and fills caches.
    """
    short, long = _TINY_STEPS if job.tiny else _STEPS
    cells = list[Json]()
    figures = {"batch": _batch(job), "mean_tokens": MIX_TOKENS, "steps": long - short, "cells": cells}
    for layers, width in job.shapes:
        if not job.tiny:
            _fit(job, layers, width, short)
        first, second = _fit(job, layers, width, short), _fit(job, layers, width, long)
        took = max(second - first, 1e-9) / (long - short)
        cells.append(
            {
                "layers": layers,
                "width": width,
                "steps_per_s": 1 / took,
                "step_ms": 1000 * took,
                "rows_per_s": _batch(job) / took,
                "peak_gib": _peak_gib(job.device),
            }
        )
        job.keep(figures)
    return figures


def _fit(job: Job, layers: int, width: int, steps: int) -> float:
    import torch

    rows = steps * _batch(job)
    folder = records(job, "training", MIX_TOKENS, rows)
    store, out = labels(folder.with_name("labels"), rows), folder.with_name("student")
    remove(out)
    out.mkdir()
    if job.device == "cuda":
        torch.cuda.init()
        torch.cuda.reset_peak_memory_stats()
    training = {"max_steps": steps, "batch_size": _batch(job), "checkpoint": "last", "may_collapse": True}
    training |= {"precision": "bf16" if job.device == "cuda" else "fp32", "learning_rate": 1e-5, "save_steps": 10**6}
    entry = {
        "preset": "speed",
        "keep": "spread",
        "losses": {"soft_cross_entropy": {"temperature": 2.0}},
        "training": training,
    }
    lesson = Lesson(
        title="measuring steps",
        space=SPACE,
        view="document",
        view_config=DOCUMENT,
        records=folder,
        source=encoder(job, layers, width, wide=not job.tiny),
        labels={store: Share()},
        threads=job.threads,
    )
    started = time.perf_counter()
    fit("encoder", StudentConfig.model_validate(entry), lesson, out)
    synchronise(job.device)
    return time.perf_counter() - started


def _batch(job: Job) -> int:
    return 4 if job.tiny else _BATCH


def _peak_gib(device: str) -> float | None:
    import torch

    return torch.cuda.max_memory_allocated() / 2**30 if device == "cuda" else None
