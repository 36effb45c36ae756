"""Soft labels made elsewhere, checked and brought into the store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distill.core.errors import UserError
from distill.core.intake.json_rows import json_value
from distill.core.intake.sources import Reading, read_rows
from distill.core.label_counts import LabelCounts
from distill.core.label_space import LabelSpace, label_name
from distill.core.progress import note
from distill.core.soft_labels import SoftLabels, shard_ranges, statuses, storable, write_shard
from distill.training.joining import Rows, missing_rows
from distill.training.learnt_rows import labelled_rows
from teachers.config import LabellingConfig
from teachers.label_card import counted, write_imported

_JSON_CELLS = Reading(quotes="double")  # whoever writes JSON into a TSV has it quoted by a CSV writer


def import_labels(
    config: LabellingConfig,
    file: Path,
    space: LabelSpace,
    records: Path,
    folder: Path,
    *,
    allow_missing: bool = False,
) -> None:
    """Step body: `folder` becomes a soft-label store with the logits of `file`, JSONL, CSV, TSV or Parquet.

    Each row holds `id` and `logits`: a list of C numbers in the order of the task's labels, or `{label: number}`; in
    CSV and TSV as JSON text.

    Args: allow_missing: store the rows that the file has; those that it leaves out are counted.
    Raises: UserError for a row without id, with wrong logits or with those of other classes (file, row and value), an
        id given twice, ids that are not in the project, and training or pool rows that the file leaves out.
    """
    logits = _read(file, space)
    rows = list(labelled_rows(records))
    _same_ids(file, rows, logits, allow_missing)
    rows = [row for row in rows if row[1].id in logits]
    ids = [record.id for _, record in rows]
    _refuse_probabilities(file, list(logits.values()))
    counts = LabelCounts()
    for index, start, stop in shard_ranges(len(rows), config.shard_rows):
        part = rows[start:stop]
        values = np.stack([logits[record.id] for _, record in part])
        texts = np.array([any(record.fields.values()) for _, record in part], np.int32)
        labels = SoftLabels(
            ids=ids[start:stop],
            sources=[source for source, _ in part],
            logits=values,
            tokens=np.full(len(part), -1, np.int32),
            cut_tokens=np.full(len(part), -1, np.int32),
            status=statuses(values, texts),
        )
        write_shard(folder, index, labels, half=config.half)
        counts += LabelCounts.of(storable(labels, config.half))
    write_imported(folder, file, counts)
    for line in counted(counts):
        note(line)


def _read(file: Path, space: LabelSpace) -> dict[str, NDArray[np.float32]]:
    found: dict[str, NDArray[np.float32]] = {}
    for row in read_rows(file, _JSON_CELLS):
        where = f"{file}, row {row.number}"
        values = row.values
        if values is None or values.get("id") in (None, ""):
            raise UserError("a row without id", where=where, found=row.problem, do="give every row id and logits")
        name = str(values["id"])
        if name in found:
            raise UserError("a duplicate id", where=where, found=name, do="keep one row per id")
        found[name] = _vector(values.get("logits"), space, where)
    return found


def _vector(value: Any, space: LabelSpace, where: str) -> NDArray[np.float32]:
    """The row's logits as float32 (K,)."""
    try:
        numbers = json_value(value) if isinstance(value, str) else value
        if isinstance(numbers, dict):
            numbers = {label_name(name): number for name, number in numbers.items()}
            if numbers.keys() != set(space.outputs):
                raise _wrong("logits of other classes than the task's", value, space, where)
            numbers = [numbers[name] for name in space.outputs]
        with np.errstate(over="ignore"):  # a number beyond float32 is infinite, and its row `nonfinite`
            vector = np.asarray(numbers, np.float32)
    except (TypeError, ValueError, OverflowError, RecursionError):
        vector = np.empty(0, np.float32)
    if vector.shape != (len(space.outputs),):
        raise _wrong("wrong logits", value, space, where)
    return vector


def _wrong(what: str, value: Any, space: LabelSpace, where: str) -> UserError:
    do = f"give {len(space.outputs)} numbers in this order, or by name: {', '.join(space.outputs)}"
    return UserError(what, where=where, found=value, do=do)


def _refuse_probabilities(file: Path, logits: Sequence[NDArray[np.float32]]) -> None:
    """Refuse probabilities under the name of logits: softened once more, they would be nearly flat."""
    values = np.stack(logits) if logits else np.zeros((0, 1), np.float32)
    if len(values) > 1 and (values >= 0).all() and np.allclose(values.sum(axis=1), 1, atol=1e-3):
        found, do = "every row is from 0 to 1 and sums to 1", "write their logarithms: log p is a logit"
        raise UserError("these are probabilities, not logits", where=str(file), found=found, do=do)


def _same_ids(file: Path, rows: Rows, logits: Mapping[str, Any], allow_missing: bool) -> None:
    missing, ids = missing_rows(rows, logits), {record.id for _, record in rows}
    if missing is not None and (not allow_missing or not ids & logits.keys()):
        do = "label all train and pool rows, or learn from those that there are: students.NAME.allow_missing: true"
        raise UserError("the file leaves out rows", where=str(file), found=missing, do=do)
    if missing is not None:
        note(f"{file.name}: {missing}")
    if strangers := [name for name in logits if name not in ids]:
        raise UserError(
            "the file names rows that are not in train or the pool",
            where=str(file),
            found=f"{len(strangers)} ids, for example {strangers[0]}",
            do="remove them, or add the records to data.pool",
        )
