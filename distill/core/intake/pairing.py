"""New pairs for the pool: each left side with a similar right side of another row, the hard cases to label."""

from __future__ import annotations

from collections.abc import Sequence

from distill.core.intake.compared_text import side_texts
from distill.core.intake.hashing import digest
from distill.core.intake.nearest import TextIndex
from distill.core.project import Project
from distill.core.records import Record

NEAREST = range(1, 10)  # the 2nd to the 10th: the nearest one is mostly the same offer again


class NeighbourPairs:
    """Pairs left sides with similar right sides, by TF-IDF cosine of the card's words.

    Args: project: gives views, keys and seed. rights: the rows whose right sides may be chosen; those of equal right
        text count once.
    """

    def __init__(self, project: Project, rights: Sequence[Record]) -> None:
        self._project, self._lefts = project, left_fields(project)
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
        keys = {path: (left if index == 0 else right).keys[path] for index, path in enumerate(left.keys)}
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
