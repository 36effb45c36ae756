"""Quality over what a request costs, both with intervals; the points that no other one beats are joined."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from distill.core.files import Json
from distill.core.output import for_html
from distill.evaluation.direction import unit
from distill.report import formats, scales
from distill.report.drawing import Frame, axes, line, svg
from distill.report.markup import element
from distill.report.point_labels import Spot, point_labels
from distill.report.scales import Scale

_FEW = 8
"""Points of which each is named."""


class Mark(NamedTuple):
    """A point. Attributes: cost, quality: `{"value", "low", "high"}`. front: whether no other one beats it."""

    name: str
    cost: Json
    quality: Json
    front: bool


@dataclass(frozen=True)
class _Placed:
    """A mark with its figures: value, low and high of its cost, and of its quality in the metric's unit."""

    mark: Mark
    cost: list[float]
    quality: list[float]


def cost_plot(marks: Sequence[Mark], metric: str, cost: str, bound: float | None = None) -> str:
    """The figure as finished HTML, for wide and for narrow screens; empty without figures.

    Points that no other one beats are named; where there are few, all are.

    Args: cost: name of the horizontal axis. bound: drawn as an upright line.
    """
    scale = unit(metric)[0]
    placed = [_Placed(mark, _ends(mark.cost, 1), _ends(mark.quality, scale)) for mark in marks]
    known = [one for one in placed if one.cost and one.quality]
    if not known:
        return ""
    counted = "log loss" if metric == "log_loss" else "%"
    drawn = (
        element("div", _drawing(known, Frame(*size), (cost, counted), bound), class_=name)
        for name, size in (("wide", (960, 400)), ("narrow", (370, 400)))
    )
    edge = f"; the upright line is the bound, {bound:g} ms" if bound else ""
    note = f"Quality on validation over {cost}, with 95% intervals; the line joins those that no other one beats{edge}."
    return element("figure", "".join(drawn) + element("figcaption", for_html(note)))


def _drawing(known: Sequence[_Placed], frame: Frame, names: tuple[str, str], bound: float | None) -> str:
    across = scales.log_range([ms for one in known for ms in one.cost] + ([bound] if bound else []))
    up = scales.padded_range([share for one in known for share in one.quality], least=0.5)
    x = scales.logarithmic(*across, frame.box.left, frame.box.right)
    y = scales.linear(*up, frame.box.bottom, frame.box.top)
    body = axes(frame, (x, scales.log_ticks(*across)), (y, scales.round_ticks(*up, about=5)), *names)
    if bound:
        body += line(x(bound), frame.box.top, x(bound), frame.box.bottom, "reference")
    ahead = sorted((x(one.cost[0]), y(one.quality[0])) for one in known if one.mark.front)
    if len(ahead) > 1:
        body += f'<polyline class="front" points="{" ".join(f"{a:.1f},{b:.1f}" for a, b in ahead)}"/>'
    body += "".join(_point(one, x, y) for one in known)
    body += "".join(point_labels([_spot(one, x, y, len(known) <= _FEW) for one in known], frame.box))
    told = "; ".join(f"{one.mark.name}: {one.cost[0]:.3g}, {one.quality[0]:.2f}" for one in known)
    return svg(body, frame, f"Quality over {names[0]}", told)


def _ends(figure: Json, scale: float) -> list[float]:
    """Value, low and high; nothing where it is not known."""
    value = formats.number(figure)
    if value is None:
        return []
    low, high = formats.bounds(figure) or (value, value)
    return [scale * value, scale * low, scale * high]


def _point(one: _Placed, x: Scale, y: Scale) -> str:
    (at, left, right), (up, low, high) = map(x, one.cost), map(y, one.quality)
    bars = line(left, up, right, up, "error") + line(at, low, at, high, "error")
    title = element("title", for_html(f"{one.mark.name}: {one.cost[0]:.3g}, {one.quality[0]:.2f}"))
    circle = f'<circle class="kept" cx="{at:.1f}" cy="{up:.1f}" r="{5 if one.mark.front else 3}">{title}</circle>'
    return element("g", bars + circle, class_="point student")


def _spot(one: _Placed, x: Scale, y: Scale, every: bool) -> Spot:
    (value, low, high), named = one.quality, every or one.mark.front
    return Spot(one.mark.name if named else "", x(one.cost[0]), y(value), y(high), y(low))
