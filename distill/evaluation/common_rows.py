"""The test rows that two runs share, and what became of the others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distill.core.errors import UserError
from distill.core.files import Json
from distill.core.intake.ledger import EXAMPLES
from distill.core.intake.row_texts import row_texts, stored_fields
from distill.core.manifest import MANIFEST, require_whole
from distill.core.record_store import read_columns, splits
from distill.evaluation.measured_run import MeasuredRun
from distill.evaluation.scored import Scored

Places = NDArray[np.integer[Any]]
_NOT_ASKED = ("train", "valid")  # rows that a run has learned or chosen by


@dataclass(frozen=True)
class CommonRows:
    """The rows that both runs test on with the same gold: the same record has the same place in `old` and `new`.

    Attributes: old, new: int (N,), places among each run's test rows, in the order of the new run. told: as JSON,
        `shared`; `only_old` and `only_new`, each with `rows`, `ids`, `in_other` (by split, rows that the other run
        learns or chooses by) and `slices` (slices without a shared row, with their rows); `other_label` and
        `other_text` with `rows` and `ids`. Rows of another label are left out, those of another text are not;
        `other_text` is None where the runs have no field, or one of them no records, to tell by.
    """

    old: Places
    new: Places
    told: Json


def common_rows(old: MeasuredRun, new: MeasuredRun, before: Scored, after: Scored) -> CommonRows:
    """The rows of two runs that can be compared. Args: before, after: any model of each on all its test rows.

    Raises: UserError where there are none, with what the two runs have instead.
    """
    was, now = ({id_: place for place, id_ in enumerate(one.ids)} for one in (before, after))
    both = [(was[id_], place) for id_, place in now.items() if id_ in was]
    same = [(a, b) for a, b in both if np.array_equal(before.target[a], after.target[b])]
    kept = {after.ids[place] for _, place in same}
    told = {
        "shared": len(same),
        "only_old": _only(before, now, kept, new),
        "only_new": _only(after, was, kept, old),
        "other_label": _named(after.ids[place] for _, place in both if after.ids[place] not in kept),
        "other_text": _other_text(old, new, kept),
    }
    if not same:
        raise _none_shared(old, new, before, after, told)
    places = np.asarray(same, np.int64)
    return CommonRows(places[:, 0], places[:, 1], told)


def _only(own: Scored, others: dict[str, int], kept: set[str], other: MeasuredRun) -> Json:
    """What is told of the test rows that one run has alone."""
    alone = [(id_, place) for place, id_ in enumerate(own.ids) if id_ not in others]
    named: Json = _named(id_ for id_, _ in alone)
    return {**named, "in_other": _in_other({id_ for id_, _ in alone}, other), "slices": _bare_slices(own, kept)}


def _in_other(ids: set[str], other: MeasuredRun) -> dict[str, int]:
    """By split, how many of these rows a run learns or chooses by."""
    if not ids or not other.records.is_dir():
        return {}
    found = {
        split: sum(id_ in ids for id_ in read_columns(other.records, split, ["id"])["id"].to_pylist())
        for split in splits(other.records)
        if split in _NOT_ASKED
    }
    return {split: rows for split, rows in found.items() if rows}


def _bare_slices(own: Scored, kept: set[str]) -> dict[str, int]:
    """Slices of a run without a shared row, with the rows that it has in them."""
    if own.slices is None:
        return {}
    rows = Counter(own.slices)
    shared = {name for id_, name in zip(own.ids, own.slices, strict=True) if id_ in kept}
    return {name: count for name, count in sorted(rows.items()) if name not in shared}


def _named(ids: Iterable[str]) -> Json:
    found = list(ids)
    return {"rows": len(found), "ids": found[:EXAMPLES]}


def _other_text(old: MeasuredRun, new: MeasuredRun, ids: set[str]) -> Json | None:
    if not (old.records.is_dir() and new.records.is_dir()):
        return None
    names = stored_fields(old.records)
    fields = [name for name in stored_fields(new.records) if name in names]
    if not fields:
        return None
    was, now = (_texts(run.records, fields, ids) for run in (old, new))
    return _named(id_ for id_, text in now.items() if id_ in was and was[id_] != text)


def _texts(records: Path, fields: Sequence[str], ids: set[str]) -> dict[str, int]:
    tests = [split for split in splits(records) if split.startswith("test.")]
    if (records / MANIFEST).is_file():
        require_whole(records, files=[f"{split}.parquet" for split in tests])
    rows = (row for split in tests for row in row_texts(records, split, fields))
    return {record.id: text for record, text in rows if record.id in ids}


def _none_shared(old: MeasuredRun, new: MeasuredRun, before: Scored, after: Scored, told: Json) -> UserError:
    relabelled = told["other_label"]["rows"]
    found = f"{len(before)} and {len(after)} test rows, of which " + (
        f"{relabelled} are in both, all with other labels" if relabelled else "none has an id in both"
    )
    do = (
        "rows are known by their ids (data.id): give both runs the same ids, or measure the old model on the new rows "
        f"with the new project: --teacher {old.folder / 'teachers'}/NAME"
    )
    return UserError("the two runs share no test row", where=f"{old.folder}, {new.folder}", found=found, do=do)
