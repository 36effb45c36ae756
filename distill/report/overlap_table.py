"""What the sources of a project have in common, both ways."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from distill.core.files import Json
from distill.report import formats
from distill.report.contents import Report, dig, entries
from distill.report.table_model import Column, Sheet


def overlap_sheet(report: Report) -> Sheet:
    """A row for each pair of sources and number of rows that they share, with the ways to be equal that give it.

    Without rows where sources share nothing.
    """
    found = dig(report, "source_overlaps")
    columns = [
        Column("Equal by", lambda entry: formats.plain(entry.get("kind")), kind="text"),
        Column("Source", _of("between", 0), kind="text"),
        Column("Other source", _of("between", 1), kind="text"),
        Column("Rows shared", _of("rows", 0, formats.integer)),
        Column("Share, %", _of("share", 0, formats.percent)),
        Column("Other's rows", _of("rows", 1, formats.integer)),
        Column("Other's share, %", _of("share", 1, formats.percent)),
    ]
    caption = "Rows that two sources have, junk apart and before duplicates are dropped; each counts in both."
    return Sheet(caption, columns, list(_together(entries(found, "shared"))))


def _together(shared: Iterable[Json]) -> Iterator[Json]:
    """Ways in which two sources share equally many rows as one entry: where a card is the whole text, all do."""
    ways: dict[tuple[object, ...], list[Json]] = {}
    for entry in shared:
        ways.setdefault((*entry["between"], *entry["rows"]), []).append(entry)
    for found in ways.values():
        yield {**found[0], "kind": ", ".join(str(entry["kind"]) for entry in found)}


def _of(key: str, place: int, shown: Callable[[object], str] = formats.plain) -> Callable[[Json], str]:
    return lambda entry: shown(entry[key][place])
