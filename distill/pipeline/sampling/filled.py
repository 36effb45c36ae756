"""A sheet that came back, checked against what was written: every row once, its texts as they were, a known label."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from distill.core.errors import UserError, nearest
from distill.core.label_space import LabelSpace, label_name
from distill.core.sheets.sheet import LABEL, SheetRow, read_sheet
from distill.pipeline.sampling.key import Key, text_hashes

_LISTED = 20


def read_filled(path: Path) -> list[SheetRow]:
    """The rows of a sheet. Raises: UserError as `read_sheet`, and where no row has an id."""
    rows = read_sheet(path)
    if not any(row.id for row in rows):
        raise UserError("no row has an id", where=str(path), do="give the sheet that was written, filled in")
    return rows


def judged(path: Path, rows: Sequence[SheetRow], key: Key, space: LabelSpace) -> dict[str, str]:
    """The label that the judge gave each row, by id, in the order of the key.

    Raises: UserError that names every row that is missing, foreign, given twice, without a label, with an unknown one,
        or with a changed text.
    """
    found = [*_problems(rows, key, space)]
    if found:
        more = [f"… and {len(found) - _LISTED} more"] if len(found) > _LISTED else []
        what = "1 problem in the sheet" if len(found) == 1 else f"{len(found)} problems in the sheet"
        listed = "\n".join(f"  - {line}" for line in [*found[:_LISTED], *more])
        do = f"mend these rows and read it again; the labels are: {', '.join(space.labels)}"
        raise UserError(f"{what}\n{listed}", where=str(path), do=do)
    given = {row.id: label_name(row.cells[LABEL]) for row in rows}
    return {row.id: given[row.id] for row in key.rows}


def _problems(rows: Sequence[SheetRow], key: Key, space: LabelSpace) -> Iterator[str]:
    texts, seen = {row.id: row.texts for row in key.rows}, dict[str, int]()
    for row in rows:
        where = f"line {row.number}, id {row.id or 'none'}"
        if row.id not in texts:
            yield f"{where}: a row that the sheet did not have"
            continue
        if row.id in seen:
            yield f"{where}: a duplicate id, first in line {seen[row.id]}"
            continue
        seen[row.id] = row.number
        if missing := [column for column in texts[row.id] if column not in row.cells]:
            yield f"{where}: no column {', '.join(missing)}"
        own = text_hashes({column: row.cells[column] for column in texts[row.id] if column in row.cells})
        if changed := [column for column, value in own.items() if value != texts[row.id][column]]:
            yield f"{where}: its text in {', '.join(changed)} is another one"
        yield from _label_problems(where, label_name(row.cells[LABEL]), space)
    if missing := [name for name in texts if name not in seen]:
        yield f"{len(missing)} rows of the sheet are missing: {', '.join(missing[:_LISTED])}"


def _label_problems(where: str, label: str, space: LabelSpace) -> Iterator[str]:
    if not label:
        yield f"{where}: no label"
    elif label not in space.labels:
        guess = nearest(label, space.labels)
        yield f"{where}: unknown label '{label}'" + (f", did you mean '{guess}'?" if guess else "")
