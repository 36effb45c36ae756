"""Soft labels made elsewhere, checked and brought into the store."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
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
from distill.core.records import Record
from distill.core.soft_labels import SoftLabels, statuses, storable, write_shard
from distill.training.learnt_rows import labelled_rows, labelled_splits
from distill.training.split_rows import SplitRows
from teachers.config import LabellingConfig
from teachers.label_card import counted, write_imported

Logits = NDArray[np.float32]
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
    given = _Given.read(file, space)
    _same_ids(file, SplitRows.read(records, labelled_splits(records)), given, allow_missing)
    _refuse_probabilities(file, given.logits)
    rows = (row for row in labelled_rows(records) if row[1].id in given.places)
    counts, index = LabelCounts(), 0
    while part := list(islice(rows, config.shard_rows)):
        labels = _labels(part, given)
        write_shard(folder, index, labels, half=config.half)
        counts += LabelCounts.of(storable(labels, config.half))
        index += 1
    write_imported(folder, file, counts)
    for line in counted(counts):
        note(line)


@dataclass(frozen=True)
class _Given:
    """The N rows of a file. Attributes: places: of each id in `logits`. logits: float32 (N, K)."""

    places: Mapping[str, int]
    logits: Logits

    @classmethod
    def read(cls, file: Path, space: LabelSpace) -> _Given:
        """Raises: as `import_labels`."""
        places: dict[str, int] = {}
        numbers = array("f")
        for row in read_rows(file, _JSON_CELLS):
            where = f"{file}, row {row.number}"
            values = row.values
            if values is None or values.get("id") in (None, ""):
                raise UserError("a row without id", where=where, found=row.problem, do="give every row id and logits")
            name = str(values["id"])
            if name in places:
                raise UserError("a duplicate id", where=where, found=name, do="keep one row per id")
            places[name] = len(places)
            numbers.extend(_vector(values.get("logits"), space, where))
        return cls(places, np.frombuffer(numbers, np.float32).reshape(len(places), len(space.outputs)))


def _labels(part: Sequence[tuple[str, Record]], given: _Given) -> SoftLabels:
    """Some of the rows with their logits."""
    ids = [record.id for _, record in part]
    values = given.logits[[given.places[name] for name in ids]]
    return SoftLabels(
        ids=ids,
        sources=[source for source, _ in part],
        logits=values,
        tokens=np.full(len(part), -1, np.int32),
        cut_tokens=np.full(len(part), -1, np.int32),
        status=statuses(values, np.array([any(record.fields.values()) for _, record in part], np.int32)),
    )


def _vector(value: Any, space: LabelSpace, where: str) -> Logits:
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


def _refuse_probabilities(file: Path, logits: Logits) -> None:
    """Refuse probabilities under the name of logits: softened once more, they would be nearly flat."""
    if len(logits) > 1 and (logits >= 0).all() and np.allclose(logits.sum(axis=1), 1, atol=1e-3):
        found, do = "every row is from 0 to 1 and sums to 1", "write their logarithms: log p is a logit"
        raise UserError("these are probabilities, not logits", where=str(file), found=found, do=do)


def _same_ids(file: Path, rows: SplitRows, given: _Given, allow_missing: bool) -> None:
    # Not by Arrow: a file may name ids that are no text, with half of a surrogate pair.
    missing = np.array([name not in given.places for chunk in rows.ids.chunks for name in chunk.to_pylist()], bool)
    if missing.any():
        found = rows.without_logits(missing)
        if not allow_missing or missing.all():
            do = "label all train and pool rows, or learn from those that there are: students.NAME.allow_missing: true"
            raise UserError("the file leaves out rows", where=str(file), found=found, do=do)
        note(f"{file.name}: {found}")
    if strange := len(given.places) - int((~missing).sum()):
        known = set(rows.ids.to_pylist())
        raise UserError(
            "the file names rows that are not in train or the pool",
            where=str(file),
            found=f"{strange} ids, for example {next(name for name in given.places if name not in known)}",
            do="remove them, or add the records to data.pool",
        )
