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
from distill.core.label_space import LabelSpace, label_name, scalar_text
from distill.core.progress import note
from distill.core.records import Record
from distill.core.soft_labels import SoftLabels, statuses, storable, write_shard
from distill.training.learnt_rows import labelled_rows, labelled_splits
from distill.training.split_rows import SplitRows
from teachers.config import LabellingConfig
from teachers.label_card import counted, write_imported

Logits = NDArray[np.float32]
_ALIKE = 0.99  # share of rows that look like probabilities where all are
_LOOKED_AT = 10_000
_SLACK = 0.01  # of a sum of probabilities: bf16, the coarsest format of a model's answers, misses 1 by 4e-3
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
    _refuse_probabilities(file, given.logits, space)
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
            name = scalar_text(values["id"])
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


def _refuse_probabilities(file: Path, logits: Logits, space: LabelSpace) -> None:
    """Refuse probabilities under the name of logits: softened once more, they would be nearly flat.

    Looked at are some 10,000 rows; one without a number says nothing, and one in a hundred may be written badly.
    """
    rows = logits[:: 1 + len(logits) // _LOOKED_AT]
    rows = rows[np.isfinite(rows).all(axis=1)]
    if len(rows) < 2 or np.mean(_like_probabilities(rows, space.objective.several)) < _ALIKE:
        return
    if space.objective.several:
        found, logit = "every number is from 0 to 1", "log(p / (1 - p)), p cut to 1e-6 and 1 - 1e-6,"
    else:
        found, logit = "every row is from 0 to 1 and sums to about 1", "log p, p at least 1e-6,"
    do = f"write their logarithms: {logit} is a logit"
    raise UserError("these are probabilities, not logits", where=str(file), found=found, do=do)


def _like_probabilities(rows: Logits, several: bool) -> NDArray[np.bool_]:
    """Which rows (N, K) may be probabilities: from 0 to 1 and, of classes that compete, with a sum near 1.

    Numbers of few digits miss that sum by half a unit of the last one each.
    """
    within = ((rows >= 0) & (rows <= 1)).all(axis=1)
    if several:
        return np.asarray(within)
    slack = max(_SLACK, rows.shape[1] * 0.5 * 10.0 ** -_digits(rows))
    return np.asarray(within & (np.abs(rows.sum(axis=1) - 1) <= slack))


def _digits(rows: Logits) -> int:
    """How many digits behind the point nearly all numbers have; 7 where they have more than 6."""
    near = (np.isclose(rows, rows.round(digits), rtol=0, atol=1e-7).mean() for digits in range(1, 7))
    return next((digits for digits, share in enumerate(near, start=1) if share >= _ALIKE), 7)


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
