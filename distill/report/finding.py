"""What a command found, in every form in which it is told: words, tables and JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.text import Text

from distill.core.files import Json
from distill.evaluation.compare import compare, compare_by
from distill.report.breakdown_tables import slice_rows_sheet
from distill.report.joined_table import joined_sheet
from distill.report.lines import comparison_lines
from distill.report.quality_tables import quality_sheet
from distill.report.run_tables import latency_sheet
from distill.report.table_model import Sheet
from distill.report.verdict import sentences

Part = str | Text | Sheet


@dataclass(frozen=True)
class Finding:
    """What one command found.

    Attributes: content: the document that `--json` prints. parts: what people read, in order: sentences, with a style
        of their own where they are a `Text`, and tables.
    """

    content: Any
    parts: Sequence[Part] = field(default_factory=list)


def report_parts(report: Json) -> list[Part]:
    """The sentences and tables of a report."""
    first, *others = sentences(report)
    found: list[Part] = [Text(first, style="bold"), *(f"- {sentence}" for sentence in others), ""]
    if report["models"]:
        found.append(quality_sheet(report))
    if (joined := joined_sheet(report)).rows:
        found += ["", joined]
    if report["latency"]:
        found += ["", latency_sheet(report)]
    return found


def compared(run: Path, a: str, b: str, by: str | None) -> Finding:
    """The paired differences of two models of a run. Args: by: `slice`: in each slice. Raises: as `compare`."""
    if by is None:
        rows = compare(run, a, b)
        return Finding(rows, comparison_lines(rows))
    found = compare_by(run, a, b, by)
    return Finding(found, [slice_rows_sheet(found)])
