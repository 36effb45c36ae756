"""What each rule of `data.junk.rules` fits, source by source, with rows to look at."""

from __future__ import annotations

from collections.abc import Iterator

from distill.core.files import Json
from distill.report import formats
from distill.report.contents import Report, dig
from distill.report.table_model import Column, Sheet

_SHOWN_CHARS = 60  # of an example's text
_Row = tuple[str, Json, str, Json]


def junk_sheet(report: Report) -> Sheet:
    """A row for each rule and source in which it fits any row; without rows where a project declares no rules."""
    rules = dig(report, "audit", "junk_rules")
    columns = [
        Column("Rule", lambda row: row[0], kind="text"),
        Column("Kind", lambda row: _kind(row[1]), kind="text"),
        Column("Source", lambda row: row[2], kind="text"),
        Column("Rows", lambda row: formats.integer(row[3].get("rows"))),
        Column("It fits", lambda row: formats.integer(row[3].get("hits"))),
        Column("Share, %", lambda row: formats.percent(row[3].get("share"))),
        Column("Dropped for it", lambda row: formats.integer(row[3].get("dropped"))),
        Column("Such as", lambda row: "; ".join(map(_example, row[3].get("examples", []))), kind="prose", spare=1),
    ]
    caption = (
        "Junk rules in their order: the rows that each fits, whatever the others say, and those that were dropped for "
        "it, as no rule before it dropped them."
    )
    return Sheet(caption, columns, [row for name in rules for row in _rows(str(name), dig(rules, name))])


def _rows(name: str, rule: Json) -> Iterator[_Row]:
    """The sources in which a rule fits any row, or all of them in one row where there is none."""
    sources = dig(rule, "sources")
    fitting = [str(source) for source in sources if dig(sources, source).get("hits")]
    yield from ((name, rule, source, dig(sources, source)) for source in fitting)
    if not fitting:
        yield name, rule, "all", rule


def _kind(rule: Json) -> str:
    return f"{rule.get('kind')}{', counts only' if rule.get('action') == 'count' else ''}"


def _example(one: Json) -> str:
    text = str(one.get("text", ""))
    cut = text if len(text) <= _SHOWN_CHARS else f"{text[: _SHOWN_CHARS - 1]}…"
    return f"{one.get('id')}: {cut}" if cut else str(one.get("id"))
