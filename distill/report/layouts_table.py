"""How each file's sessions, threads and batches are best laid out where only records a second count."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from distill.report import formats
from distill.report.contents import Report, latency_of
from distill.report.table_model import Column, Sheet

_CAPTION = (
    "Records a second by how one budget of threads is laid out, the fastest of each file first, tokenisation included. "
    "The last column is over one session with all threads and one record at a time, with its 95% interval."
)


@dataclass(frozen=True)
class _Line:
    model: str
    laid: Mapping[str, Any]


def layouts_sheet(report: Report) -> Sheet:
    """One row for each layout of each file that was measured in several; no rows where none was."""
    lines = [_Line(str(row.model), one) for row in latency_of(report) if row.single for one in row.layouts]
    columns = [
        Column("Model", lambda line: line.model, kind="name"),
        Column("Sessions", lambda line: formats.integer(line.laid["sessions"])),
        Column("Threads of each", lambda line: formats.integer(line.laid["threads"])),
        Column("Batch", lambda line: formats.integer(line.laid["batch"])),
        Column("Rows per s", lambda line: formats.three_digits(line.laid["per_s"])),
        Column("Over one session", _ratio),
    ]
    return Sheet(_CAPTION, columns, lines)


def _ratio(line: _Line) -> str:
    return formats.times_interval(line.laid["ratio"], [line.laid["low"], line.laid["high"]])
