"""Which text fields the guessed views read, and in which order: short ones first, so that all of them are read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from distill.core.guessing.column_roles import MOST_GROUPS
from distill.core.guessing.columns import Column
from distill.core.guessing.token_lengths import TokenLengths

MOST_DOCUMENT, MOST_CARD = 512, 256
_CARD_WORDS = 30
# The values of a side's short fields, as a part of those of its most different field, from which on they do for a card:
# a single text is all that there is to read, of pairs the sides are often told apart by titles alone.
_ENOUGH_ALONE, _ENOUGH_OF_A_SIDE = 0.9, 0.5
Sides = tuple[list[str], list[str]]


def views(
    columns: Mapping[str, Column], texts: Sides, shared: Sequence[str], lengths: TokenLengths
) -> tuple[Sides, Sides]:
    """The fields of document and card.

    Args: texts: the text columns of each side. shared: those on the left that are about both sides.
    """
    left, right = (_short_first(columns, side) for side in texts)
    enough = _ENOUGH_OF_A_SIDE if right else _ENOUGH_ALONE
    about, own = [path for path in left if path in shared], [path for path in left if path not in shared]
    told = _short_first(columns, [*_card(columns, about, enough), *_card(columns, own, enough)])
    card = (told, _card(columns, right, enough))
    if not right and lengths.longest((left, [])) > MOST_DOCUMENT:
        left, right = _beside_long_ones(columns, left)
    return (left, right), card


def most_different(columns: Mapping[str, Column], paths: Sequence[str]) -> list[str]:
    """The text that tells records apart best, the first of equals; none where all are lists of texts."""
    scalar = [path for path in paths if columns[path].is_scalar]
    return [max(scalar, key=lambda path: columns[path].distinct)] if scalar else []


def text_key(columns: Mapping[str, Column], document: Sides, shared: Sequence[str]) -> list[str]:
    """The text that stands in for a key that no column is: what both sides are about, else what tells records apart.

    Args: shared: as of `views`. One with as few values as a group of records has names no subject.
    """
    about = [path for path in shared if columns[path].distinct > MOST_GROUPS]
    return most_different(columns, about) or most_different(columns, [*document[0], *document[1]])


def _short_first(columns: Mapping[str, Column], paths: Sequence[str]) -> list[str]:
    """Short fields in their order, then long ones by length: what is behind a long field is cut off first."""
    return sorted(paths, key=lambda path: max(_CARD_WORDS, _words(columns[path])))


def _beside_long_ones(columns: Mapping[str, Column], paths: list[str]) -> Sides:
    """Short fields on the left of long ones, which are read in windows that each begin with the left side."""
    short = [path for path in paths if _is_short(columns[path])]
    return (short, paths[len(short) :]) if short else (paths, [])


def _card(columns: Mapping[str, Column], paths: Sequence[str], enough: float) -> list[str]:
    """The short fields of a side, the shortest one where all are long; and what tells its records apart.

    Short fields whose values many records share, such as a product's name beside its reviews, say nothing of the rest.
    """
    found = [path for path in paths if _is_short(columns[path])] or list(paths[:1])
    apart = most_different(columns, paths)
    told = max((columns[path].distinct for path in found), default=0)
    return found + [path for path in apart if told < enough * columns[path].distinct]


def _is_short(column: Column) -> bool:
    return _words(column) <= _CARD_WORDS


def _words(column: Column) -> int:
    """Words that suffice for 95% of the values."""
    ordered = column.words
    return ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))] if ordered else 0
