"""What each stage of a cascade labelled, how often that was right, and what it cost."""

from __future__ import annotations

from distill.core.files import Json
from distill.report import formats
from distill.report.contents import dig, entries
from distill.report.table_model import Column, Sheet


def cascade_sentence(found: Json) -> str:
    """How many rows have a label, and how even the classes are."""
    rows, labelled = found.get("rows") or 0, found.get("labelled") or 0
    shares = ", ".join(
        f"{one.get('label')} {_share(one.get('share'))} (gold: {_share(one.get('gold_share'))})"
        for one in entries(found, "classes")
    )
    told = f"{found.get('teacher')}: {formats.integer(labelled)} of {formats.integer(rows)} rows have a label"
    return f"{told}, {formats.integer(found.get('unlabelled'))} have none. Labels by class: {shares}."


def cascade_sheet(found: Json) -> Sheet:
    """One row for each stage. Args: found: `coverage.json`; empty: no rows."""
    total = found.get("rows") or 0
    columns = [
        Column("Stage", lambda row: str(row.get("stage")), kind="name"),
        Column("Rows", lambda row: formats.integer(row.get("rows"))),
        Column("Coverage", lambda row: _share(row["rows"] / total if total else None)),
        Column("Accuracy", lambda row: formats.percent_interval(row.get("accuracy"))),
        Column("on gold rows", lambda row: formats.integer(row.get("gold_rows"))),
        Column("Seconds", lambda row: f"{row.get('seconds') or 0:.1f}"),
        Column("Requests", lambda row: formats.integer(row.get("requests"))),
        Column("Money", lambda row: f"{row['money']:.4f}" if row.get("money") else formats.MISSING),
        Column("Went past it", _passed, kind="prose"),
    ]
    caption = (
        "Rows by the stage that labelled them. Accuracy is counted on training rows, whose gold no stage has seen, "
        "with Wilson's 95% interval; seconds are those of all processes together. Requests and money are those that "
        "these labels took: answers that the run had already, of an earlier start or for other rows, cost nothing."
    )
    return Sheet(caption, columns, entries(found, "stages"))


def _passed(row: Json) -> str:
    return "; ".join(f"{formats.integer(count)} rows: {why}" for why, count in dig(row, "errors").items())


def _share(value: float | None) -> str:
    return formats.MISSING if value is None else f"{value:.1%}"
