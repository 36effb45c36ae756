"""New pairs for the pool: each left side with a similar right side of another row, the hard cases to label."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import chain, takewhile

from distill.core.errors import UserError
from distill.core.intake.compared_text import side_texts
from distill.core.intake.hashing import digest
from distill.core.intake.nearest import TextIndex
from distill.core.project import Project
from distill.core.records import Record

NEAREST = range(1, 10)  # the 2nd to the 10th: the nearest one is mostly the same offer again
_WORD = re.compile(r"[A-Z]?[^\W\d_A-Z]+|[A-Z]+|\d+")
_IDENTITY = ("id", "uid", "key", "no", "nr", "number")  # words of keys that say nothing of a side


class NeighbourPairs:
    """Pairs left sides with similar right sides, by TF-IDF cosine of the card's words.

    Args: project: gives views, keys and seed. rights: the rows whose right sides may be chosen; those of equal right
        text count once.
    """

    def __init__(self, project: Project, rights: Sequence[Record]) -> None:
        self._project, self._lefts = project, left_fields(project) | left_keys(project)
        texts: dict[str, Record] = {}
        for record in rights:
            if text := self._sides(record)[1]:
                texts.setdefault(text, record)
        self._texts, self._rights = list(texts), list(texts.values())
        self._index = {text: index for index, text in enumerate(self._texts)}
        self._nearest = TextIndex(self._texts)

    def pair(self, lefts: Sequence[Record]) -> list[Record | None]:
        """The new pair `<left id>~<right id>` of each left row; None where no other right side shares a word."""
        queries = [self._sides(record)[0] for record in lefts]
        ranked = self._nearest.nearest(queries, NEAREST.stop + 1)
        rights = [self._choice(record, found) for record, found in zip(lefts, ranked, strict=True)]
        return [right and self._joined(left, right) for left, right in zip(lefts, rights, strict=True)]

    def _choice(self, left: Record, found: Sequence[int]) -> Record | None:
        """A right side of the 2nd to 10th nearest, by a seeded hash; the nearest where there is only one."""
        own = self._index.get(self._sides(left)[1], -1)
        ranked = [index for index in found if index != own]
        near = ranked[NEAREST.start : NEAREST.stop] or ranked
        if not near:
            return None
        return self._rights[near[digest(str(self._project.seed), "pair", left.id) % len(near)]]

    def _joined(self, left: Record, right: Record) -> Record:
        fields = {path: (left if path in self._lefts else right).fields[path] for path in left.fields}
        keys = {path: (left if path in self._lefts else right).keys[path] for path in left.keys}
        return Record(f"{left.id}~{right.id}", fields, None, left.slice, keys)

    def _sides(self, record: Record) -> tuple[str, str]:
        return side_texts(record, self._project.views["card"])


def left_fields(project: Project) -> set[str]:
    """The fields that a new pair takes from its left row, the others come from the right one.

    Document and card decide over their fields; a field of other views only is a left one where any of them has it left.
    """
    main = [project.views[name] for name in ("document", "card")]
    known = {path for view in main for path in view.fields}
    others = {path for view in project.views.values() for path in view.left} - known
    return {path for view in main for path in view.left} | others


def left_keys(project: Project) -> set[str]:
    """The keys that a new pair takes from its left row, the others come from the right one.

    Raises: UserError naming the keys whose side their names do not tell.
    """
    sides = {path: key_side(project, path) for path in project.data.keys}
    if unknown := [path for path, side in sides.items() if side is None]:
        raise UserError(
            "pairs are made by sides, and the name of a key does not tell whose it is",
            where="data.keys",
            found=", ".join(unknown),
            do="name it like the fields of its side in views, as product.id or product_id beside product.title, or "
            "leave it out",
        )
    return {path for path, side in sides.items() if side == 0}


def key_side(project: Project, path: str) -> int | None:
    """The side of a key, 0 for left and 1 for right: whose fields its name begins like, or else has a word of alone.

    None where that tells nothing.
    """
    lefts = left_fields(project)
    fields = {field for view in project.views.values() for field in view.fields}
    sides = [[_words(field) for field in fields if (field in lefts) == is_left] for is_left in (True, False)]
    key = _words(path)
    if path not in fields:
        key = [word for word in key if word not in _IDENTITY]
    begun = [max((_common(key, words) for words in side), default=0) for side in sides]
    if begun[0] == begun[1]:
        left, right = (set(chain.from_iterable(side)) for side in sides)
        begun = [len(set(key) & (left - right)), len(set(key) & (right - left))]
    return None if begun[0] == begun[1] else int(begun[1] > begun[0])


def _common(words: Sequence[str], others: Sequence[str]) -> int:
    """How many words two names begin with alike."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(words, others, strict=False)))


def _words(path: str) -> list[str]:
    """The words of a name in lower case: `left.productId` has left, product, id."""
    return [word.lower() for word in _WORD.findall(path)]
