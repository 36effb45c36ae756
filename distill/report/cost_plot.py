"""Quality over what a request costs, both with intervals; the points that no other one beats are joined."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from distill.core.files import Json
from distill.core.output import for_html
from distill.evaluation.direction import unit
from distill.report import formats, scales
from distill.report.markup import element
from distill.report.plots import Frame, axes, svg


class Mark(NamedTuple):
    """A point. Attributes: cost, quality: `{"value", "low", "high"}`. front: whether no other one beats it."""

    name: str
    cost: Json
    quality: Json
    front: bool


def cost_plot(
    marks: Sequence[Mark], metric: str, cost: str, bound: float | None = None, width: int = 560, height: int = 300
) -> str:
    """The figure as finished HTML; empty without figures. Args: cost: name of the horizontal axis."""
    known = [mark for mark in marks if _ends(mark.cost, 1) and _ends(mark.quality, 1)]
    if not known:
        return ""
    scale = unit(metric)[0]
    costs = [_ends(mark.cost, 1) for mark in known]
    qualities = [_ends(mark.quality, scale) for mark in known]
    frame = Frame(width, height)
    across = scales.log_range([one for ends in costs for one in ends] + ([bound] if bound else []))
    up = scales.padded_range([one for ends in qualities for one in ends], least=0.5)
    x = scales.logarithmic(*across, frame.box.left, frame.box.right)
    y = scales.linear(*up, frame.box.bottom, frame.box.top)
    counted = "log loss" if metric == "log_loss" else "%"
    body = axes(frame, (x, scales.log_ticks(*across)), (y, scales.round_ticks(*up, about=5)), cost, counted)
    if bound:
        at = f"{x(bound):.1f}"
        body += f'<line class="error" x1="{at}" x2="{at}" y1="{frame.box.top:.1f}" y2="{frame.box.bottom:.1f}"/>'
    ahead = sorted((x(c[0]), y(q[0])) for mark, c, q in zip(known, costs, qualities, strict=True) if mark.front)
    body += f'<polyline class="curve" points="{" ".join(f"{a:.1f},{b:.1f}" for a, b in ahead)}"/>'
    body += "".join(
        _mark(mark.name, [x(one) for one in c], [y(one) for one in q], (c[0], q[0]), mark.front)
        for mark, c, q in zip(known, costs, qualities, strict=True)
    )
    told = "; ".join(f"{mark.name}: {c[0]:.3g}, {q[0]:.2f}" for mark, c, q in zip(known, costs, qualities, strict=True))
    drawing = svg(body, frame, f"Quality over {cost}", told)
    edge = f"; the upright line is the bound, {bound:g} ms" if bound else ""
    note = f"Quality on validation over {cost}, with 95% intervals; the line joins those that no other one beats{edge}."
    return element("figure", drawing + element("figcaption", for_html(note)))


def _ends(figure: Json, scale: float) -> list[float]:
    """Value, low and high; nothing where it is not known."""
    value = formats.number(figure)
    if value is None:
        return []
    low, high = formats.bounds(figure) or (value, value)
    return [scale * value, scale * low, scale * high]


def _mark(name: str, x: Sequence[float], y: Sequence[float], told: tuple[float, float], front: bool) -> str:
    (a, left, right), (b, low, high) = x, y
    lines = f'<line class="error" x1="{left:.1f}" x2="{right:.1f}" y1="{b:.1f}" y2="{b:.1f}"/>'
    lines += f'<line class="error" x1="{a:.1f}" x2="{a:.1f}" y1="{low:.1f}" y2="{high:.1f}"/>'
    title = element("title", for_html(f"{name}: {told[0]:.3g}, {told[1]:.2f}"))
    return element(
        "g",
        f'{lines}<circle class="kept" cx="{a:.1f}" cy="{b:.1f}" r="{5 if front else 3}">{title}</circle>',
        class_="point student",
    )
