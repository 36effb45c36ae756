"""Part: a student as it is served on the card: one card at a time and in batches, against compiled PyTorch in fp16."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.config import BenchConfig
from benchmarks.disturbance import watch
from benchmarks.gpu.artifacts import exported, names, student
from benchmarks.gpu.inputs import CARD, CARD_TOKENS, classifier, rows
from benchmarks.gpu.job import Job
from benchmarks.latency_worker import measure as time_scorer
from benchmarks.latency_worker import opened
from benchmarks.layouts import BATCHES
from benchmarks.placing import placed
from benchmarks.scenario import Served
from benchmarks.subjects import Subject, trained_subject
from benchmarks.timing import percentile_ms
from distill.core.errors import DistillError
from distill.core.files import Json
from distill.core.view import View
from distill.families.encoder import Encoder
from distill.inference.collate import Batch
from distill.inference.runner_scorer import RunnerScorer
from distill.inference.scorer import Scorer
from distill.inference.token_budget import NO_LIMIT

BASELINE = "pytorch fp16, compiled"
_REQUESTS, _TINY_REQUESTS = 2048, 8
_BATCH, _TINY_BATCH = 256, 4


def measure(job: Job) -> Json:
    """One cell per artifact that runs here: p50 at batch 1 and cards per second, tokenisation included; the ratios to
    PyTorch in fp16 under `torch.compile`.
    """
    layers, width = student(job)
    given = rows("serving", CARD_TOKENS, _TINY_REQUESTS if job.tiny else _REQUESTS)
    config = BenchConfig(warmup=2 if job.tiny else 50, throughput_batch=_TINY_BATCH if job.tiny else _BATCH)
    cells, left_out = list[Json](), dict[str, str]()
    about = {"layers": layers, "width": width, "requests": len(given), "batch": config.throughput_batch}
    figures = {**about, "baseline": BASELINE, "cells": cells, "left_out": left_out}
    for name, scorer in _scorers(job, left_out):
        served = Served(partial(_same, scorer), given, 1, config, time.perf_counter_ns, time.sleep)
        try:
            cells.append(_cell(name, time_scorer(scorer, served, watch(1)), cells))
        except Exception as error:  # torch.compile compiles at the first batch; ONNX Runtime has errors of its own
            left_out[name] = f"{type(error).__name__}: {error}".partition("\n")[0]
        job.keep(figures)
    return figures


def _same(scorer: Scorer, threads: int) -> Scorer:
    return scorer


def _cell(name: str, found: Mapping[str, Any], before: Sequence[Json]) -> Json:
    """The figures of an artifact. Args: before: those of others; ratios are to the first, where it is the baseline."""
    one = found["batches"]["1"]
    cell: Json = {
        "model": name,
        "tokens": int(median(found["tokens"])),
        "p50_ms": percentile_ms(one["total_ns"], 50),
        "p95_ms": percentile_ms(one["total_ns"], 95),
        "tokenise_ms": percentile_ms(one["tokenise_ns"], 50),
        "per_s": found["layouts"][BATCHES],
    }
    base = before[0] if before else cell
    if base["model"] != BASELINE:
        return cell
    ratios = {"faster_at_1": base["p50_ms"] / cell["p50_ms"], "faster_in_batches": cell["per_s"] / base["per_s"]}
    return {**cell, **ratios}


def _scorers(job: Job, left_out: dict[str, str]) -> Iterator[tuple[str, Scorer]]:
    """Each artifact, opened when its turn comes; `left_out` gets why one cannot be."""
    layers, width = student(job)
    model = classifier(job, layers, width, CARD)
    trained = trained_subject("pytorch fp32", "card", model, "student", Encoder())
    subjects = [trained]
    for name in names():
        try:
            subjects.append(trained.exported(*exported(job, name)))
        except Exception as error:  # as in the part on parity, where the reason is a row
            left_out[name] = f"{type(error).__name__}: {error}".partition("\n")[0]
    here, elsewhere = placed(subjects, "auto" if job.device == "cuda" else "cpu")
    left_out |= elsewhere
    makers: dict[str, Callable[[], Scorer]] = {BASELINE: partial(_compiled, job, model)}
    makers |= {_name(subject): partial(opened, subject, job.threads) for subject in here}
    for name, make in makers.items():
        try:
            yield name, make()
        except DistillError as error:
            left_out[name] = error.brief


def _name(subject: Subject) -> str:
    target = subject.name.partition(".")[2]
    return f"{target or subject.name} on {subject.provider}"


def _compiled(job: Job, folder: Path) -> Scorer:
    runner, renderer = Compiled(folder, job.device), View.load(folder).renderer()
    return RunnerScorer(runner, renderer, batch_tokens=NO_LIMIT, max_rows=NO_LIMIT)


class Compiled:
    """A classifier in PyTorch under `torch.compile` with free axes: fp16 on a card, what students are held against.

    On the processor, for a trial, it is fp32 and traced without being compiled.
    """

    def __init__(self, folder: Path, device: str) -> None:
        import torch

        from distill.models.encoder import input_names, load_classifier

        card = device == "cuda"
        loaded: Any = load_classifier(folder)
        model = loaded.to(device=device, dtype=torch.float16 if card else torch.float32)
        self._names, self._device = input_names(model), device
        self._model = torch.compile(model, dynamic=True, backend="inductor" if card else "eager")

    def logits(self, batch: Batch) -> NDArray[np.float32]:
        """Logits (B, C) of a batch (B, S)."""
        import torch

        inputs = {name: torch.from_numpy(batch[name]).to(self._device) for name in self._names}
        with torch.inference_mode():
            output = self._model(**inputs).logits
        found: NDArray[np.float32] = output.float().cpu().numpy()
        return found
