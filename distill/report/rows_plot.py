"""Inline SVG with a line for each name: marks along one axis, the names over their lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from distill.core.output import for_html
from distill.report.markup import element
from distill.report.scales import Scale

LINE_PX = 34
"""Height of a line with the name over it."""
_LEFT, _RIGHT, _TOP, _BOTTOM = 10, 14, 8, 40


@dataclass(frozen=True)
class Line:
    """One line. Attributes: name: shown over it. marks: finished SVG around height 0. told: what it says, in words."""

    name: str
    marks: str
    told: str


def inner(width: int) -> tuple[float, float]:
    """From where to where marks may lie, in pixels."""
    return _LEFT, width - _RIGHT


def rows_plot(lines: Sequence[Line], axis: tuple[Scale, Sequence[float], str], title: str, width: int) -> str:
    """The drawing. Args: axis: its scale, ticks and name."""
    (scale, ticks, name), bottom = axis, _TOP + LINE_PX * len(lines) + 4
    height, (left, right) = bottom + _BOTTOM, inner(width)
    parts = [
        f'<line class="grid" x1="{scale(tick):.1f}" y1="{_TOP}" x2="{scale(tick):.1f}" y2="{bottom}"/>'
        + element("text", f"{tick:g}", x=f"{scale(tick):.1f}", y=f"{bottom + 17}", class_="tick middle")
        for tick in ticks
    ]
    for place, line in enumerate(lines):
        y = _TOP + LINE_PX * place
        label = element("text", for_html(line.name), x=_LEFT, y=y + 12, class_="label")
        group = element("title", for_html(line.told)) + line.marks
        parts.append(label + element("g", group, transform=f"translate(0 {y + 24})"))
    parts.append(f'<line class="axis" x1="{left}" y1="{bottom}" x2="{right}" y2="{bottom}"/>')
    parts.append(
        element("text", for_html(name), x=f"{(left + right) / 2:.1f}", y=f"{height - 6}", class_="name middle")
    )
    described = element("title", for_html(title)) + element("desc", for_html("; ".join(line.told for line in lines)))
    return element(
        "svg", described + "".join(parts), viewBox=f"0 0 {width} {height}", role="img", width=width, aria_label=title
    )


def dot(x: float, class_: str) -> str:
    """A mark of a role."""
    return f'<circle class="{class_}" cx="{x:.1f}" cy="0" r="5"/>'


def bar(start: float, end: float, class_: str) -> str:
    """A line between two marks."""
    return f'<line class="{class_}" x1="{start:.1f}" y1="0" x2="{end:.1f}" y2="0"/>'
