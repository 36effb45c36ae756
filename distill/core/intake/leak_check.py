"""What a leak check is: one way in which a row of one split can be in another split too."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from distill.core.intake.compared_text import text_key
from distill.core.intake.key_column import KeyColumn
from distill.core.project import Project
from distill.core.records import Record

Mask = NDArray[np.bool_]


class Alike(NamedTuple):
    """Row `row` of one split is like row `like` of another one, both counted from 0, to the share `jaccard`."""

    row: int
    like: int
    jaccard: float


class LeakCheck(ABC):
    """Takes in the rows of one split, then tells which of them another split has too.

    A check that needs all rows of a split at once keeps in `add` what it needs and compares in `found_in`.

    Attributes:
        name: `kind` in `audit.json`.
        gate: whether test rows that are found in train, valid or the pool count for the leak gate.
        place: where its entries come in `audit.json`, low ones first; equal ones by file name.
    """

    name: str
    gate: bool = False
    place: int = 100

    def __init__(self, project: Project) -> None:
        self.project = project

    @classmethod
    def of(cls, project: Project) -> Sequence[LeakCheck]:
        """The checks of this class that a project needs, empty ones for a new split; mostly one."""
        return [cls(project)]

    @abstractmethod
    def add(self, record: Record) -> None:
        """Take in one row."""

    @abstractmethod
    def found_in(self, other: Self) -> Mask:
        """Which rows of this split the other one has too: bool (N,), in the order in which they were added."""

    def examples(self, other: Self, most: int) -> Sequence[Alike]:
        """The first rows that the other split has nearly; of checks that find equal ones none."""
        return ()


class TextCheck(LeakCheck):
    """A check that compares one text of each row by its 64-bit hash. Empty texts never count as shared."""

    def __init__(self, project: Project) -> None:
        super().__init__(project)
        self._keys = KeyColumn()

    @abstractmethod
    def texts(self, record: Record) -> Sequence[str]:
        """The text to compare, or the parts of it."""

    def add(self, record: Record) -> None:
        """Take in one row."""
        self._keys.append(text_key(*self.texts(record)))

    def found_in(self, other: Self) -> Mask:
        """Which rows have a text that the other split has too, bool (N,)."""
        return among(self._keys, other._keys)


def among(keys: KeyColumn, *others: KeyColumn) -> Mask:
    """Which of the keys, (N,), are among the others; 0 is an empty text and never is.

    In memory are the keys and a piece of the others.
    """
    own = keys.whole()
    wanted, places = np.unique(own, return_inverse=True)
    found = np.zeros(len(wanted), np.bool_)
    for piece in (piece for other in others for piece in other.pieces() if len(wanted)):
        nearest = np.minimum(np.searchsorted(wanted, piece), len(wanted) - 1)
        found[nearest[wanted[nearest] == piece]] = True
    return np.asarray(found[places] & (own != 0), np.bool_)
