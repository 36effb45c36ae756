"""The table of families, in Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.study_tables import page, table

Figures = Mapping[str, Any]
_HEAD = ["Family", "`model_type`", "Result", "Largest difference, or why", "Trial"]
_ABOUT = (
    "A tiny random model of each family, of 4 layers. *Works*: tried, fine-tuned as a teacher for 8 steps, labels "
    "made, a student of 2 of its layers distilled and exported to ONNX; the difference is that of a logit between the "
    "student in PyTorch and its fp32 file, over its records and a grid of batches and lengths. *Refused*: the message "
    "that a run ends with before its first step. The last column is how long the trial took."
)


def markdown_families(result: Figures) -> str:
    """A page with every family."""
    return page(result["title"], _ABOUT, _HEAD, _cells(result["rows"]))


def markdown_families_alone(result: Figures) -> str:
    """The table of every family."""
    return table(_HEAD, _cells(result["rows"]))


def markdown_refused(result: Figures) -> str:
    """The reasons for which families are refused, with the families."""
    found: dict[str, list[str]] = {}
    for row in result["rows"]:
        if row["result"] == "refused":
            found.setdefault(row["reason"], []).append(row["family"])
    return table(["Refused", "Why"], [[", ".join(names), reason] for reason, names in found.items()])


def _cells(rows: Sequence[Figures]) -> list[list[str]]:
    return [
        [row["family"], f"`{row['model_type']}`", row["result"], _why(row), f"{row['seconds']:.1f} s"] for row in rows
    ]


def _why(row: Figures) -> str:
    return f"{row['max_abs_diff']:.0e}" if row["result"] == "works" else f"{row['reason']}: {row['found']}"
