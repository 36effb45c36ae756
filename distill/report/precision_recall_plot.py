"""Precision against recall of each class: a drawing of the model to take beside the document teacher, and a table."""

from __future__ import annotations

from collections.abc import Callable

from distill.core.output import for_html
from distill.report import formats, scales, verdict
from distill.report.contents import Report, dig
from distill.report.drawing import Frame, axes, svg
from distill.report.markup import element
from distill.report.names import teacher_of
from distill.report.table_model import Column, Sheet


def average_precision_sheet(report: Report) -> Sheet:
    """A row for each class, a column for each teacher and student."""
    found = dig(report, "precision_recall")
    labels = list(dict.fromkeys(label for curves in found.values() for label in curves))
    columns = [Column("Class", str, kind="label"), *(Column(name, _average(report, name)) for name in found)]
    caption = "Average precision of each class against the rest, percent, on all test rows, without intervals."
    return Sheet(caption, columns, labels)


def drawings(report: Report) -> str:
    """A drawing for each class."""
    best, teacher = verdict.headline_model(report), teacher_of("document", report)
    own = None if best is None else best.model.student
    names = [name for name in dict.fromkeys((own, teacher)) if name and dig(report, "precision_recall", name)]
    labels = dict.fromkeys(label for name in names for label in dig(report, "precision_recall", name))
    return "".join(_drawing(report, label, names) for label in labels)


def _drawing(report: Report, label: str, names: list[str], width: int = 320, height: int = 260) -> str:
    frame, known = Frame(width, height), {name: _points(report, name, label) for name in names}
    box, ticks = frame.box, [0.0, 20.0, 40.0, 60.0, 80.0, 100.0]
    x, y = scales.linear(0, 100, box.left, box.right), scales.linear(0, 100, box.bottom, box.top)
    lines = [
        f'<polyline class="{kind}" points="{" ".join(f"{x(r):.1f},{y(p):.1f}" for r, p in points)}"/>'
        for kind, points in zip(("curve", "curve valid"), known.values(), strict=False)
    ]
    body = axes(frame, (x, ticks), (y, ticks), "recall, %", "precision, %") + "".join(lines)
    text = "; ".join(f"{name}: average precision {_average(report, name)(label)}%" for name in names)
    drawn = svg(body, frame, f"Precision and recall of {label}", text)
    told = f"“{label}”: {names[0]}" + (f", dashed {names[1]}" if len(names) > 1 else "")
    return element("figure", drawn + element("figcaption", for_html(told)))


def _points(report: Report, name: str, label: str) -> list[tuple[float, float]]:
    """Recall and precision in percent."""
    pairs = dig(report, "precision_recall", name, label).get("points") or []
    return [(100 * recall, 100 * precision) for recall, precision in pairs]


def _average(report: Report, name: str) -> Callable[[str], str]:
    return lambda label: formats.percent(dig(report, "precision_recall", name, label).get("average_precision"))
