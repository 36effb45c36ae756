"""Where the names of points stand in a drawing: beside them, over as little else as can be, else led to by a line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from distill.report.drawing import Box, line, words

_FONT_PX = 12
_LETTER_PX = 7.0


class Spot(NamedTuple):
    """A point in pixels and the ends of its upright bar. Attributes: name: "" for one that only keeps its place."""

    name: str
    x: float
    y: float
    high: float
    low: float


def point_labels(spots: Sequence[Spot], box: Box) -> list[str]:
    """The names as SVG, those of the topmost points placed first. Args: box: that they stay in."""
    taken = [_around(spot) for spot in spots]
    bars = [Box(spot.x - 2, spot.high, spot.x + 2, spot.low) for spot in spots]
    labels = []
    for spot in sorted((spot for spot in spots if spot.name), key=lambda spot: spot.y):
        place = min(_places(spot), key=lambda place: _cost(place, taken, bars, box, spot))
        taken.append(place)
        centre = (place.top + place.bottom) / 2
        edge, anchor = (place.right, "label end") if place.right < spot.x else (place.left, "label")
        leader = line(spot.x, spot.y, edge, centre, "leader") if abs(centre - spot.y) > _FONT_PX else ""
        labels.append(leader + words(edge, centre + 4, spot.name, anchor))
    return labels


def _places(spot: Spot) -> list[Box]:
    width = len(spot.name) * _LETTER_PX
    shifts = (0, -16, 16, -32, 32, -48, 48, -64, 64)
    lefts = (spot.x + 12, spot.x - 12 - width)
    return [Box(left, spot.y + dy - 8, left + width, spot.y + dy + 8) for dy in shifts for left in lefts]


def _cost(place: Box, taken: Sequence[Box], bars: Sequence[Box], box: Box, spot: Spot) -> float:
    inside = place.overlap(box)
    area = (place.right - place.left) * (place.bottom - place.top)
    hidden = sum(place.overlap(other) for other in taken) + 0.5 * sum(place.overlap(other) for other in bars)
    distance = abs((place.top + place.bottom) / 2 - spot.y) + (4 if place.right < spot.x else 0)
    return 100 * (area - inside) + 10 * hidden + distance


def _around(spot: Spot, radius: float = 8) -> Box:
    return Box(spot.x - radius, spot.y - radius, spot.x + radius, spot.y + radius)
