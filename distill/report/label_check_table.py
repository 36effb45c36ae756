"""What a check of label stores found."""

from __future__ import annotations

import math
from typing import Any

from distill.core.files import Json
from distill.report import formats
from distill.report.table_model import Column, Sheet


def label_check_sheet(found: Json) -> Sheet:
    """A row for each store: what is in it, and how far the rows that were scored again are from their labels."""
    columns = [
        Column("Store", lambda row: row["store"], kind="name"),
        Column("Teacher", lambda row: row["teacher"] or formats.MISSING, kind="name"),
        Column("Precision", lambda row: row["precision"] or formats.MISSING, kind="text"),
        Column("Shards", lambda row: formats.integer(row["shards"])),
        Column("Rows", lambda row: formats.integer(row["rows"])),
        Column("Scored again", lambda row: formats.integer(row["scored"])),
        Column("Largest difference", lambda row: _small(row["largest"], row)),
        Column("Tolerance", lambda row: _small(row["tolerance"], row)),
        Column("", _verdict, kind="text"),
    ]
    caption = "Every file is as its step left it. Differences are of logits, of a seeded sample of rows."
    return Sheet(caption, columns, found["stores"])


def _small(value: Any, row: Json) -> str:
    if not row["scored"]:
        return formats.MISSING
    return f"{value:.2g}" if value is not None and math.isfinite(value) else "no number"


def _verdict(row: Json) -> str:
    return row["note"] or ("the teacher's" if row["passed"] else "not the teacher's")
