"""One answer for each key, from the answers of all its rows: the table that a lookup before the model needs.

Rows are dealt by a hash of their key to parts that fit in memory, each part is grouped by Arrow, and the parts are put
together in the order in which the keys first appear. No more than one part is in memory, however many keys there are.
"""

from __future__ import annotations

import heapq
import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zlib import crc32

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from distill.core.errors import UserError
from distill.core.files import Json, disk_error, replacing
from export.answers import Shape, open_answers
from export.verify import CLASS_F1, PARITY_TOLERANCE

if TYPE_CHECKING:
    from export.runtime import Bundle


_PART_ROWS, _MOST_PARTS = 1 << 15, 512
_BATCH_ROWS = 256  # of each part in memory while parts are put together
_MORE = {"rows": "int64", "conflict": "bool"}


@dataclass(frozen=True)
class KeyTable:
    """What a table came to. Attributes: conflicts: keys whose rows have different answers."""

    keys: int
    conflicts: int


def with_counts(shape: Shape) -> Shape:
    """The shape of the table, of that of the answers: with how many rows a key has, and whether they differ."""
    return replace(shape, more={**shape.more, **_MORE})


class Grouping:
    """Answers by key.

    Two rows differ where label or `positive` do, or a probability by over 1e-4, as far as logits may be off.

    Args: model: that answered. point: operating point. shape: of the answers, whose first column is `key`. folder: for
        parts; the caller removes it.
    """

    def __init__(self, model: Bundle, point: str | None, shape: Shape, folder: Path) -> None:
        self._model, self._point, self._shape, self._folder = model, point, shape, folder
        self._chances = [f"p{number}" for number in range(len(shape.labels))]
        self._positive = "positive" in shape.more

    def write(self, shards: Sequence[Path], rows: int, rule: str, out: Path, ending: str) -> KeyTable:
        """Write the table atomically. Args: shards: Parquet files of answers, in order. rows: of all of them.

        Raises: UserError for the rule `error` where keys have different answers, naming the first of them; and when
            the disk does not take it.
        """
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            parts = self._deal(shards, min(_MOST_PARTS, -(-rows // _PART_ROWS)))
            counts = [self._group(path) for path in parts]
        except OSError as error:
            raise disk_error(self._folder, error) from error
        table = KeyTable(sum(keys for keys, _ in counts), sum(conflicts for _, conflicts in counts))
        if rule == "error" and table.conflicts:
            first = next(row for row in _in_order(parts) if row["conflict"])
            found = f"{table.conflicts} of {table.keys} keys, first {first['key']!r} in {first['rows']} rows"
            do = "choose --conflicts first or mean: finished shards are kept; or a key that tells the rows apart"
            raise UserError("rows of one key have different answers", where="--key", found=found, do=do)
        with replacing(out) as partial, open_answers(partial, ending, with_counts(self._shape)) as write:
            for row in _in_order(parts):
                write(self._answer(row, mean=rule == "mean"))
        return table

    def _deal(self, shards: Sequence[Path], count: int) -> list[Path]:
        """The rows of all shards, flat and numbered, each in the part of its key, in their order."""
        paths = [self._folder / f"part-{number:03d}.arrow" for number in range(count)]
        first = 0
        with ExitStack() as stack:
            writers: list[Any] = []
            for table in _read_together(shards):
                flat = self._flat(table, first)
                writers = writers or [stack.enter_context(pa.ipc.new_file(str(path), flat.schema)) for path in paths]
                place = np.fromiter((crc32(key.encode()) % count for key in flat["key"].to_pylist()), np.int32)
                for number in np.unique(place):
                    writers[number].write_table(flat.filter(pa.array(place == number)))
                first += len(table)
        return paths

    def _flat(self, table: pa.Table, first: int) -> pa.Table:
        """Answers without lists and structs, numbered from `first` on."""
        chances = table["probabilities"].combine_chunks()
        columns = {"key": table["key"], "row": pa.array(np.arange(first, first + len(table)))}
        columns |= {name: chances.field(number) for number, name in enumerate(self._chances)}
        label = table["label"]
        columns["label"] = pa.array([json.dumps(one) for one in label.to_pylist()]) if self._shape.several else label
        if self._positive:
            columns["positive"] = table["positive"]
        return pa.table(columns)

    def _group(self, path: Path) -> tuple[int, int]:
        """Put one row per key in place of a part's rows, in their order; how many keys, and conflicts among them."""
        with pa.OSFile(str(path)) as file:
            rows = pa.ipc.open_file(file).read_all()
        first = ["row", "label", *self._chances, *(["positive"] if self._positive else [])]
        asked = [(name, "first") for name in first] + [("row", "count"), ("label", "count_distinct")]
        asked += [(name, how) for name in self._chances for how in ("mean", "min", "max")]
        asked += [("positive", how) for how in ("min", "max") if self._positive]
        found = rows.group_by("key", use_threads=False).aggregate(asked).sort_by("row_first")
        differ = pc.greater(found["label_count_distinct"], 1)
        for name in self._chances:
            apart = pc.subtract(found[f"{name}_max"], found[f"{name}_min"])
            differ = pc.or_(differ, pc.greater(apart, PARITY_TOLERANCE))
        if self._positive:
            differ = pc.or_(differ, pc.not_equal(found["positive_min"], found["positive_max"]))
        columns = {"key": found["key"], "row": found["row_first"], "label": found["label_first"]}
        columns |= {name: found[f"{name}_first"] for name in self._chances}
        columns |= {f"{name}_mean": found[f"{name}_mean"] for name in self._chances}
        columns |= {"positive": found["positive_first"]} if self._positive else {}
        table = pa.table({**columns, "rows": found["row_count"], "conflict": differ})
        with pa.ipc.new_file(str(path), table.schema) as writer:
            writer.write_table(table, max_chunksize=_BATCH_ROWS)
        return len(table), int(pc.sum(differ).as_py() or 0)

    def _answer(self, row: Json, *, mean: bool) -> Json:
        """A key's answer: of its first row, or of the mean where the rows differ."""
        mean = mean and row["conflict"]
        chances = [row[f"{name}_mean" if mean else name] for name in self._chances]
        if mean:
            said = self._decided(chances)
        else:
            said = {"label": json.loads(row["label"]) if self._shape.several else row["label"]}
            said |= {"positive": row["positive"]} if self._positive else {}
        named = dict(zip(self._shape.labels, chances, strict=True))
        return {"key": row["key"], **said, "probabilities": named, "rows": row["rows"], "conflict": row["conflict"]}

    def _decided(self, chances: Sequence[float]) -> Json:
        """Label and `positive` at these probabilities, by the rules of `runtime.Bundle.answers`."""
        named = dict(zip(self._shape.labels, chances, strict=True))
        if self._point == CLASS_F1:
            least = self._model.class_thresholds
            return {"label": [name for name, chance in named.items() if chance >= least[name]]}
        if self._shape.several:
            said: Json = {"label": [name for name, chance in named.items() if chance >= 0.5]}
        else:
            said = {"label": max(named, key=lambda name: named[name])}
        if self._point is not None:
            said["positive"] = named[self._model.after["positive"]] >= self._model.threshold(self._point)
        return said


def _read_together(shards: Sequence[Path]) -> Iterator[pa.Table]:
    """The shards' rows, about as many at once as a part has."""
    held: list[pa.Table] = []
    for number, path in enumerate(shards, 1):
        held.append(pq.ParquetFile(path).read())
        if sum(map(len, held)) >= _PART_ROWS or number == len(shards):
            yield pa.concat_tables(held)
            held.clear()


def _in_order(parts: Sequence[Path]) -> Iterator[Json]:
    """The rows of all parts by the number of their first row."""
    return heapq.merge(*map(_rows, parts), key=lambda row: row["row"])


def _rows(path: Path) -> Iterator[Json]:
    with pa.OSFile(str(path)) as file:
        reader = pa.ipc.open_file(file)
        for number in range(reader.num_record_batches):
            yield from reader.get_batch(number).to_pylist()
