"""The whole confusion matrix of each teacher and student, those of one gold class side by side."""

from __future__ import annotations

from collections.abc import Callable

from distill.report import formats
from distill.report.contents import Report, dig, label_names
from distill.report.table_model import Column, Sheet

_Row = tuple[str, str, list[float]]


def confusion_matrix_sheet(report: Report) -> Sheet:
    """A row for each gold class and model: how many of its test rows went to each label."""
    labels, matrices = label_names(report), dig(report, "confusion_matrix")
    known = {name: one for name, one in matrices.items() if isinstance(one, list) and len(one) == len(labels)}
    rows = [(gold, name, matrix[at]) for at, gold in enumerate(labels) for name, matrix in known.items()]
    columns = [
        Column("Model", lambda row: str(row[1]), kind="name"),
        *(Column(label, _cell(at), "Predicted") for at, label in enumerate(labels)),
    ]
    caption = "Where the test rows of each gold class went: rows, and their share of the class in percent."
    return Sheet(caption, columns, rows, lambda row: f"Gold: {row[0]}")


def _cell(at: int) -> Callable[[_Row], str]:
    def cell(row: _Row) -> str:
        whole = sum(row[2])
        return f"{formats.integer(row[2][at])} ({formats.percent(row[2][at] / whole, 1)})" if whole else formats.MISSING

    return cell
