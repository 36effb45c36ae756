"""What drawings are made of: the finished SVG, its axes, lines and texts; the page's style gives colours and fonts."""

from __future__ import annotations

from dataclasses import dataclass

from distill.core.output import for_html
from distill.report.markup import element
from distill.report.scales import Scale


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
    parts = [line(box.left, y(tick), box.right, y(tick), "grid") for tick in y_ticks]
    parts += [words(box.left - 8, y(tick) + 4, f"{tick:g}", "tick end") for tick in y_ticks]
    parts += [line(x(tick), box.bottom, x(tick), box.bottom + 5, "axis") for tick in x_ticks]
    parts += [words(x(tick), box.bottom + 19, f"{tick:g}", "tick middle") for tick in x_ticks]
    parts += [line(box.left, box.bottom, box.right, box.bottom, "axis")]
    parts += [words((box.left + box.right) / 2, frame.height - 6, x_name, "name middle")]
    return "".join(parts) + (words(4, box.top - 16, y_name, "name") if y_name else "")


def line(x1: float, y1: float, x2: float, y2: float, class_: str) -> str:
    """A straight line. Args: class_: of the page's style."""
    return f'<line class="{class_}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def words(x: float, y: float, text: str, class_: str) -> str:
    """A text. Args: class_: of the page's style."""
    return element("text", for_html(text), x=f"{x:.1f}", y=f"{y:.1f}", class_=class_.strip())
