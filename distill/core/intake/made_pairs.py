"""New pairs for the pool from what users have: the sides of training rows, of further products and pages, paired anew.

Each left side is joined to right sides of four kinds: `exact`, `neighbours`, `hard`, `random`. No side that a
validation or test row has, by key or by wording, is used, so a made pool tells nothing of what models are judged by.
What is made depends on the rows alone, not on their order or on that of the files.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice

from distill.core.intake.config import MadePairs
from distill.core.intake.hashing import digest
from distill.core.intake.nearest import TextIndex
from distill.core.intake.sides import Side, Sides
from distill.core.progress import progress
from distill.core.records import Record

_DRAWS = 8  # tries to find a right side at random that the left one is not paired with yet


def made_pairs(
    config: MadePairs, sides: Sides, seed: int, order: Sequence[str], missing: Counter[str]
) -> Iterator[Record | str]:
    """The pairs as records, left side by left side; for a left side without any its text.

    Args: sides: finished. seed: where the config has none. order: of the fields in a record. missing: takes the pairs
        of each kind that there are no right sides for. Ids are hashes of the texts.
    """
    lefts = list(sides.lefts.values())
    choice = _Choice(config, sides, seed if config.seed is None else config.seed, missing)
    with progress("pairing sides", len(lefts)) as advance:
        for number, (left, rights) in enumerate(zip(lefts, choice.of(lefts), strict=True), 1):
            advance(number)
            if not rights:
                yield left.text
            yield from (_joined(left, right, order) for right in rights)


class _Choice:
    """Chooses the right sides of left ones. Args: missing: kind to the right sides that were not to be found."""

    def __init__(self, config: MadePairs, sides: Sides, seed: int, missing: Counter[str]) -> None:
        self._config, self._seed, self._partners, self._missing = config, str(seed), sides.partners, missing
        self._rights = list(sides.rights.values())
        self._index = TextIndex([side.text for side in self._rights])
        self._same: dict[str, list[Side]] = defaultdict(list)
        for side in self._rights:
            for mark in _marks(side):
                self._same[mark].append(side)
        for found in self._same.values():
            found.sort(key=lambda side: digest(self._seed, "exact", str(side.name)))

    def of(self, lefts: Sequence[Side]) -> Iterator[list[Side]]:
        """The right sides of each left side, those of one kind together."""
        reads = self._config.neighbours + self._config.hard > 0
        ranked = self._index.ranked([side.text for side in lefts]) if reads else (iter(()) for _ in lefts)
        for left, found in zip(lefts, ranked, strict=True):
            yield self._rights_of(left, (self._rights[index] for index in found))

    def _rights_of(self, left: Side, nearest: Iterator[Side]) -> list[Side]:
        """Args: nearest: all right sides like the left one, read as far as it takes."""
        chosen = dict[int, Side]()
        kinds = {
            "exact": self._equal(left),
            "neighbours": nearest,
            "hard": (side for side in nearest if not left.is_same(side)),
            "random": self._drawn(left),
        }
        for kind, sides in kinds.items():
            self._take(left, sides, kind, chosen)
        return list(chosen.values())

    def _take(self, left: Side, sides: Iterable[Side], kind: str, chosen: dict[int, Side]) -> None:
        """Choose as many sides of a kind as are asked for, the first that the left one is not paired with yet."""
        wanted = len(chosen) + getattr(self._config, kind)
        for side in islice((side for side in sides if self._is_new(left, side, chosen)), wanted - len(chosen)):
            chosen[side.name] = side
        if len(chosen) < wanted:
            self._missing[kind] += wanted - len(chosen)

    def _is_new(self, left: Side, side: Side, chosen: dict[int, Side]) -> bool:
        paired = side.name in chosen or (left.name, side.name) in self._partners
        return not paired and not left.is_itself(side)

    def _equal(self, left: Side) -> Iterator[Side]:
        """The right sides with the left one's key or title, from a place on that is its own."""
        for mark in _marks(left):
            yield from _from_place(self._same.get(mark, []), left.name)

    def _drawn(self, left: Side) -> Iterator[Side]:
        """Right sides at random; after some tries all of them, from a place on that is the left one's own."""
        for draw in range(self._config.random * _DRAWS if self._rights else 0):
            yield self._rights[digest(self._seed, "random", str(left.name), str(draw)) % len(self._rights)]
        yield from _from_place(self._rights, left.name)


def _from_place(sides: Sequence[Side], place: int) -> Iterator[Side]:
    """All sides, from a place on that is taken round and round."""
    first = place % len(sides) if sides else 0
    return chain(islice(sides, first, None), islice(sides, first))


def _marks(side: Side) -> list[str]:
    """What sides about one thing have in common: a key, or the title."""
    return [*(f"key {key}" for key in sorted(side.all_keys)), *([f"title {side.title}"] if side.title else [])]


def _joined(left: Side, right: Side, order: Sequence[str]) -> Record:
    both = {**left.fields, **right.fields}
    fields = {path: both[path] for path in order}
    return Record(f"{digest(*fields.values()):016x}", fields, None, left.slice, {**left.keys, **right.keys})
