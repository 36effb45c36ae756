"""`distill predict`: a bundle's answers for a file of records."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from distill.core.errors import UserError
from distill.core.files import replacing
from distill.core.intake.record_reader import columns, has_column
from distill.core.intake.sources import read_rows
from export.checked_bundle import open_bundle

if TYPE_CHECKING:
    from export.runtime import Bundle

_CHUNK_ROWS = 2048
_SHOWN_ROWS = 20


def predict_file(
    bundle: Path,
    source: Path,
    out: Path,
    operating_point: str | None = None,
    precision: str | None = None,
    threads: int | None = None,
) -> int:
    """Write one JSON line per row of `source`, in order: id, label, probabilities, `positive` at an operating point.

    A row without `id` gets its line number.

    Args: source: JSONL, CSV, TSV (also .gz) or Parquet. out: JSONL, written atomically. operating_point, precision: of
        the bundle.
    Returns: the number of rows. Raises: UserError for a bundle, a file, a row or a name that does not fit.
    """
    if out.resolve() == source.resolve():
        raise UserError("the answers would overwrite the records", where=str(out), do="name another file with --out")
    model = open_bundle(bundle, precision, threads)
    _require_operating_point(model, operating_point)
    rows = _rows(source)
    written = 0
    with replacing(out) as partial, partial.open("w", encoding="utf-8") as file:
        while chunk := list(islice(rows, _CHUNK_ROWS)):
            if not written:
                _require_fields(model, [values for _, values in chunk], source)
            _write_answers(file, model, chunk, source, operating_point)
            written += len(chunk)
    return written


def _write_answers(
    file: IO[str],
    model: Bundle,
    chunk: list[tuple[int, Mapping[str, Any]]],
    source: Path,
    operating_point: str | None,
) -> None:
    try:
        answers = model.predict([values for _, values in chunk], operating_point)
    except ValueError as error:
        lines = f"{source}, lines {chunk[0][0]} to {chunk[-1][0]}"
        raise UserError("a record cannot be read", where=lines, found=error, do="correct the row") from None
    for (number, values), answer in zip(chunk, answers, strict=True):
        name = values.get("id")
        line = {"id": number if name is None else name, **answer}
        file.write(json.dumps(line, ensure_ascii=False, default=str) + "\n")


def _require_fields(model: Bundle, rows: Sequence[Mapping[str, Any]], source: Path) -> None:
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


def _rows(source: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Line number and values of each row. Raises: UserError naming the first row that cannot be read."""
    if not source.is_file():
        raise UserError("file not found", where=str(source), do="check the name")
    for row in read_rows(source):
        if row.values is None:
            reason = row.problem.detail if row.problem else None
            do = "correct or remove it: answers are given for all rows or none"
            raise UserError("a row cannot be read", where=f"{source}, line {row.number}", found=reason, do=do)
        yield row.number, row.values


def _require_operating_point(model: Bundle, name: str | None) -> None:
    if name is not None:
        try:
            model.threshold(name)
        except ValueError as error:
            raise UserError(str(error), where="--operating-point") from None
