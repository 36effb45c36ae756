"""What a selection made of the pool: rows before and after, by class, band of entropy, slice and key."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from distill.core.files import Json
from distill.report import formats
from distill.report.contents import dig
from distill.report.table_model import Column, Sheet

_PARTS = {"source": "Source", "class": "Answer of the labels", "entropy": "Entropy, share of the largest"}
_REASONS = {
    "outside_bands": "outside the bands of entropy",
    "over_per_key": "over the most rows per key",
    "not_needed": "not needed",
}


@dataclass(frozen=True)
class _Row:
    part: str
    name: str
    before: str
    after: str


def selection_sentence(found: Json) -> str:
    """How many rows were selected, of how many, and why the others were not."""
    if not found:
        return ""
    left = [f"{formats.integer(rows)} {_REASONS.get(name, name)}" for name, rows in dig(found, "left_out").items()]
    if without := found.get("without_label"):
        left.append(f"{formats.integer(without)} without a usable label")
    asked, rows = found.get("asked"), found.get("rows")
    short = f" {formats.integer(asked)} were asked for." if isinstance(asked, int) and asked != rows else ""
    taken = f"Students learn from {formats.integer(rows)} of {formats.integer(found.get('pool'))} rows of the pool"
    return taken + (f"; left out: {', '.join(left)}." if left else ".") + short


def selection_sheet(found: Json) -> Sheet:
    """The distributions before and after. Args: found: `selection.json`; empty: no rows."""
    columns = [
        Column("Rows with", lambda row: row.name, kind="label"),
        Column("Before", lambda row: row.before),
        Column("After", lambda row: row.after),
    ]
    caption = "Rows of the labelled pool, and their shares, before and after the selection."
    return Sheet(caption, columns, [*_counts(found), *_keys(found)], section=lambda row: str(row.part))


def _counts(found: Json) -> Iterator[_Row]:
    parts = _PARTS | ({"slice": "Slice"} if set(dig(found, "before", "slice")) - {""} else {})
    for part, heading in parts.items():
        before, after = dig(found, "before", part), dig(found, "after", part)
        for name, rows in before.items():
            yield _Row(heading, str(name) or "–", _share(rows, before), _share(after.get(name, 0), after))


def _keys(found: Json) -> Iterator[_Row]:
    before, after = dig(found, "before", "keys"), dig(found, "after", "keys")
    for path, counts in before.items():
        yield _Row(f"Key {path}", "values", *_pair(counts, dig(after, path), "values"))
        yield _Row(f"Key {path}", "most rows of one value", *_pair(counts, dig(after, path), "most"))


def _pair(before: Json, after: Json, name: str) -> tuple[str, str]:
    return formats.integer(before.get(name, 0)), formats.integer(after.get(name, 0))


def _share(rows: int, counts: Json) -> str:
    total = sum(counts.values())
    return f"{formats.integer(rows)} ({rows / total:.1%})" if total else formats.integer(rows)
