"""Inline SVG: how often a model is right where it says how sure it is, and how many decisions say so."""

from __future__ import annotations

from distill.core.files import Json
from distill.core.output import for_html
from distill.report import formats, scales
from distill.report.contents import Report, dig, entries
from distill.report.drawing import Frame, axes, svg
from distill.report.markup import element

NOTE = (
    "On the dashed line a model is right as often as it says, under it less often. After the temperature, on all test "
    "rows; the area of a dot is its share of the decisions."
)
_SMALLEST, _LARGEST = 2.0, 14.0  # radius in pixels


def bins_of(report: Report) -> dict[str, list[Json]]:
    """The bins of each model."""
    return {str(name): entries(dig(report, "reliability"), name) for name in dig(report, "reliability")}


def figure(name: str, bins: list[Json], width: int = 320, height: int = 260) -> str:
    """The drawing of one model with its caption; nothing without bins."""
    points = _points(bins)
    if not points:
        return ""
    frame = Frame(width, height)
    box, least = frame.box, min(min(said, right) for said, right, _ in points)
    low = max(0.0, 20 * (least // 20))
    x, y = scales.linear(low, 100, box.left, box.right), scales.linear(low, 100, box.bottom, box.top)
    ticks = scales.round_ticks(low, 100)
    all_ = sum(count for *_, count in points)
    diagonal = f'<line class="reference" x1="{x(low):.1f}" y1="{y(low):.1f}" x2="{x(100):.1f}" y2="{y(100):.1f}"/>'
    path = " ".join(f"{x(said):.1f},{y(right):.1f}" for said, right, _ in points)
    dots = "".join(_dot(point, all_, x, y) for point in points)
    body = axes(frame, (x, ticks), (y, ticks), "says, %", "right, %") + diagonal
    body += f'<polyline class="curve" points="{path}"/>{dots}'
    text = "; ".join(f"says {said:.1f}%, right {right:.1f}%, {count:g} decisions" for said, right, count in points)
    return element("figure", svg(body, frame, f"Reliability of {name}", text) + element("figcaption", for_html(name)))


def _points(bins: list[Json]) -> list[tuple[float, float, float]]:
    """Confidence and share right in percent, and decisions, of each bin that has all three."""
    found = []
    for one in bins:
        said, right, count = (formats.number(one.get(key)) for key in ("confidence", "right", "decisions"))
        if said is not None and right is not None and count:
            found.append((100 * said, 100 * right, count))
    return found


def _dot(point: tuple[float, float, float], all_: float, x: scales.Scale, y: scales.Scale) -> str:
    said, right, count = point
    radius = max(_SMALLEST, _LARGEST * (count / all_) ** 0.5)
    told = element("title", for_html(f"says {said:.1f}%, right {right:.1f}%: {formats.integer(count)} decisions"))
    return f'<circle class="bin" cx="{x(said):.1f}" cy="{y(right):.1f}" r="{radius:.1f}">{told}</circle>'
