"""What each rule of `data.junk.rules` fits, source by source, with rows to look at."""

from __future__ import annotations

from distill.core.files import Json
from distill.report import formats
from distill.report.contents import Report, dig
from distill.report.table_model import Column, Sheet

_SHOWN_CHARS = 60  # of an example's text
_Row = tuple[str, Json, str, Json]


def junk_sheet(report: Report) -> Sheet:
    """A row for each rule and source; without rows where a project declares no rules."""
    rules = dig(report, "audit", "junk_rules")
    rows: list[_Row] = [
        (str(name), dig(rules, name), str(source), dig(rules, name, "sources", source))
        for name in rules
        for source in dig(rules, name, "sources")
    ]
    columns = [
        Column("Source", lambda row: row[2], kind="text"),
        Column("Rows", lambda row: formats.integer(row[3].get("rows"))),
        Column("It fits", lambda row: formats.integer(row[3].get("hits"))),
        Column("Share, %", lambda row: formats.percent(row[3].get("share"))),
        Column("Dropped for it", lambda row: formats.integer(row[3].get("dropped"))),
        Column(
            "Such as", lambda row: "; ".join(_example(one) for one in row[3].get("examples", [])), kind="prose", spare=1
        ),
    ]
    caption = (
        "Junk rules in their order: the rows that each fits, whatever the others say, and those that were dropped for "
        "it, as no rule before it dropped them."
    )
    return Sheet(caption, columns, rows, _heading)


def _heading(row: _Row) -> str:
    name, rule = row[0], row[1]
    counted = ", counts only" if rule.get("action") == "count" else ""
    return f"{name} ({rule.get('kind')}{counted})"


def _example(one: Json) -> str:
    text = str(one.get("text", ""))
    cut = text if len(text) <= _SHOWN_CHARS else f"{text[: _SHOWN_CHARS - 1]}…"
    return f"{one.get('id')}: {cut}" if cut else str(one.get("id"))
