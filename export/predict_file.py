"""`distill predict`: a bundle's answers for a file of records."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distill.core.errors import UserError
from distill.core.files import Json, replacing, write_text
from distill.core.intake.record_reader import columns, has_column
from distill.core.intake.sources import Row, read_rows
from distill.core.leftovers import remove_half_written
from distill.core.paths import require_file
from export.answers import Shape, format_of, open_answers
from export.checked_bundle import open_bundle
from export.verify import CLASS_F1

if TYPE_CHECKING:
    from export.runtime import Bundle

_CHUNK_ROWS = 2048
_SHOWN_ROWS = 20
Values = Mapping[str, Any]


@dataclass
class Answered:
    """What came of a file. Attributes: rows: that were answered. rejects: `{"line", "id", "reason", "row"}` of others.

    where: the file of rejects, which is there when there are any.
    """

    where: Path
    rows: int = 0
    rejects: list[Json] = field(default_factory=list)


def answers_file(source: Path) -> Path:
    """Where the answers to a file go by default: beside it, in its format, under a name of its own."""
    ending = format_of(source)
    return source.with_name(f"{source.name.removesuffix(ending)}.answers{ending}")


def predict_file(
    bundle: Path,
    source: Path,
    out: Path,
    operating_point: str | None = None,
    precision: str | None = None,
    threads: int | None = None,
) -> Answered:
    """Write one answer per row of `source`, in order: id, label, probabilities, `positive` at an operating point.

    A row without `id` gets its line number. Rows that cannot be read go to a file of rejects beside the answers.

    Args: source: JSONL, CSV, TSV (also .gz) or Parquet. out: in the format of its name, or of the source where it has
        no ending; written atomically. operating_point, precision:
        of the bundle.
    Raises: UserError for a bundle, a file or a name that does not fit, and where no row can be answered.
    """
    if out.resolve() == source.resolve():
        raise UserError("the answers would overwrite the records", where=str(out), do="name another file with --out")
    ending = format_of(out if out.suffix else source)
    require_file(source)
    model = open_bundle(bundle, precision, threads)
    _require_operating_point(model, operating_point)
    found = Answered(out.with_name(f"{out.name.removesuffix(ending)}.rejects.jsonl"))
    rows, seen = read_rows(source), 0
    at_point = operating_point not in (None, CLASS_F1)
    shape = Shape(model.labels, several=model.after["kind"] == "multi", positive=at_point)
    for one in (out, found.where):
        remove_half_written(one.parent, one.name)
    with replacing(out) as partial, open_answers(partial, ending, shape) as write:
        while chunk := list(islice(rows, _CHUNK_ROWS)):
            readable = list(_readable(chunk, found))
            if readable and not seen:
                _require_fields(model, [values for _, values in readable], source)
            seen += len(readable)
            for row, values, answer in _answered(model, readable, operating_point, found):
                write({"id": _name(row, values), **answer})
                found.rows += 1
        if not found.rows:
            first = found.rejects[0]
            what, where = "no row of the file can be answered", f"{source}, line {first['line']}"
            raise UserError(what, where=where, found=first["reason"], do="correct the rows")
    _write_rejects(found)
    return found


def _readable(chunk: Sequence[Row], found: Answered) -> Iterator[tuple[Row, Values]]:
    for row in chunk:
        if row.values is None:
            found.rejects.append({"line": row.number, "id": None, "reason": str(row.problem), "row": row.raw})
        else:
            yield row, row.values


def _answered(
    model: Bundle, rows: Sequence[tuple[Row, Values]], operating_point: str | None, found: Answered
) -> Iterator[tuple[Row, Values, Json]]:
    """Rows with their answers; those that the model cannot read become rejects."""
    try:
        answers = model.predict([values for _, values in rows], operating_point)
    except ValueError:
        rows = [(row, values) for row, values in rows if _encodes(model, row, values, found)]
        answers = model.predict([values for _, values in rows], operating_point)
    for (row, values), answer in zip(rows, answers, strict=True):
        yield row, values, answer


def _encodes(model: Bundle, row: Row, values: Values, found: Answered) -> bool:
    try:
        model.encode([values])
    except ValueError as error:
        reason = str(error).removeprefix("record 0: ")
        text = json.dumps(values, default=str)
        found.rejects.append({"line": row.number, "id": _name(row, values), "reason": reason, "row": text})
        return False
    return True


def _name(row: Row, values: Values) -> Any:
    return row.number if values.get("id") is None else values["id"]


def _write_rejects(found: Answered) -> None:
    """Write the rejects; without any, those of an earlier call go, for they are not of these answers."""
    if found.rejects:
        write_text(found.where, "".join(json.dumps(one, default=str) + "\n" for one in found.rejects))
    else:
        with suppress(FileNotFoundError):
            found.where.unlink()


def _require_fields(model: Bundle, rows: Sequence[Values], source: Path) -> None:
    """Check that some row has a field that the model reads: without any each would be answered as empty text.

    Raises: UserError naming the fields and the columns that there are.
    """
    fields = [*model.renderer.left, *model.renderer.right]
    if not any(has_column(values, path) for values in rows for path in fields):
        known = dict.fromkeys(name for values in rows[:_SHOWN_ROWS] for name in columns(values))
        raise UserError(
            f"no row has a field that the model reads: {', '.join(fields)}",
            where=str(source),
            found=f"columns {', '.join(list(known)[:_SHOWN_ROWS])}",
            do="rename the columns; dotted names are columns of nested objects",
        )


def _require_operating_point(model: Bundle, name: str | None) -> None:
    if name is not None:
        try:
            model.require_point(name)
        except ValueError as error:
            raise UserError(str(error), where="--operating-point") from None
