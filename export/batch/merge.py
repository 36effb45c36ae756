"""Finished shards as one file, in their order."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from distill.core.files import replacing
from export.answers import arrow_schema, open_answers
from export.batch.store import Store

_GROUP_ROWS = 1 << 16  # of a row group in Parquet


def merge_answers(store: Store, shards: int, out: Path) -> None:
    """Write the answers of all shards to `out`, atomically. Raises: UserError when the disk does not take it."""
    paths = [store.answers(index) for index in range(shards)]
    with replacing(out) as partial:
        if store.ending == ".parquet":
            _merge_parquet(paths, partial, arrow_schema(store.shape))
            return
        if store.ending.startswith((".csv", ".tsv")):
            with open_answers(partial, store.ending, store.shape):
                pass  # the header
        _append(paths, partial)  # files in gzip one after the other are one file in gzip


def merge_rejects(store: Store, shards: int, out: Path) -> None:
    """Write the rejects of all shards to `out`, atomically; of none, remove what an earlier call left there."""
    paths = [path for index in range(shards) if (path := store.rejects(index)).exists()]
    if paths:
        with replacing(out) as partial:
            _append(paths, partial)
    else:
        out.unlink(missing_ok=True)


def _append(paths: Iterable[Path], out: Path) -> None:
    with out.open("ab") as whole:
        for path in paths:
            with path.open("rb") as part:
                shutil.copyfileobj(part, whole)


def _merge_parquet(paths: Sequence[Path], out: Path, schema: pa.Schema) -> None:
    held: list[pa.Table] = []
    with pq.ParquetWriter(out, schema) as writer:
        for path in paths:
            held.append(pq.ParquetFile(path).read())
            if sum(table.num_rows for table in held) >= _GROUP_ROWS:
                writer.write_table(pa.concat_tables(held))
                held.clear()
        if held:
            writer.write_table(pa.concat_tables(held))
