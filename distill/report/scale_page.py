"""scale.html: the curves of `distill scale` on one page that needs no network and no other file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from distill.core.files import Json
from distill.core.output import for_html
from distill.evaluation.direction import unit
from distill.report import formats, scales
from distill.report.contents import dig, entries
from distill.report.drawing import Frame, axes, svg
from distill.report.markup import element
from distill.report.scale_table import scale_sentences, scale_sheet, shown_factor
from distill.report.scales import Scale
from distill.report.studies.page import write_study_page

_SPLITS = {"test": "test", "valid": "validation"}
_Mark = tuple[float, float, float, float]


def write_scale_page(found: Json, path: Path) -> None:
    """Write the page. Args: found: the content of `scale.json`. Raises: UserError when it cannot be written."""
    title = "What more rows of the pool bring"
    write_study_page(title, scale_sentences(found), [scale_sheet(found)], path, scale_figures(found))


def scale_figures(found: Json) -> str:
    """A drawing for each student, as HTML."""
    return element("div", "".join(_figure(found, one) for one in entries(found, "students")), class_="figures")


def _figure(found: Json, student: Json) -> str:
    name = str(student.get("student"))
    drawing = scale_curve(entries(student, "points"), str(found.get("metric")), name)
    note = f"{name}: percent, with 95% intervals, over pool rows per gold row; test solid, validation dashed"
    return element("figure", drawing + element("figcaption", for_html(note))) if drawing else ""


def scale_curve(points: Sequence[Json], metric: str, name: str) -> str:
    """Quality over the size of the pool, on a logarithmic axis, for test and validation; empty without figures."""
    curves = {split: _marks(points, split, metric) for split in _SPLITS}
    values = [value for marks in curves.values() for _, *shares in marks for value in shares]
    if not values:
        return ""
    frame, factors = Frame(420, 250), [factor for factor, *_ in curves["test"]]
    ends, low_high = scales.log_range(factors), scales.padded_range(values, least=0.5)
    x = scales.logarithmic(*ends, frame.box.left, frame.box.right)
    y = scales.linear(*low_high, frame.box.bottom, frame.box.top)
    counted = "log loss" if metric == "log_loss" else "%"
    body = axes(frame, (x, factors), (y, scales.round_ticks(*low_high, about=5)), "pool rows per gold row", counted)
    body += "".join(_curve(curves[split], x, y, split) for split in ("valid", "test"))
    told = {shown_factor(point): formats.number(dig(point, "test", metric)) for point in points}
    text = "; ".join(f"{at}: {formats.metric_interval(metric, value)} on test" for at, value in told.items())
    return svg(body, frame, f"Quality of {name} over the size of the pool", text)


def _marks(points: Sequence[Json], split: str, metric: str) -> list[_Mark]:
    """Factor, value, low and high, of shares in percent, of each point that has a figure."""
    found = []
    for point in points:
        figure, factor = dig(point, split, metric), formats.number(point.get("factor"))
        value = formats.number(figure)
        if value is not None and factor:
            low, high = formats.bounds(figure) or (value, value)
            scale = unit(metric)[0]
            found.append((factor, scale * value, scale * low, scale * high))
    return found


def _curve(marks: Sequence[_Mark], x: Scale, y: Scale, split: str) -> str:
    """A line through the points, each with its interval; those of validation are a little aside, to be told apart."""
    aside = 4 if split == "valid" else 0
    path = " ".join(f"{x(factor) + aside:.1f},{y(value):.1f}" for factor, value, _, _ in marks)
    line = f'<polyline class="curve {split}" points="{path}"/>'
    bars = "".join(
        f'<line class="error" x1="{x(factor) + aside:.1f}" x2="{x(factor) + aside:.1f}" '
        f'y1="{y(low):.1f}" y2="{y(high):.1f}"/>'
        f'<circle class="kept" cx="{x(factor) + aside:.1f}" cy="{y(value):.1f}" r="4">'
        + element("title", for_html(f"{_SPLITS[split]}, {factor:.3g}×: {value:.2f} ({low:.1f}–{high:.1f})"))
        + "</circle>"
        for factor, value, low, high in marks
    )
    return line + element("g", bars, class_="point student")
