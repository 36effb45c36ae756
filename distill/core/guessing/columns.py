"""What the columns of a file hold, from a sample of its rows: the evidence that `distill init` guesses from."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from distill.core.errors import UserError
from distill.core.intake.record_reader import columns as column_paths
from distill.core.rendering import FieldError, field_text, lookup

_NEARLY = 0.97
_MOST_COLUMNS = 5000
_HASH = re.compile(r"[0-9a-fA-F-]{8,}")  # hashes and UUIDs
_CODE = re.compile(r"(?=.*\d)[\w#:|+-]+")  # without the signs of addresses


@dataclass
class Column:
    """One column of the rows looked at.

    Attributes:
        path: dotted path.
        values: its values that are not null, as the file has them.
        rows: rows looked at.
    """

    path: str
    rows: int
    values: list[Any] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition(".")[2]

    @property
    def distinct(self) -> int:
        """Number of different values."""
        return len(set(map(str, self.values)))

    @property
    def unique(self) -> bool:
        """Whether nearly every row has a value of its own; a file may hold a few rows twice."""
        return self.distinct > _NEARLY * self.rows

    @property
    def words(self) -> list[int]:
        """Words of each value, sorted."""
        return sorted(len(str(value).split()) for value in self.values)

    @property
    def is_scalar(self) -> bool:
        """Whether each row has one value, as ids, keys and slices need."""
        return not any(isinstance(value, dict | list | tuple | bytes) for value in self.values)

    @property
    def is_readable(self) -> bool:
        """Whether every value can be made text: a list of objects cannot."""
        try:
            for value in self.values:
                field_text({self.path: value}, self.path)
        except FieldError:
            return False
        return True

    @property
    def is_text(self) -> bool:
        """Whether the values are strings (or lists of them) of which most hold a letter, and no hashes."""
        texts = [str(value) for value in self.values if isinstance(value, str | list)]
        lettered = sum(any(map(str.isalpha, text)) for text in texts)
        return (
            lettered > 0.5 * len(self.values) and sum(map(_is_hash, texts)) < _NEARLY * len(texts) and self.is_readable
        )

    @property
    def why_no_text(self) -> str | None:
        """What the values are where they are no text, in words; None for text."""
        if self.is_text:
            return None
        texts = list(map(str, self.values))
        if all(not isinstance(value, float) for value in self.values) and all(map(_is_hash, texts)):
            return "codes of digits"
        return "numbers" if all(map(_is_number, texts)) else "few letters"

    @property
    def is_code(self) -> bool:
        """Whether nearly each row has one word of its own with a digit, which is no address: `banks-666480-a`."""
        coded = sum(bool(_CODE.fullmatch(str(value))) for value in self.values)
        return self.unique and coded > _NEARLY * len(self.values)


def look(rows: Sequence[Mapping[str, Any]], where: str) -> dict[str, Column]:
    """Path to column, in the order of first appearance. Raises: UserError naming `where` for thousands of columns."""
    paths: dict[str, None] = {}
    for row in rows:
        paths |= dict.fromkeys(column_paths(row))
        if len(paths) > _MOST_COLUMNS:
            found, do = f"more than {_MOST_COLUMNS:,} columns", "write the YAML by hand, and name those that are needed"
            raise UserError("too many columns to guess from", where=where, found=found, do=do)
    # A side that is null as a whole shows as a column of its own next to its columns.
    nested = {path.rpartition(".")[0] for path in paths}
    found_columns = {path: Column(path, len(rows)) for path in paths if path not in nested}
    for row in rows:
        for path, column in found_columns.items():
            if (value := lookup(row, path)) is not None and value != "":
                column.values.append(value)
    return found_columns


def spread(rows: Iterable[Any], least: int) -> list[Any]:
    """Rows at even distances: all where there are fewer than twice `least`, else between `least` and twice as many."""
    kept: list[Any] = []
    step = 1
    for index, row in enumerate(rows):
        if index % step == 0:
            kept.append(row)
        if len(kept) == 2 * least:
            kept, step = kept[::2], 2 * step
    return kept


def _is_number(text: str) -> bool:
    try:
        float(text.replace(",", "."))
    except ValueError:
        return text in ("True", "False")
    return True


def _is_hash(text: str) -> bool:
    return bool(_HASH.fullmatch(text)) and any(map(str.isdigit, text))
