"""New pairs for the pool from what users have: the sides of training rows, of further products and pages, paired anew.

Each left side is joined to right sides of four kinds: `exact`, `neighbours`, `hard`, `random`. No side that a
validation or test row has, by key or by wording, is used, so a made pool tells nothing of what models are judged by.
What is made depends on the rows alone, not on their order or on that of the files.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice

from distill.core.intake.config import MadePairs
from distill.core.intake.hashing import digest
from distill.core.intake.nearest import TextIndex
from distill.core.intake.sides import Side, Sides
from distill.core.progress import progress
from distill.core.records import Record

_DRAWS = 8  # tries to find a right side at random that the left one is not paired with yet
_SPARE = 16  # neighbours looked at beyond those that are asked for: pairs that are there already, equal keys


def made_pairs(config: MadePairs, sides: Sides, seed: int, order: Sequence[str]) -> Iterator[Record | str]:
    """The pairs as records, left side by left side; for a left side without any its text.

    Args: sides: finished. seed: where the config has none. order: of the fields in a record. Ids are hashes of the
        texts.
    """
    lefts = list(sides.lefts.values())
    choice = _Choice(config, sides, seed if config.seed is None else config.seed)
    with progress("pairing sides", len(lefts)) as advance:
        for number, (left, rights) in enumerate(zip(lefts, choice.of(lefts), strict=True), 1):
            advance(number)
            if not rights:
                yield left.text
            yield from (_joined(left, right, order) for right in rights)


class _Choice:
    """Chooses the right sides of left ones."""

    def __init__(self, config: MadePairs, sides: Sides, seed: int) -> None:
        self._config, self._seed, self._partners = config, str(seed), sides.partners
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
        config = self._config
        wanted = config.exact + config.neighbours + config.hard
        depth = wanted + _SPARE if config.neighbours + config.hard else 0
        nearest = self._index.nearest([side.text for side in lefts], depth) if depth else ([] for _ in lefts)
        for left, found in zip(lefts, nearest, strict=True):
            yield self._rights_of(left, [self._rights[index] for index in found])

    def _rights_of(self, left: Side, nearest: Sequence[Side]) -> list[Side]:
        config, chosen = self._config, dict[int, Side]()
        self._take(left, self._equal(left), config.exact, chosen)
        self._take(left, nearest, config.neighbours, chosen)
        self._take(left, (side for side in nearest if not left.is_same(side)), config.hard, chosen)
        if self._rights:
            self._take(left, self._drawn(left), config.random, chosen)
        return list(chosen.values())

    def _take(self, left: Side, sides: Iterable[Side], count: int, chosen: dict[int, Side]) -> None:
        """Choose the first `count` sides that the left one is not paired with yet."""
        wanted = len(chosen) + count
        for side in sides:
            if len(chosen) >= wanted:
                return
            known = side.name in chosen or (left.name, side.name) in self._partners or left.is_itself(side)
            if not known:
                chosen[side.name] = side

    def _equal(self, left: Side) -> Iterator[Side]:
        """The right sides with the left one's key or title, from a place on that is its own."""
        for mark in _marks(left):
            found = self._same.get(mark, [])
            first = left.name % len(found) if found else 0
            yield from chain(islice(found, first, None), islice(found, first))

    def _drawn(self, left: Side) -> Iterator[Side]:
        for draw in range(self._config.random * _DRAWS):
            yield self._rights[digest(self._seed, "random", str(left.name), str(draw)) % len(self._rights)]


def _marks(side: Side) -> list[str]:
    """What sides about one thing have in common: a key, or the title."""
    return [*(f"key {key}" for key in sorted(side.all_keys)), *([f"title {side.title}"] if side.title else [])]


def _joined(left: Side, right: Side, order: Sequence[str]) -> Record:
    both = {**left.fields, **right.fields}
    fields = {path: both[path] for path in order}
    return Record(f"{digest(*fields.values()):016x}", fields, None, left.slice, {**left.keys, **right.keys})
