"""The sides of rows, each once, to make pairs of: in an order that does not depend on files or rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from distill.core.intake.compared_text import compared, side_texts
from distill.core.intake.hashing import digest
from distill.core.intake.held_out import HeldOut, wording
from distill.core.intake.pairing import left_fields, left_keys
from distill.core.project import Project
from distill.core.records import Record


@dataclass
class Side:
    """One side.

    Attributes:
        name: hash of its texts. fields: column path to text. keys: key path to value, of this side.
        slice: of the row; of several rows with this side the first in the alphabet counts, as for keys.
        text: of the card, as it is compared. title: wording of the card's first field. all_keys: of all those rows.
        documents: the side's texts in the views, to be compared with those of other rows.
    """

    name: int
    fields: Mapping[str, str]
    keys: Mapping[str, str]
    slice: str | None
    text: str
    title: str
    all_keys: set[str]
    documents: tuple[str, ...]

    def is_same(self, other: Side) -> bool:
        """Whether both are about one thing: a key in common, or the same title."""
        return bool(self.title and self.title == other.title) or not self.all_keys.isdisjoint(other.all_keys)

    def is_itself(self, other: Side) -> bool:
        """Whether the other one is this one on the other side: equal texts, and a key in common or none at all."""
        no_keys = not self.all_keys and not other.all_keys
        equal = (self.text, self.documents) == (other.text, other.documents)
        return equal and (no_keys or not self.all_keys.isdisjoint(other.all_keys))


class Sides:
    """The left and the right sides of rows, and which of them are a pair already.

    Raises: as `left_keys`.
    Attributes: lefts, rights: by name, in its order, once `finish` was called. partners: names of a left side and a
        right one that some row joins.
    """

    def __init__(self, project: Project) -> None:
        self._views = [project.views[name] for name in ("card", "document")]
        self._left_fields, self._left_keys = left_fields(project), left_keys(project)
        self.lefts: dict[int, Side] = {}
        self.rights: dict[int, Side] = {}
        self.partners: set[tuple[int, int]] = set()

    def add(self, records: Iterable[Record]) -> None:
        """Take rows apart; a side without text on the card is no side."""
        for record in records:
            left, right = self._side(record, 0), self._side(record, 1)
            for side, known in ((left, self.lefts), (right, self.rights)):
                if side.text:
                    _enter(side, known)
            self.partners.add((left.name, right.name))

    def finish(self, held_out: HeldOut) -> list[tuple[str, str]]:
        """Leave out what validation and test rows have; returns the reason and the text of each side left out."""
        gone: list[tuple[str, str]] = []
        for sides in (self.lefts, self.rights):
            for name in sorted(sides):
                side = sides.pop(name)
                split = held_out.split_of(side.all_keys, (side.text, *side.documents))
                if split is None:
                    sides[name] = side
                else:
                    gone.append((f"side_in_{split}", side.text))
        return gone

    def _side(self, record: Record, which: int) -> Side:
        """The left side, 0, or the right one, 1."""
        fields = {path: text for path, text in record.fields.items() if (path in self._left_fields) == (which == 0)}
        keys = {path: value for path, value in record.keys.items() if (path in self._left_keys) == (which == 0)}
        card, document = (side_texts(record, view)[which] for view in self._views)
        path = (self._views[0].left, self._views[0].right)[which][0]
        return Side(
            name=digest(str(which), *map(compared, fields.values())),
            fields=fields,
            keys=keys,
            slice=record.slice,
            text=card,
            title=wording(compared(record.fields[path])),
            all_keys={value for value in keys.values() if value},
            documents=(document,),
        )


def _enter(side: Side, known: dict[int, Side]) -> None:
    """Add a side, or what this row says of one that is known; which of the rows came first does not matter."""
    other = known.setdefault(side.name, side)
    if other is side:
        return
    first = min(other, side, key=_order)
    first.all_keys = other.all_keys | side.all_keys
    known[side.name] = first


def _order(side: Side) -> tuple[Sequence[str], Sequence[str], str]:
    return [*side.keys.values()], [*side.fields.values()], side.slice or ""
