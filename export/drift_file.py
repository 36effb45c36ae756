"""How far the records of any file that the toolkit reads have moved from those that a bundle was measured on."""

from __future__ import annotations

from pathlib import Path

from distill.core.errors import UserError
from distill.core.files import Json
from export.checked_bundle import named_errors, open_bundle
from export.drift import LIMIT
from export.record_rows import LeftOut, read_chunks


def drift_file(bundle: Path, file: Path, limit: float | None = None, threads: int | None = None) -> Json:
    """What `Bundle.drift` says of the records in a JSONL, CSV, TSV or Parquet file.

    Args: limit: least PSI that counts; None: its default.
    Raises: UserError for a damaged bundle, one without a reference, and naming the line of a record that cannot be
        read. GateFailed for a bundle that gives other answers.
    """
    loaded, left_out = open_bundle(bundle, threads=threads), LeftOut()
    records = [row.values for chunk in read_chunks(file, [loaded], left_out) for row in chunk]
    if left_out.count:
        first, do = left_out.first[0], "correct the rows, or take them out: they would not be compared"
        found = f"{left_out.count} rows, the first: {first['reason']}"
        raise UserError("rows that cannot be read", where=f"{file}, line {first['line']}", found=found, do=do)
    if not records:
        raise UserError("no records to compare", where=str(file))
    with named_errors(bundle):
        return loaded.drift(records, LIMIT if limit is None else limit)
