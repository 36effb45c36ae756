"""The table of answers for files: speed of one process and of several, and memory for ever more rows, in Markdown."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from typing import Any

from benchmarks.figures import Figure
from benchmarks.study_tables import page, table

Result = Mapping[str, Any]
_HEAD = ["Measured", "Rows", "Precision", "Processes", "Rows/s", "Memory, MB", "Of each worker, MB"]
_PARTS = {
    "speed": "speed, {layers} × {width}, median",
    "memory": "memory, {layers} × {width}",
    "keys": "table of as many keys, {layers} × {width}",
}


def markdown_batch(result: Result) -> str:
    """A page with every call."""
    text = (
        "Students with random weights, records of about 25 tokens, `distill predict` from JSONL to Parquet in "
        "processes of their own, start included. Speed: one process with all cores and one process for each core, in "
        "turns. Rows of the tables by key have 1,000 texts, so that they are answered fast. Memory is the most that a "
        "process had, pages that processes share counted in each."
    )
    return page(result["title"], text, _HEAD, _rows(result))


def markdown_batch_alone(result: Result) -> str:
    """The table of every call."""
    return table(_HEAD, _rows(result))


def _rows(result: Result) -> list[list[str]]:
    calls: dict[tuple[Any, ...], list[Result]] = {}
    for one in result["calls"]:
        calls.setdefault((one["part"], one["rows"], one["precision"], one["workers"]), []).append(one)
    rows = []
    for (part, count, precision, workers), found in calls.items():
        layers, width = result["students"][part]
        pace = statistics.median(one["rows_per_s"] for one in found)
        own, each = (max(one[name] for one in found) for name in ("peak_bytes", "worker_peak_bytes"))
        name = _PARTS[part].format(layers=layers, width=width)
        memory = [_megabytes(own), _megabytes(each) if workers > 1 else "–"]
        rows.append([name, f"{count:,}", precision, str(workers), f"{pace:,.0f}", *memory])
    return rows


def _peak(result: Result, part: str, rows: str) -> str:
    return _megabytes(next(one for one in _of(result, part) if one["rows"] == int(rows))["peak_bytes"]) + " MB"


def _largest(result: Result, part: str) -> str:
    return f"{max(one['rows'] for one in _of(result, part)):,}"


def _pace(result: Result, part: str) -> str:
    """Of the file with the most rows."""
    return f"{max(_of(result, part), key=lambda one: one['rows'])['rows_per_s']:,.0f} rows/s"


def _of(result: Result, part: str) -> list[Result]:
    return [one for one in result["calls"] if one["part"] == part]


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.0f}"


BATCH: dict[str, Figure] = {
    "times": lambda result, name: f"{result['ratios'][name]:.2f}×",
    "peak": _peak,
    "largest": _largest,
    "pace": _pace,
}
