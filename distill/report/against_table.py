"""Records beside those of an earlier run: a row for each source and for each of its slices."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from distill.core.files import Json
from distill.report import formats
from distill.report.contents import Report, dig
from distill.report.table_model import Column, Sheet

_COUNTS = {
    "old": "Old rows",
    "new": "New rows",
    "same": "Same",
    "changed": "Changed text",
    "gone": "Gone",
    "added": "Added",
    "moved_out": "Moved out",
    "moved_in": "Moved in",
}
_Row = tuple[str, str, Json]


def against_sheet(report: Report) -> Sheet:
    """Gone, added, changed and moved rows by source and slice; without rows where nothing was compared."""
    against = dig(report, "audit", "against")
    sources = dig(against, "sources")
    columns = [
        Column("Source", lambda row: str(row[0]), kind="text"),
        Column("Slice", lambda row: str(row[1]), kind="text"),
        *(Column(head, _count(key)) for key, head in _COUNTS.items()),
    ]
    caption = (
        f"Rows beside {against.get('name')}, by id: old = same + changed + gone + moved out, new = same + changed + "
        "added + moved in."
    )
    return Sheet(caption, columns, [row for split in sources for row in _rows(str(split), dig(sources, split))])


def _rows(split: str, counts: Json) -> Iterator[_Row]:
    yield split, "all", counts
    slices = dig(counts, "slices")
    yield from ((split, str(name) or "no slice", dig(slices, name)) for name in slices)


def _count(key: str) -> Callable[[_Row], str]:
    return lambda row: formats.integer(row[2].get(key))
