"""How far the records of any file that the toolkit reads have moved from those that a bundle was measured on."""

from __future__ import annotations

import math
from pathlib import Path

from distill.core.errors import UserError
from distill.core.files import Json
from distill.core.paths import require_file
from export.batch.inputs import surveyed
from export.checked_bundle import named_errors, open_bundle
from export.drift import LIMIT
from export.held_project import reading_of
from export.record_rows import LeftOut, read_chunks
from export.verify import DRIFT


def drift_file(bundle: Path, file: Path, limit: float | None = None, threads: int | None = None) -> Json:
    """What `Bundle.drift` says of the records in a JSONL, CSV, TSV or Parquet file.

    Args: limit: least PSI that counts; None: its default.
    Raises: UserError for a damaged bundle, one without a reference, and naming the line of a record that cannot be
        read. GateFailed for a bundle that gives other answers.
    """
    if limit is not None and not 0 <= limit < math.inf:
        raise UserError("a number from 0 on is needed", where="--limit", found=limit)
    require_file(file)
    loaded, left_out = open_bundle(bundle, threads=threads), LeftOut()
    keys = loaded.told.get(DRIFT, {}).get("keys", ())
    chunks = read_chunks(surveyed(file, reading_of(bundle)), [loaded], (), left_out, maybe=keys)
    records = [row.values for chunk in chunks for row in chunk]
    if left_out.count:
        first, do = left_out.first[0], "correct the rows, or take them out: they would not be compared"
        found = f"{left_out.count} rows, the first: {first['reason']}"
        raise UserError("rows that cannot be read", where=f"{file}, line {first['line']}", found=found, do=do)
    if not records:
        raise UserError("no records to compare", where=str(file))
    with named_errors(bundle):
        return loaded.drift(records, LIMIT if limit is None else limit)
