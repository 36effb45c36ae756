"""Inline SVG: quality against the share of records that is sent on, beside sending as many at random."""

from __future__ import annotations

from distill.core.output import for_html
from distill.evaluation.entries import FallThroughCurve
from distill.report import formats, scales
from distill.report.drawing import Frame, axes, svg
from distill.report.fall_through_table import FIGURES, sent_rows
from distill.report.markup import element

_Point = tuple[float, float, tuple[float, float]]


def fall_through_plot(curve: FallThroughCurve) -> str:
    """The curve of the figure that the share was chosen by; empty under three points that were measured.

    Both ends are joined by a dashed line: what sending at random comes to, but for the curve of an F1 in between.
    """
    points = _points(curve)
    if len(points) < 3:
        return ""
    frame, name = Frame(370, 240), FIGURES.get(str(curve.judged_by), "Quality")
    low_high = scales.padded_range([end for _, _, ends in points for end in ends], least=0.5)
    x = scales.linear(0, 100, frame.box.left, frame.box.right)
    y = scales.linear(*low_high, frame.box.bottom, frame.box.top)
    ticks = (x, scales.round_ticks(0, 100)), (y, [one for one in scales.round_ticks(*low_high) if one <= 100])
    path = " ".join(f"{x(share):.1f},{y(value):.1f}" for share, value, _ in points)
    ends = " ".join(f"{x(share):.1f},{y(value):.1f}" for share, value, _ in (points[0], points[-1]))
    lines = f'<polyline class="curve valid" points="{ends}"/><polyline class="curve" points="{path}"/>'
    body = (
        axes(frame, *ticks, "sent on, % of records", f"{name}, %") + lines + "".join(_marker(p, x, y) for p in points)
    )
    text = "; ".join(f"{share:.1f}% sent on: {value:.2f}" for share, value, _ in points)
    return svg(body, frame, f"{name} of {curve.model} over the share that is sent on", text)


def _points(curve: FallThroughCurve) -> list[_Point]:
    """Share sent, figure and interval in percent, of each row that has them."""
    found = []
    for one in sent_rows(curve):
        row = one.of(curve.judged_by)
        share, value = formats.number(row.get("sent")), formats.number(row.get(str(curve.judged_by)))
        if share is not None and value is not None:
            low, high = formats.bounds(row.get(str(curve.judged_by))) or (value, value)
            found.append((100 * share, 100 * value, (100 * low, 100 * high)))
    return sorted(found)


def _marker(point: _Point, x: scales.Scale, y: scales.Scale) -> str:
    share, value, (low, high) = point
    bar = f'<line class="error" x1="{x(share):.1f}" y1="{y(low):.1f}" x2="{x(share):.1f}" y2="{y(high):.1f}"/>'
    dot = f'<circle cx="{x(share):.1f}" cy="{y(value):.1f}" r="3.5"/>'
    shown = f"{share:.1f}% sent on: {value:.2f} ({low:.1f}–{high:.1f})"
    return element("g", element("title", for_html(shown)) + bar + dot, class_="point student")
