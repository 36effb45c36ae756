"""Rows of a file that bundles can read, some at a time, so that a file of any size fits; the others with the reason."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING

from distill.core.errors import UserError
from distill.core.files import Json
from distill.core.intake.record_reader import columns
from distill.core.intake.sources import Row, read_rows
from distill.core.progress import progress
from distill.core.rendering import has_column
from export.batch.answering import BadValue, one_value, rendered
from export.batch.inputs import Input
from export.batch.shards import read_shards

if TYPE_CHECKING:
    from export.runtime import Bundle

_SHOWN = 20


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
        first = sorted(self.first, key=lambda one: int(one["line"]))
        if not texts:
            first = [{**one, "reason": one["reason"].partition(":")[0]} for one in first]
        return {"rows": self.count, "first": first}


def read_chunks(
    file: Input,
    models: Sequence[Bundle],
    more: Sequence[str],
    left_out: LeftOut,
    maybe: Sequence[str] = (),
    single: Sequence[str] = (),
) -> Iterator[list[Read]]:
    """The rows that every model can read, in order, a shard of `read_shards` at a time; others are added to `left_out`.

    Args: more: columns that are read besides those of the models. maybe: such that need not be there. single: those
        of `more` that have one value, by which rows belong together.
    Raises: UserError for a file that cannot be read or is changed meanwhile, or whose first rows have no field that a
        model reads, or lack one of the columns.
    """
    wanted = {"id", *more, *maybe, *(path for model in models for path in columns_of(model))}
    looked, count = False, 0
    with progress("rows", file.rows, at_most=file.path.suffix != ".parquet") as advance:
        for shard in read_shards([file], wanted):
            held = [row.values for row in shard.rows if row.values is not None]
            if held and not looked:
                looked = True
                _require_columns(held, models, more, file)
            yield list(_readable(shard.rows, models, left_out, single))
            count += len(shard.rows)
            advance(count)


def columns_of(model: Bundle) -> list[str]:
    """The columns that a model reads; of a symmetric task those too that trade places."""
    swap = model.before.get("swap") or {"fields": []}
    return [*model.renderer.left, *model.renderer.right, *(path for pair in swap["fields"] for path in pair)]


def require_column(rows: Sequence[Json], paths: Sequence[str], file: Input, what: str) -> None:
    """Check that some row has one of these columns.

    Args: what: they are. Raises: UserError naming those that the file's first rows have, asked for or not.
    """
    if not any(has_column(values, path) for values in rows for path in paths):
        first = islice((row.values for row in read_rows(file.path, file.reading) if row.values is not None), _SHOWN)
        known = list(dict.fromkeys(name for values in first for name in columns(values)))
        raise UserError(
            f"no row has {what}: {', '.join(paths)}",
            where=str(file.path),
            found=f"columns {', '.join(known[:_SHOWN])}",
            do="rename the columns; dotted names are columns of nested objects",
        )


def _require_columns(rows: Sequence[Json], models: Sequence[Bundle], more: Sequence[str], file: Input) -> None:
    for model in models:
        require_column(rows, [*model.renderer.left, *model.renderer.right], file, "a field that the model reads")
    for path in more:
        require_column(rows, [path], file, "the column")


def _readable(
    chunk: Sequence[Row], models: Sequence[Bundle], left_out: LeftOut, single: Sequence[str]
) -> Iterator[Read]:
    for row in chunk:
        if row.values is None:
            left_out.add(row.number, str(row.problem))
            continue
        try:
            for model in models:
                rendered(model, row.values)
            for path in single:
                one_value(row.values, path)
        except BadValue as error:
            left_out.add(row.number, str(error))
        else:
            yield Read(row.number, row.values)
