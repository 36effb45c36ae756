"""Rows of a file that bundles can read, some at a time, so that a file of any size fits; the others with the reason."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from distill.core.files import Json
from distill.core.intake.sources import Row
from distill.core.progress import progress
from export.batch.answering import BadValue, one_value, rendered
from export.batch.inputs import Input
from export.batch.shards import read_shards
from export.column_check import ColumnCheck

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
    Raises: UserError for a file that cannot be read or is changed meanwhile, or of which no row has a field that a
        model reads, or one of the columns.
    """
    check = ColumnCheck(file, [*map(asked_fields, models), *(("the column", [path]) for path in more)])
    wanted = {"id", *more, *maybe, *(path for model in models for path in columns_of(model))}
    count = 0
    with progress("rows", file.rows, at_most=file.path.suffix != ".parquet") as advance:
        for shard in read_shards(file, wanted):
            check.see([row.values for row in shard.rows if row.values is not None])
            yield list(_readable(shard.rows, models, left_out, single))
            count += len(shard.rows)
            advance(count)
    check.require()


def columns_of(model: Bundle) -> list[str]:
    """The columns that a model reads; of a symmetric task those too that trade places."""
    swap = model.before.get("swap") or {"fields": []}
    return [*model.renderer.left, *model.renderer.right, *(path for pair in swap["fields"] for path in pair)]


def asked_fields(model: Bundle) -> tuple[str, list[str]]:
    """The fields of a model's view as `ColumnCheck` is asked for them."""
    return "a field that the model reads", [*model.renderer.left, *model.renderer.right]


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
