"""Inline SVG: quality against latency, and histograms of token lengths; the page's style gives colours and fonts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from distill.core.files import Json
from distill.core.output import for_html
from distill.report import formats, scales
from distill.report.contents import Report, dig, latency_of, positive_label
from distill.report.drawing import Box, Frame, axes, line, svg, words
from distill.report.markup import element
from distill.report.point_labels import Spot, point_labels
from distill.report.scales import Scale
from distill.report.table_model import model_rows

MARKS = {"teacher": "Teacher", "student": "Student", "baseline": "Baseline", "artifact": "Exported artifact"}


@dataclass(frozen=True)
class Point:
    """A measured model: p50 in ms at batch 1, quality in percent and its interval; p99, or else p95, where known."""

    name: str
    role: str
    p50_ms: float
    quality: float
    interval: tuple[float, float]
    tail_ms: float | None = None


def quality_name(report: Report) -> str:
    """What the vertical axis shows: F1 of the positive class, or macro F1 where the task has none; as in the tables."""
    label = positive_label(report)
    return "Macro F1, %" if label is None else f"F1 of “{label}”, %"


def measured_points(report: Report) -> list[Point]:
    """One point per latency row at batch 1 whose model has a quality figure."""
    rows = {row.name: row for row in model_rows(report)}
    points = []
    for latency in latency_of(report):
        row, p50 = rows.get(str(latency.model)), formats.number(latency.p50_ms)
        if row is None or p50 is None or p50 <= 0 or not latency.single:
            continue
        figure = _figure(row.quality, positive_label(report))
        if figure is not None:
            tail = formats.number(latency.p99_ms) or formats.number(latency.p95_ms)
            points.append(Point(row.name, str(row.model.role), p50, *figure, tail))
    return points


def pareto_front(points: Sequence[Point]) -> list[Point]:
    """The points than which none is both at least as fast and better, the fastest first."""
    front: list[Point] = []
    for point in sorted(points, key=lambda point: (point.p50_ms, -point.quality)):
        if not front or point.quality > front[-1].quality:
            front.append(point)
    return front


def scatter(points: Sequence[Point], axis: str, width: int = 960, height: int = 440) -> str:
    """Quality over p50 latency (logarithmic) as SVG: named points, the front, and the best teacher dashed.

    A point's bars are the interval of its quality, and its latency from p50 to the tail.
    """
    if not points:
        return ""
    frame = Frame(width, height)
    box = frame.box
    low_high = scales.padded_range([value for point in points for value in point.interval], least=0.5)
    fastest_slowest = scales.log_range([ms for point in points for ms in (point.p50_ms, point.tail_ms or point.p50_ms)])
    x, y = scales.logarithmic(*fastest_slowest, box.left, box.right), scales.linear(*low_high, box.bottom, box.top)
    parts = [
        axes(
            frame,
            (x, scales.log_ticks(*fastest_slowest)),
            (y, [share for share in scales.round_ticks(*low_high, about=7) if share <= 100]),
            "p50 latency at batch 1, ms",
            axis,
        ),
        _teacher_line(points, box, y),
        _front(pareto_front(points), x, y),
        *(_marker(point, x, y) for point in points),
        *point_labels([_spot(point, x, y) for point in points], box),
    ]
    title = f"{axis} over p50 latency"
    text = "; ".join(f"{point.name}: {point.p50_ms:.3g} ms, {point.quality:.2f}" for point in points)
    return svg("".join(parts), frame, title, text)


def _spot(point: Point, x: Scale, y: Scale) -> Spot:
    low, high = point.interval
    return Spot(point.name, x(point.p50_ms), y(point.quality), y(high), y(low))


def histogram(
    edges: Sequence[float],
    counts: Sequence[float],
    title: str,
    marks: dict[str, float],
    width: int = 360,
    height: int = 220,
) -> str:
    """A histogram as SVG.

    Args: edges: rising, one more than counts. marks: values to point out on the axis by name, such as the median.
    """
    if len(edges) != len(counts) + 1 or not counts or max(counts) <= 0:
        return ""
    frame = Frame(width, height, left=8, top=24 + 16 * max(len(marks), 1), bottom=40)
    box = frame.box
    x, y = scales.linear(edges[0], edges[-1], box.left, box.right), scales.linear(0, max(counts), box.bottom, box.top)
    ticks = scales.round_ticks(edges[0], edges[-1])
    bars = [_bar(x, y, edges[index], edges[index + 1], count) for index, count in enumerate(counts)]
    text = "; ".join(
        f"{edges[index]:g} to {edges[index + 1]:g}: {count:g}" for index, count in enumerate(counts) if count
    )
    body = axes(frame, (x, ticks), (y, []), "tokens", "") + "".join(bars) + _marks(marks, x, box, edges)
    return svg(body, frame, title, text)


def _figure(quality: Json, label: str | None) -> tuple[float, tuple[float, float]] | None:
    of_class = dig(quality, "per_class", str(label))
    value = quality.get("f1_macro") if label is None else of_class.get("f1")
    share = formats.number(value)
    if share is None:
        return None
    low, high = formats.bounds(value if label is None else of_class.get("f1_interval")) or (share, share)
    return 100 * share, (100 * low, 100 * high)


def _teacher_line(points: Sequence[Point], box: Box, y: Scale) -> str:
    teachers = [point.quality for point in points if point.role == "teacher"]
    return line(box.left, y(max(teachers)), box.right, y(max(teachers)), "reference") if teachers else ""


def _front(front: Sequence[Point], x: Scale, y: Scale) -> str:
    path = " ".join(f"{x(point.p50_ms):.1f},{y(point.quality):.1f}" for point in front)
    return f'<polyline class="front" points="{path}"/>' if len(front) > 1 else ""


def _marker(point: Point, x: Scale, y: Scale) -> str:
    (low, high), at = point.interval, x(point.p50_ms)
    bars = line(at, y(low), at, y(high), "error")
    if point.tail_ms:
        bars += line(at, y(point.quality), x(point.tail_ms), y(point.quality), "error")
    tail = f", tail {point.tail_ms:.3g} ms" if point.tail_ms else ""
    shown = f"{point.name}: {point.quality:.2f} ({low:.1f}–{high:.1f}) at {point.p50_ms:.3g} ms{tail}"
    mark = _shape(point.role, at, y(point.quality))
    return element("g", element("title", for_html(shown)) + bars + mark, class_=f"point {_role_class(point.role)}")


def _shape(role: str, x: float, y: float) -> str:
    if role == "teacher":
        return f'<path d="M{x:.1f} {y - 7.5:.1f}l7.5 7.5l-7.5 7.5l-7.5 -7.5z"/>'
    if role == "baseline":
        return f'<rect x="{x - 5:.1f}" y="{y - 5:.1f}" width="10" height="10"/>'
    if role == "artifact":
        return f'<path d="M{x:.1f} {y - 7:.1f}l6.5 11.5h-13z"/>'
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5.5"/>'


def legend(points: Sequence[Point]) -> str:
    """The marks in use, each with its role."""
    roles = [role for role in MARKS if any(point.role == role for point in points)]
    icons = (
        f'<svg viewBox="-9 -9 18 18" width="18" aria-hidden="true"><g class="{role}">{_shape(role, 0, 0)}</g></svg>'
        for role in roles
    )
    return element(
        "p",
        "".join(element("span", icon + for_html(MARKS[role])) for role, icon in zip(roles, icons, strict=True)),
        class_="legend",
    )


def _bar(x: Scale, y: Scale, low: float, high: float, count: float) -> str:
    shown = element("title", for_html(f"{low:g}–{high:g} tokens: {count:g}"))
    width = max(x(high) - x(low) - 1, 0.5)
    place = f'x="{x(low):.1f}" y="{y(count):.1f}" width="{width:.1f}" height="{y(0) - y(count):.1f}"'
    return f'<rect class="bar" {place}>{shown}</rect>'


def _marks(marks: dict[str, float], x: Scale, box: Box, edges: Sequence[float]) -> str:
    parts = []
    for row, (name, value) in enumerate(marks.items()):
        if edges[0] <= value <= edges[-1]:
            top = box.top - 4 - 16 * (len(marks) - 1 - row)
            side, shift = ("end", -4) if x(value) > (box.left + box.right) / 2 else ("", 4)
            parts += [line(x(value), top - 12, x(value), box.bottom, "reference")]
            parts += [words(x(value) + shift, top, f"{name} {value:g}", f"tick {side}")]
    return "".join(parts)


def _role_class(role: str) -> str:
    return role if role in MARKS else "student"
