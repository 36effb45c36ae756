"""Rows of a file that bundles can read, some at a time, so that a file of any size fits; the others with the reason."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distill.core.errors import UserError
from distill.core.files import Json
from distill.core.intake.record_reader import columns, has_column
from distill.core.intake.sources import Row, read_rows
from distill.core.paths import require_file
from export.batch.answering import BadValue, rendered
from export.batch.shards import pieces

if TYPE_CHECKING:
    from export.runtime import Bundle

_SHOWN, _COLUMNS = 20, 20


@dataclass(frozen=True, slots=True)
class Read:
    """A row that bundles can read. Attributes: line: of a text file, else the row's number."""

    line: int
    values: Json


@dataclass
class LeftOut:
    """Rows that cannot be used. Attributes: count: of all. first: the first of them, `{"line", "reason"}`."""

    count: int = 0
    first: list[Json] = field(default_factory=list)

    def add(self, line: int, reason: str) -> None:
        """Count a row."""
        self.count += 1
        if len(self.first) < _SHOWN:
            self.first.append({"line": line, "reason": reason})

    def as_json(self, *, texts: bool = True) -> Json:
        """Both. Args: texts: whether reasons may quote what is in a row."""
        first = self.first if texts else [{**one, "reason": one["reason"].partition(":")[0]} for one in self.first]
        return {"rows": self.count, "first": first}


def read_chunks(file: Path, models: Sequence[Bundle], left_out: LeftOut) -> Iterator[list[Read]]:
    """The rows that every model can read, in order, at most 2,048 at a time; others are added to `left_out`.

    Args: file: JSONL, CSV, TSV (also .gz) or Parquet.
    Raises: UserError for a file that cannot be read, or whose first rows have no field that a model reads.
    """
    require_file(file)
    looked = False
    for chunk in pieces(read_rows(file)):
        held = [row.values for row in chunk if row.values is not None]
        if held and not looked:
            looked = True
            for model in models:
                require_column(
                    held, [*model.renderer.left, *model.renderer.right], file, "a field that the model reads"
                )
        yield list(_readable(chunk, models, left_out))


def require_column(rows: Sequence[Json], paths: Sequence[str], file: Path, what: str) -> None:
    """Check that some row has one of these columns. Args: what: they are. Raises: UserError naming those that there
    are.
    """
    if not any(has_column(values, path) for values in rows for path in paths):
        # Read anew, because `rows` may have the columns alone that somebody has asked for.
        first = islice((row.values for row in read_rows(file) if row.values is not None), _SHOWN)
        known = dict.fromkeys(name for values in first for name in columns(values))
        raise UserError(
            f"no row has {what}: {', '.join(paths)}",
            where=str(file),
            found=f"columns {', '.join(list(known)[:_COLUMNS])}",
            do="rename the columns; dotted names are columns of nested objects",
        )


def _readable(chunk: Sequence[Row], models: Sequence[Bundle], left_out: LeftOut) -> Iterator[Read]:
    for row in chunk:
        problem = str(row.problem) if row.values is None else _problem(models, row.values)
        if row.values is None or problem is not None:
            left_out.add(row.number, str(problem))
        else:
            yield Read(row.number, row.values)


def _problem(models: Sequence[Bundle], values: dict[str, Any]) -> str | None:
    """Why a model cannot read a row, None where all can."""
    try:
        for model in models:
            rendered(model, values)
    except BadValue as error:
        return str(error)
    return None
