"""What each encoder started from, which layers it kept, and what a smaller vocabulary came to."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from distill.core.files import Json
from distill.core.manifest import read_whole
from distill.core.model_folder import START_FILE
from distill.report import formats
from distill.report.contents import Report, dig, entries
from distill.report.table_model import Column, Sheet

_CHOSEN = {"spread": "evenly spread", "first": "the first", "last": "the last", "probe": "by probe"}


def start_entries(folders: Mapping[str, Path]) -> list[Json]:
    """The `starts` of report.json, from what each fit wrote into its model's folder. Args: folders: by model name."""
    found = {name: read_whole(folder, START_FILE) for name, folder in folders.items()}
    return [{"model": name, **start} for name, start in found.items() if start]


def start_sentence(entry: Json) -> str:
    """`layers 0 2 3 5 6 8 9 11 of 12, by probe`; `all layers` where none was left out."""
    layers = entry.get("layers")
    if not isinstance(layers, list) or len(layers) == entry.get("of"):
        return "all layers"
    how = _CHOSEN.get(str(entry.get("keep")), "as listed")
    return f"{' '.join(map(str, layers))} of {formats.plain(entry.get('of'))}, {how}"


def start_sheet(report: Report) -> Sheet:
    """Every encoder in one line."""
    columns = [
        Column("Model", lambda row: str(row.get("model")), kind="name"),
        Column("Starts from", lambda row: formats.plain(row.get("source")), kind="text"),
        Column("Layers", start_sentence, kind="text"),
    ]
    caption = "Layers are counted from 0. A probe takes out one layer after the other, on training rows."
    return Sheet(caption, columns, entries(report, "starts"))


def vocabulary_sheet(report: Report) -> Sheet:
    """Each start with a smaller vocabulary, in each view that is read with it."""
    columns = [
        Column("Start of", lambda row: formats.plain(row.get("start")), kind="name"),
        Column("View", lambda row: formats.plain(row.get("view")), kind="text"),
        Column("Tokens before", lambda row: formats.integer(row.get("rows_before"))),
        Column("Tokens kept", lambda row: formats.integer(row.get("rows"))),
        Column("Seen in the texts", lambda row: formats.integer(row.get("seen"))),
        Column("Parameters before", lambda row: formats.integer(row.get("parameters_before"))),
        Column("Parameters", lambda row: formats.integer(row.get("parameters"))),
        Column("Saved, MB", _saved),
        Column("Test tokens changed, %", lambda row: _share(row, "changed", "tokens")),
        Column("Test rows changed, %", lambda row: _share(row, "changed_rows", "rows")),
    ]
    caption = "Kept are the tokens of the training and pool texts, and what any other text needs to be read."
    return Sheet(caption, columns, entries(report, "vocabularies"))


def _saved(row: Json) -> str:
    before, after = (formats.number(row.get(name)) for name in ("bytes_before", "bytes"))
    return formats.MISSING if before is None or after is None else f"{(before - after) / 1e6:.1f}"


def _share(row: Json, part: str, whole: str) -> str:
    test = dig(row, "test")
    some, of = formats.number(test.get(part)), formats.number(test.get(whole))
    return formats.MISSING if some is None or not of else f"{100 * some / of:.2f}"
