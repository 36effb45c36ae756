"""How wide the columns of a terminal table may be: names are folded, never cut; what still lacks room goes below."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

GAP = 2
"""Characters between two columns."""
_FEWEST = 14  # characters that a folded column keeps
# A name goes on to the next line after one of these, rather than within a word.
_PIECES = re.compile(r"[^@./:_\s-]*[@./:_\s-]*")


@dataclass(frozen=True)
class Wanted:
    """What a column would take. Attributes: width: in characters. folds: whether its cells may have more lines."""

    width: int
    folds: bool


def blocks(columns: Sequence[Wanted], width: int) -> list[dict[int, int]]:
    """The columns in as few tables as fit into `width`, each as place to width; the first column begins every one."""
    if not columns:
        return []
    found: list[dict[int, int]] = []
    places: list[int] = []
    for place in range(1, len(columns)):
        if places and not _fits([columns[0], *(columns[one] for one in (*places, place))], width):
            found.append(_widths(columns, [0, *places], width))
            places = []
        places.append(place)
    return [*found, _widths(columns, [0, *places], width)]


def folded(text: str, width: int) -> str:
    """A text with line breaks such that no line is longer, at the signs that join its words where there are some."""
    lines = [""]
    for piece in (piece for part in text.split("\n") for piece in (*_PIECES.findall(part), "\n")):
        if piece == "\n":
            lines.append("")
        elif len(lines[-1]) + len(piece.rstrip()) <= width:
            lines[-1] += piece
        else:
            lines = lines if lines[-1] else lines[:-1]
            lines += [piece[start : start + width] for start in range(0, len(piece), width)]
    return "\n".join(line.rstrip() for line in lines[:-1])


def _fits(columns: Sequence[Wanted], width: int) -> bool:
    return sum(map(_least, columns)) + GAP * (len(columns) - 1) <= width


def _least(column: Wanted) -> int:
    return min(column.width, _FEWEST) if column.folds else column.width


def _widths(columns: Sequence[Wanted], places: Sequence[int], width: int) -> dict[int, int]:
    """The widths of one table: the widest column that folds gives way first, as far as it can."""
    found = {place: columns[place].width for place in places}
    while sum(found.values()) + GAP * (len(found) - 1) > width:
        giving = [place for place in places if columns[place].folds and found[place] > _least(columns[place])]
        if not giving:
            break
        found[max(giving, key=lambda place: found[place])] -= 1
    return found
