"""Rows that a student and the document teacher decide differently: who was right, and the surest of them with texts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from distill.core.errors import UserError
from distill.core.files import Json
from distill.core.project import Project
from distill.core.record_store import splits, texts_of
from distill.report import formats
from distill.report.contents import Report, dig, entries
from distill.report.table_model import Column, Sheet

_LONGEST = 300  # characters of a field


def with_texts(found: Sequence[Json], records: Path, project: Project) -> list[Json]:
    """The disagreements with the fields of each row that cards have, every one as far as 300 characters.

    Rows whose records are gone stay without.
    """
    ids = {str(row.get("id")) for one in found for row in entries(one, "examples")}
    texts: dict[str, dict[str, str]] = {}
    try:
        for split in (name for name in splits(records) if name.startswith("test.")):
            texts |= texts_of(records, split, sorted(ids))
    except UserError:
        return list(found)
    card = project.views.get("card") or next(iter(project.views.values()))
    fields = [*card.left, *card.right]

    def told(row: Json) -> Json:
        held = texts.get(str(row.get("id")))
        shown = {name: _short(held[name]) for name in fields if held.get(name)} if held else {}
        return {**row, "texts": shown} if shown else row

    return [{**one, "examples": [told(row) for row in entries(one, "examples")]} for one in found]


def disagreement_sentence(found: Json) -> str:
    """How many rows they decide differently, and who was right there."""
    rows, differ = formats.number(found.get("rows")), formats.number(found.get("differ"))
    if not rows or differ is None:
        return ""
    counts = [formats.integer(found.get(key)) for key in ("teacher_right", "student_right", "both_wrong")]
    return (
        f"{found.get('student')} and {found.get('teacher')} differ on {formats.integer(differ)} of "
        f"{formats.integer(rows)} test rows ({formats.percent(differ / rows, 1)}%): "
        f"the teacher is right on {counts[0]}, the student on {counts[1]}, neither on {counts[2]}."
    )


def right_sheet(report: Report) -> Sheet:
    """Who was right: a row for each student, every test row in one of five cells."""

    def cell(key: str) -> Callable[[Json], str]:
        return lambda row: _counted(dig(row, "cells", key))

    columns = [
        Column("Student", lambda row: str(row.get("student")), kind="name"),
        Column("Both right", cell("both_right")),
        Column("Only the teacher", cell("only_teacher")),
        Column("Only the student", cell("only_student")),
        Column("Both wrong, same label", cell("wrong_alike")),
        Column("Both wrong, different labels", cell("wrong_apart")),
    ]
    caption = "Who was right by the gold labels: test rows, and their share in percent with 95% intervals."
    return Sheet(caption, columns, [one for one in disagreements_of(report) if dig(one, "cells")])


def disagreement_sheet(found: Json) -> Sheet:
    """The rows where both are surest of different labels; the texts where the report has them."""
    rows = entries(found, "examples")
    columns = [
        Column("Row", lambda row: str(row.get("id")), kind="name"),
        *([Column("Slice", lambda row: formats.plain(row.get("slice")), kind="text")] if _sliced(rows) else []),
        Column("Gold", lambda row: str(row.get("gold")), kind="text"),
        Column("Teacher", _answer("teacher"), kind="text"),
        Column("Student", _answer("student"), kind="text"),
        *([Column("Texts", _texts, kind="prose")] if any(dig(row, "texts") for row in rows) else []),
    ]
    caption = "The test rows where both are surest, with how sure each is; nothing is chosen by them."
    return Sheet(caption, columns, rows)


def disagreements_of(report: Report) -> list[Json]:
    """Those of each student."""
    return entries(report, "disagreements")


def _counted(cell: Json) -> str:
    return f"{formats.integer(cell.get('rows'))}: {formats.percent_interval(cell, decimals=1)}"


def _sliced(rows: Sequence[Json]) -> bool:
    return any(row.get("slice") for row in rows)


def _answer(side: str) -> Callable[[Json], str]:
    return lambda row: f"{dig(row, side).get('label')} ({formats.percent(dig(row, side).get('sure'), 0)}%)"


def _texts(row: Json) -> str:
    return " · ".join(f"{name}: {text}" for name, text in dig(row, "texts").items()) or formats.MISSING


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "…"
