"""Accuracy in each slice, old against new: the model to take beside the named baseline, or the document teacher."""

from __future__ import annotations

from distill.core.output import for_html
from distill.report import formats, scales, verdict
from distill.report.contents import Report, dig
from distill.report.markup import element
from distill.report.names import teacher_of
from distill.report.rows_plot import Line, bar, dot, inner, rows_plot
from distill.report.table_model import ModelRow, model_rows

_MOST = 30


def figure(report: Report, width: int = 560) -> str:
    """The drawing with its caption; nothing without two models and two slices. The 30 largest slices are there."""
    new, old = verdict.headline_model(report), _old(report)
    if new is None or old is None or new.name == old.name:
        return ""
    shares = {name: (_share(old, name), _share(new, name)) for name in _largest(new)}
    known = {name: (was, now) for name, (was, now) in shares.items() if was is not None and now is not None}
    if len(known) < 2:
        return ""
    ends = scales.padded_range([share for pair in known.values() for share in pair], least=1)
    x = scales.linear(*ends, *inner(width))
    lines = [_line(name, was, now, x) for name, (was, now) in known.items()]
    ticks = [tick for tick in scales.round_ticks(*ends, about=6) if 0 <= tick <= 100]
    drawn = rows_plot(lines, (x, ticks, "accuracy, %"), f"Accuracy by slice: {old.name} and {new.name}", width)
    note = f"Diamonds: {old.name}; dots: {new.name}."
    return element("figure", drawn + element("figcaption", for_html(note)))


def _old(report: Report) -> ModelRow | None:
    """The model that the new one is held against."""
    name = report.get("baseline") or teacher_of("document", report)
    return next((row for row in model_rows(report) if row.name == name and row.quality), None)


def _largest(row: ModelRow) -> list[str]:
    slices = dig(row.quality, "slices")
    names = sorted(slices, key=lambda name: -(formats.number(dig(slices, name).get("rows")) or 0))[:_MOST]
    return [name for name in slices if name in names]


def _share(row: ModelRow, name: str) -> float | None:
    value = formats.number(dig(row.quality, "slices", name).get("accuracy"))
    return None if value is None else 100 * value


def _line(name: str, was: float, now: float, x: scales.Scale) -> Line:
    at = x(was)
    diamond = f'<path class="teacher" d="M{at:.1f} -6l6 6l-6 6l-6 -6z"/>'
    marks = bar(x(was), x(now), "between") + diamond + element("g", dot(x(now), ""), class_="artifact")
    told = f"{name or 'no slice'}: {was:.1f} and {now:.1f} ({formats.signed(now - was, 1)} points)"
    return Line(told, marks, told)
