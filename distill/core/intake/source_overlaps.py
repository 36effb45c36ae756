"""What the sources of a project have in common, before duplicates are dropped: a matrix of shared rows, both ways.

The ledger counts a row that two sources have in the first of them, so it cannot say that the second holds nothing new.
Here every row that can be read and is no junk counts in its own source.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distill.core.files import Json, write_json
from distill.core.intake.compared_text import read_texts, side_texts, text_hash, text_key
from distill.core.intake.extra import is_extra
from distill.core.intake.key_column import KeyColumn
from distill.core.intake.one_order import in_one_order
from distill.core.intake.pool import pool_config
from distill.core.intake.rows import Check
from distill.core.project import Project
from distill.core.records import Record

OVERLAPS_FILE = "overlaps.json"
_PIECE = 1 << 20
_OF_TEXTS = ("text", "document", "card")
_Keys = NDArray[np.uint64]


class SourceOverlaps:
    """Gathers 64-bit hashes of the rows of all sources, in files where they are many.

    Rows are equal by `text`, all fields of all views; by `document`; by `card`, as far as a model can read it; and by
    `key:COLUMN`, each column of `data.keys`. Nothing empty is equal to anything. Views count where the records depend
    on them anyway (`pool_config`), so that none of their settings makes records anew for the sake of this.

    To compare takes 8 bytes a row, of all sources, one way to be equal after the other: 8 MB for a million rows.
    """

    def __init__(self, project: Project) -> None:
        self._kinds = _kinds(project)
        self._keys: dict[str, list[KeyColumn]] = {}

    def watch(self, source: str) -> Check:
        """A check that lets all rows of a source pass and remembers them."""
        own = self._keys[source] = [KeyColumn() for _ in self._kinds]

        def check(record: Record) -> None:
            for column, key in zip(own, self._kinds.values(), strict=True):
                column.append(key(record))

        return check

    def write(self, folder: Path) -> None:
        """Write `overlaps.json`.

        It is `{"rows": {source: n}, "shared": [{"kind", "between": [a, b], "rows": [n, m], "share": [x, y]}]}`: n of
        the rows of `a` are in `b`, and m of those of `b` in `a`. Pairs that share nothing are left out.
        """
        rows = {source: len(own[0]) for source, own in self._keys.items()}
        write_json(folder / OVERLAPS_FILE, {"rows": rows, "shared": list(self._shared(rows))})

    def _shared(self, sizes: Mapping[str, int]) -> Iterator[Json]:
        for number, kind in enumerate(self._kinds):
            keys = {source: np.sort(own[number].whole()) for source, own in self._keys.items()}
            for a, b in combinations(keys, 2):
                if rows := _among(keys[a], keys[b]):
                    counts = [rows, _among(keys[b], keys[a])]
                    shares = [count / sizes[source] for count, source in zip(counts, (a, b), strict=True)]
                    yield {"kind": kind, "between": [a, b], "rows": counts, "share": shares}


def contained(found: Mapping[str, Any], limit: float) -> list[Json]:
    """The sources that an earlier one holds: `{"source", "in", "kind", "rows", "share"}`, by the strictest way to be
    equal that reaches the share. Keys do not count, and neither do extra rows, which may be training rows under older
    labels.

    Args: found: the content of `overlaps.json`. limit: share of the source's rows.
    """
    held: dict[tuple[str, str], Json] = {}
    for entry in found.get("shared", []):
        earlier, source = entry["between"]
        rows, share = entry["rows"][1], entry["share"][1]
        if entry["kind"] in _OF_TEXTS and share >= limit and not is_extra(source):
            one = {"source": source, "in": earlier, "kind": entry["kind"], "rows": rows, "share": share}
            held.setdefault((source, earlier), one)
    return list(held.values())


def contained_warnings(found: list[Json]) -> Iterator[str]:
    """A warning for each source that another one holds."""
    for one in found:
        what = {"text": "the same texts", "document": "the same documents", "card": "the same cards"}[one["kind"]]
        share = f"{one['rows']} rows, {one['share']:.0%} of {one['source']}"
        yield f"{one['source']} holds {what} as {one['in']} ({share}): if they are meant to differ, they do not"


def _kinds(project: Project) -> dict[str, Callable[[Record], int]]:
    views, compared = project.views, pool_config(project)

    def ordered(record: Record) -> Record:
        return in_one_order(record, views["card"].swap)

    def key_of(path: str) -> Callable[[Record], int]:
        return lambda record: text_key(record.keys.get(path, ""))

    kinds: dict[str, Callable[[Record], int]] = {"text": lambda record: text_hash(ordered(record))}
    if "document" in compared:
        kinds["document"] = lambda record: text_key(*side_texts(ordered(record), views["document"]))
    if "read_card" in compared:
        kinds["card"] = lambda record: text_key(*read_texts(ordered(record), views["card"]))
    return kinds | {f"key:{path}": key_of(path) for path in project.data.keys}


def _among(own: _Keys, other: _Keys) -> int:
    """How many of the keys the other ones have too; both sorted, 0 is an empty text."""
    found = 0
    for start in range(0, len(own) if len(other) else 0, _PIECE):
        piece = own[start : start + _PIECE]
        places = np.minimum(np.searchsorted(other, piece), len(other) - 1)
        found += int(np.count_nonzero((other[places] == piece) & (piece != 0)))
    return found
