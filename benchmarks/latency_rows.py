"""From raw samples to the latency rows of the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from benchmarks.config import BenchConfig
from benchmarks.subjects import Subject, document_teachers, reference
from benchmarks.timing import NS_PER_MS, percentile_ms, tail_ms
from distill.core.files import Json

Round = Mapping[str, Any]
"""What one process measured; see `benchmarks.latency_worker.measure`."""


def latency_rows(
    subjects: Sequence[Subject], rounds: Mapping[str, Sequence[Round]], config: BenchConfig, threads: int
) -> list[Json]:
    """One row per subject and batch size, with speed-ups on the rows of batch 1.

    Args: rounds: subject name to its processes, in the order they ran; round r of every subject ran side by side.
    Returns: rows as in `report.json`, with `speedup_low` and `speedup_high`, the extremes of the rounds' own ratios.
    """
    first, teachers = reference(list(subjects)), document_teachers(list(subjects))
    best = min(teachers, key=lambda teacher: _p50(rounds[teacher.name]), default=None) if 1 in config.batch else None
    return [
        {
            **_row(subject, rounds[subject.name], batch, config, threads),
            **_speedups(rounds, subject, first if batch == 1 else None, best if batch == 1 else None),
        }
        for subject in subjects
        for batch in sorted(set(config.batch))
    ]


def ratios(rows: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, float]]:
    """Speed-ups by model, for the last line of a measuring command."""
    keys = ("speedup_vs_teacher", "speedup_low", "speedup_high", "speedup_vs_best_teacher")
    return {str(row["model"]): {key: row[key] for key in keys} for row in rows if row["speedup_vs_teacher"] is not None}


def _row(subject: Subject, rounds: Sequence[Round], batch: int, config: BenchConfig, threads: int) -> Json:
    total = _samples(rounds, batch, "total_ns")
    return {
        "model": subject.name,
        "role": subject.role,
        "view": subject.view,
        "runtime": subject.runtime if subject.provider == "cpu" else f"{subject.runtime} on {subject.provider}",
        "precision": subject.precision,
        "threads": threads,
        "batch": batch,
        "tokens": int(median(rounds[0]["tokens"])),
        "samples": len(total),
        "p50_ms": percentile_ms(total, 50),
        "p95_ms": tail_ms(total, 95, config.tail_samples),
        "p99_ms": tail_ms(total, 99, config.tail_samples),
        "tokenise_ms": median(_samples(rounds, batch, "tokenise_ns")) / NS_PER_MS,
        "throughput_per_s": median(measured["throughput_per_s"] for measured in rounds),
    }


def _speedups(
    rounds: Mapping[str, Sequence[Round]], subject: Subject, first: Subject | None, best: Subject | None
) -> dict[str, float | None]:
    own = rounds[subject.name]
    by_round = [_p50([a]) / _p50([b]) for a, b in zip(rounds[first.name], own, strict=True)] if first else []
    return {
        "speedup_vs_teacher": _p50(rounds[first.name]) / _p50(own) if first else None,
        "speedup_low": min(by_round, default=None),
        "speedup_high": max(by_round, default=None),
        "speedup_vs_best_teacher": _p50(rounds[best.name]) / _p50(own) if best else None,
    }


def _p50(rounds: Sequence[Round]) -> float:
    """Median latency at batch 1 over the samples of all rounds, ms."""
    return percentile_ms(_samples(rounds, 1, "total_ns"), 50)


def _samples(rounds: Sequence[Round], batch: int, key: str) -> list[int]:
    return [sample for measured in rounds for sample in measured["batches"][str(batch)][key]]
