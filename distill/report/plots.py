"""Inline SVG: quality against latency, and histograms of token lengths; the page's style gives colours and fonts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from distill.core.files import Json
from distill.core.output import for_html
from distill.report import formats, scales
from distill.report.contents import Report, dig, latency_of, positive_label
from distill.report.markup import element
from distill.report.scales import Scale
from distill.report.table_model import model_rows

MARKS = {"teacher": "Teacher", "student": "Student", "baseline": "Baseline", "artifact": "Exported artifact"}
_FONT_PX = 12
_LETTER_PX = 7.0


@dataclass(frozen=True)
class Point:
    """A measured model: p50 in ms at batch 1, quality in percent and its interval; p99, or else p95, where known."""

    name: str
    role: str
    p50_ms: float
    quality: float
    interval: tuple[float, float]
    tail_ms: float | None = None


@dataclass(frozen=True)
class Box:
    """A rectangle in pixels that a label may not cover."""

    left: float
    top: float
    right: float
    bottom: float

    def overlap(self, other: Box) -> float:
        """Shared area in square pixels."""
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.bottom, other.bottom) - max(self.top, other.top)
        return max(width, 0.0) * max(height, 0.0)


@dataclass(frozen=True)
class Frame:
    """The plotting area inside an SVG of `width` × `height` pixels."""

    width: int
    height: int
    left: int = 46
    top: int = 30
    right: int = 14
    bottom: int = 44

    @property
    def box(self) -> Box:
        """The rectangle between the axes."""
        return Box(self.left, self.top, self.width - self.right, self.height - self.bottom)


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
        *_labels(points, x, y, box),
    ]
    title = f"{axis} over p50 latency"
    text = "; ".join(f"{point.name}: {point.p50_ms:.3g} ms, {point.quality:.2f}" for point in points)
    return svg("".join(parts), frame, title, text)


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


def svg(body: str, frame: Frame, title: str, text: str) -> str:
    """A finished drawing. Args: title, text: what it shows, for those who cannot see it."""
    described = element("title", for_html(title)) + element("desc", for_html(text))
    return element(
        "svg",
        described + body,
        viewBox=f"0 0 {frame.width} {frame.height}",
        role="img",
        width=frame.width,
        aria_label=title,
    )


def axes(
    frame: Frame, across: tuple[Scale, list[float]], up: tuple[Scale, list[float]], x_name: str, y_name: str
) -> str:
    """Both axes of a frame. Args: across, up: scale and ticks of each. x_name, y_name: what they measure."""
    (x, x_ticks), (y, y_ticks), box = across, up, frame.box
    parts = [_line(box.left, y(tick), box.right, y(tick), "grid") for tick in y_ticks]
    parts += [_text(box.left - 8, y(tick) + 4, f"{tick:g}", "tick end") for tick in y_ticks]
    parts += [_line(x(tick), box.bottom, x(tick), box.bottom + 5, "axis") for tick in x_ticks]
    parts += [_text(x(tick), box.bottom + 19, f"{tick:g}", "tick middle") for tick in x_ticks]
    parts += [_line(box.left, box.bottom, box.right, box.bottom, "axis")]
    parts += [_text((box.left + box.right) / 2, frame.height - 6, x_name, "name middle")]
    return "".join(parts) + (_text(4, box.top - 16, y_name, "name") if y_name else "")


def _teacher_line(points: Sequence[Point], box: Box, y: Scale) -> str:
    teachers = [point.quality for point in points if point.role == "teacher"]
    return _line(box.left, y(max(teachers)), box.right, y(max(teachers)), "reference") if teachers else ""


def _front(front: Sequence[Point], x: Scale, y: Scale) -> str:
    path = " ".join(f"{x(point.p50_ms):.1f},{y(point.quality):.1f}" for point in front)
    return f'<polyline class="front" points="{path}"/>' if len(front) > 1 else ""


def _marker(point: Point, x: Scale, y: Scale) -> str:
    (low, high), at = point.interval, x(point.p50_ms)
    bars = _line(at, y(low), at, y(high), "error")
    if point.tail_ms:
        bars += _line(at, y(point.quality), x(point.tail_ms), y(point.quality), "error")
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


def _labels(points: Sequence[Point], x: Scale, y: Scale, box: Box) -> list[str]:
    taken = [_around(x(point.p50_ms), y(point.quality)) for point in points]
    bars = [_error_box(x(point.p50_ms), y, point) for point in points]
    labels = []
    for point in sorted(points, key=lambda point: -point.quality):
        px, py = x(point.p50_ms), y(point.quality)
        place = min(
            _places(px, py, len(point.name) * _LETTER_PX), key=lambda place: _cost(place, taken, bars, box, px, py)
        )
        taken.append(place)
        centre = (place.top + place.bottom) / 2
        edge, anchor = (place.right, "label end") if place.right < px else (place.left, "label")
        leader = _line(px, py, edge, centre, "leader") if abs(centre - py) > _FONT_PX else ""
        labels.append(leader + _text(edge, centre + 4, point.name, anchor))
    return labels


def _places(x: float, y: float, width: float) -> list[Box]:
    shifts = (0, -16, 16, -32, 32, -48, 48, -64, 64)
    lefts = (x + 12, x - 12 - width)
    return [Box(left, y + dy - 8, left + width, y + dy + 8) for dy in shifts for left in lefts]


def _cost(place: Box, taken: list[Box], bars: list[Box], box: Box, x: float, y: float) -> float:
    inside = place.overlap(box)
    area = (place.right - place.left) * (place.bottom - place.top)
    hidden = sum(place.overlap(other) for other in taken) + 0.5 * sum(place.overlap(other) for other in bars)
    distance = abs((place.top + place.bottom) / 2 - y) + (4 if place.right < x else 0)
    return 100 * (area - inside) + 10 * hidden + distance


def _around(x: float, y: float, radius: float = 8) -> Box:
    return Box(x - radius, y - radius, x + radius, y + radius)


def _error_box(x: float, y: Scale, point: Point) -> Box:
    return Box(x - 2, y(point.interval[1]), x + 2, y(point.interval[0]))


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
            parts += [_line(x(value), top - 12, x(value), box.bottom, "reference")]
            parts += [_text(x(value) + shift, top, f"{name} {value:g}", f"tick {side}")]
    return "".join(parts)


def _role_class(role: str) -> str:
    return role if role in MARKS else "student"


def _line(x1: float, y1: float, x2: float, y2: float, class_: str) -> str:
    return f'<line class="{class_}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def _text(x: float, y: float, text: str, class_: str) -> str:
    return element("text", for_html(text), x=f"{x:.1f}", y=f"{y:.1f}", class_=class_.strip())
