"""From raw samples to the latency rows of the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import exp
from statistics import median
from typing import Any

import numpy as np

from benchmarks.config import BenchConfig
from benchmarks.intervals import Centre, centre, pooled, ratio
from benchmarks.layouts import layouts
from benchmarks.sampling import Pair, disturbed
from benchmarks.subjects import Subject, document_teachers, reference
from benchmarks.timing import NS_PER_MS, tail_ms
from distill.core.files import Json

Round = Mapping[str, Any]
"""What one process measured; see `benchmarks.latency_worker.measure`."""
_MIB = 1 << 20
_SINGLE = "1"


def latency_rows(
    subjects: Sequence[Subject], rounds: Mapping[str, Sequence[Round]], config: BenchConfig, threads: int
) -> list[Json]:
    """One row per subject and batch size, with speed-ups on the rows of batch 1.

    Args: rounds: subject name to the processes that count.
    Returns: rows as in `report.json`. p50 and speed-ups are over the first `requests` requests, those that every
        process of every subject answered; tails and `samples` are over all.
    """
    centres = centres_of(rounds)
    first, best = reference(list(subjects)) if centres else None, best_teacher(subjects, centres)
    served = {name: [one["layouts"] for one in processes] for name, processes in rounds.items()}
    laid_out = layouts(served, threads, config.throughput_batch)
    return [
        {
            **_row(subject, rounds, batch, config, threads),
            **_throughput(laid_out[subject.name]),
            **_speedups(centres, subject, *((first, best) if batch == 1 else (None, None))),
            **_conditions(rounds[subject.name]),
            **({"speed_only": True} if subject.speed_only else {}),
        }
        for subject in subjects
        for batch in sorted(set(config.batch))
    ]


def ratios(rows: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, float]]:
    """Speed-ups by model, for the last line of a measuring command."""
    keys = ("speedup_vs_teacher", "speedup_low", "speedup_high", "speedup_vs_best_teacher", "best_low", "best_high")
    return {str(row["model"]): {key: row[key] for key in keys} for row in rows if row["speedup_vs_teacher"] is not None}


def centres_of(rounds: Mapping[str, Sequence[Round]]) -> dict[str, Centre]:
    """p50 at batch 1 of each subject and its variance between processes, over the requests that all have answered.

    Of no subject where there were no single requests: ratios are told of those alone.
    """
    if not all(_SINGLE in one["batches"] for processes in rounds.values() for one in processes):
        return {}
    shared = answered_by_all(rounds, _SINGLE)
    taken = {
        name: [np.asarray(one["batches"][_SINGLE]["total_ns"][:shared], np.float64) for one in processes]
        for name, processes in rounds.items()
    }
    return pooled({name: centre(processes) for name, processes in taken.items()})


def best_teacher(subjects: Sequence[Subject], centres: Mapping[str, Centre]) -> Subject | None:
    """The fastest artifact of a document teacher."""
    teachers = [teacher for teacher in document_teachers(list(subjects)) if teacher.name in centres]
    return min(teachers, key=lambda teacher: centres[teacher.name].log, default=None)


def wanted_pairs(subjects: Sequence[Subject], centres: Mapping[str, Centre]) -> list[Pair]:
    """The ratios that rows have: of the reference and of the fastest teacher to every other subject."""
    if not centres:
        return []
    above = [one.name for one in (reference(list(subjects)), best_teacher(subjects, centres)) if one is not None]
    pairs = [(first, one.name) for first in dict.fromkeys(above) for one in subjects if one.name != first]
    return pairs


def answered_by_all(rounds: Mapping[str, Sequence[Round]], batch: str) -> int:
    """How many requests every process of every subject has answered: the first ones, for all have one order."""
    return min(len(one["batches"][batch]["total_ns"]) for processes in rounds.values() for one in processes)


def _row(
    subject: Subject, rounds: Mapping[str, Sequence[Round]], batch: int, config: BenchConfig, threads: int
) -> Json:
    own, shared = rounds[subject.name], answered_by_all(rounds, str(batch))
    total = _samples(own, batch, "total_ns")
    middle = centre([np.asarray(one["batches"][str(batch)]["total_ns"][:shared], np.float64) for one in own])
    return {
        "model": subject.name,
        "role": subject.role,
        "view": subject.view,
        "runtime": subject.runtime if subject.provider == "cpu" else f"{subject.runtime} on {subject.provider}",
        "precision": subject.precision,
        "threads": threads,
        "batch": batch,
        "tokens": int(median(own[0]["tokens"])),
        "samples": len(total),
        "requests": shared,
        "processes": len(own),
        "p50_ms": exp(middle.log) / NS_PER_MS,
        "p95_ms": tail_ms(total, 95, config.tail_samples),
        "p99_ms": tail_ms(total, 99, config.tail_samples),
        "tokenise_ms": median(_samples(own, batch, "tokenise_ns")) / NS_PER_MS,
    }


def _throughput(laid_out: Sequence[Json]) -> Json:
    """Records a second of the fastest layout, and all of them where there are several."""
    return {"throughput_per_s": laid_out[0]["per_s"], **({"layouts": list(laid_out)} if len(laid_out) > 1 else {})}


def _conditions(own: Sequence[Round]) -> Json:
    """What else a row says of its processes: start, memory, and what disturbed them."""
    blocks = [block for one in own for block in one.get("blocks", ())]
    waited = [block["waited_share"] for block in blocks if block["waited_share"] is not None]
    requests = sum(len(one["batches"][batch]["total_ns"]) for one in own for batch in one["batches"])
    noisy = sum(disturbed(one) * sum(len(taken["total_ns"]) for taken in one["batches"].values()) for one in own)
    return {
        "start_ms": _median(one.get("start_ms") for one in own),
        "memory_mib": _median((one["memory_bytes"] / _MIB if "memory_bytes" in one else None) for one in own),
        "disturbed": noisy / requests if requests else 0.0,
        "repeats": sum(block["repeats"] for block in blocks),
        "waited_share": max(waited, default=None),
        "switches_per_s": _median(block["switches_per_s"] for block in blocks),
        "load": max((block["load"] for block in blocks), default=None),
        "disturbed_by": sorted({_kind(why) for block in blocks for why in block["why"]}),
    }


def _kind(why: str) -> str:
    """A reason without its figure."""
    return why.partition(" (")[0]


def _speedups(
    centres: Mapping[str, Centre], subject: Subject, first: Subject | None, best: Subject | None
) -> dict[str, float | None]:
    def against(other: Subject | None, value: str, low: str, high: str) -> dict[str, float | None]:
        if other is None:
            return {value: None, low: None, high: None}
        above, below = centres[other.name], centres[subject.name]
        if other is subject:
            return dict.fromkeys((value, low, high), 1.0)
        found = ratio(above, below)
        return {value: exp(above.log - below.log), low: found and found.low, high: found and found.high}

    return {
        **against(first, "speedup_vs_teacher", "speedup_low", "speedup_high"),
        **against(best, "speedup_vs_best_teacher", "best_low", "best_high"),
    }


def _median(values: Any) -> float | None:
    known = [value for value in values if value is not None]
    return median(known) if known else None


def _samples(rounds: Sequence[Round], batch: int, key: str) -> list[int]:
    return [sample for measured in rounds for sample in measured["batches"][str(batch)][key]]
