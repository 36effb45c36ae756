"""Rows of the input in shards: so few that they fit in memory, in the order of the files, never of two files."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from distill.core.errors import UserError
from distill.core.intake.sources import Reading, Row, read_rows
from export.batch.inputs import Input

SHARD_ROWS, SHARD_CHARACTERS = 2048, 1 << 24


@dataclass(frozen=True)
class Shard:
    """A run of rows of one file. Attributes: index: among those of all files, from 0."""

    index: int
    rows: Sequence[Row]


def read_shards(file: Input, columns: Collection[str] | None = None, first: int = 0) -> Iterator[Shard]:
    """The rows of a file, read when they are asked for; the same file gives the same shards.

    Args: columns: that are needed; others of a Parquet file are not read. first: index of the first shard.
    Raises: UserError as `read_rows`, and for a file that changes meanwhile.
    """
    rows = _unchanged_rows(file, replace(file.reading, columns=columns, cut_end=True))
    for index, piece in enumerate(pieces(rows), first):
        file.require_unchanged()
        yield Shard(index, piece)


def _unchanged_rows(one: Input, reading: Reading) -> Iterator[Row]:
    """The rows of a file; what a change meanwhile has broken is told as a change."""
    try:
        yield from read_rows(one.path, reading)
    except UserError:
        one.require_unchanged()
        raise


def pieces(rows: Iterable[Row]) -> Iterator[list[Row]]:
    """Rows in lists of at most 2,048, fewer where their texts are long."""
    piece: list[Row] = []
    characters = 0
    for row in rows:
        piece.append(row)
        characters += len(row.raw) if row.values is None else _characters(row.values)
        if len(piece) == SHARD_ROWS or characters > SHARD_CHARACTERS:
            yield piece
            piece, characters = [], 0
    if piece:
        yield piece


def _characters(value: Any) -> int:
    """About as many as the text of a value has."""
    if isinstance(value, str | bytes):
        return len(value)
    if isinstance(value, dict):
        return sum(map(_characters, value.values()))
    return sum(map(_characters, value)) if isinstance(value, list) else 1
