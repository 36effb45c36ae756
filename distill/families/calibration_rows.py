"""The labelled rows on which a cascade's thresholds are chosen: validation, or rows that a file names. Never a test."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from distill.core.errors import UserError, unknown_name
from distill.core.intake.sources import read_rows
from distill.core.label_space import LabelSpace, label_name, scalar_text
from distill.core.record_store import iter_records, splits
from distill.core.records import Record
from distill.core.rendering import name_at
from distill.core.sheets.sheet import ID, LABEL, read_sheet
from distill.families.family import Lesson
from distill.training.learnt_rows import labelled_rows

_LISTED = 5


def calibration_rows(lesson: Lesson, file: Path | None) -> list[tuple[Record, int]]:
    """Records with the number of their class.

    Args: file: rows of `id` and `label`, of training or pool rows, such as a sheet of `distill sample --for labelling`
        that has been filled in; None: the validation rows.
    Raises: UserError without any row, for a row without id, an unknown label, a duplicate id and an id of no row.
    """
    if file is None:
        if "valid" not in splits(lesson.records):
            do = "give every stage a threshold, or name labelled rows: calibrate: FILE"
            raise UserError("thresholds are chosen on validation rows, and there are none", where="data.valid", do=do)
        rows = ((record, record.target) for record in iter_records(lesson.records, "valid"))
        return [(record, int(target.argmax())) for record, target in rows if target is not None]
    wanted = _named(file, lesson.space)
    found = [(record, wanted.pop(record.id)) for _, record in labelled_rows(lesson.records) if record.id in wanted]
    if wanted:
        listed = ", ".join(list(wanted)[:_LISTED])
        do = "name rows of train or pool; those of a test choose nothing"
        raise UserError(f"{len(wanted)} ids are of no training or pool row", where=str(file), found=listed, do=do)
    return found


def _named(file: Path, space: LabelSpace) -> dict[str, int]:
    """The number of the class by id; rows whose label is empty are left out."""
    found: dict[str, int] = {}
    for where, name, label in _rows(file):
        if label not in space.labels:
            raise unknown_name("label", label, space.labels, where)
        if name in found:
            raise UserError("a duplicate id", where=where, found=name, do="keep one row per id")
        found[name] = space.labels.index(label)
    if not found:
        raise UserError("no row has a label", where=str(file), do="fill in the column label")
    return found


def _id(values: Mapping[str, Any]) -> str:
    """The id of a row, '' for none; 0 is one."""
    name = name_at(values, ID)
    return "" if name is None else scalar_text(name)


def _rows(file: Path) -> Iterator[tuple[str, str, str]]:
    """(where, id, label) of each row with a label; CSV is read as a sheet that a spreadsheet saved."""
    found: list[tuple[int, str, Any]]
    if file.suffix == ".csv":
        found = [(row.number, row.id, row.cells[LABEL]) for row in read_sheet(file)]
    else:
        rows = ((row.number, row.values or {}) for row in read_rows(file))
        found = [(number, _id(values), values.get(LABEL)) for number, values in rows]
    for number, name, label in found:
        where = f"{file}, row {number}"
        if not name:
            raise UserError("a row without id", where=where, do="give every row id and label")
        if label not in (None, ""):
            yield where, name, label_name(label)
