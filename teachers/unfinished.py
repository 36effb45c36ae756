"""What of a label store is still to be labelled; shards that are there are checked, and refused rather than redone."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from distill.core.errors import UserError
from distill.core.label_counts import LabelCounts
from distill.core.record_rows import RecordRows
from distill.core.soft_labels import finished_shard, shard_files, shard_path
from teachers.label_origins import Origins
from teachers.shards import Copies, Part, Shard


@dataclass(frozen=True)
class Missing:
    """The shards that are to be labelled, those that are to be copied then, and what those that are there came to."""

    shards: Sequence[Shard]
    copies: Sequence[Copies]
    done: LabelCounts


def missing_shards(part: Part, origins: Origins, folder: Path) -> Missing:
    """What is missing of a part. Raises: UserError as `finished_shard`."""
    written = [one for one in part.planned if shard_path(folder, one.index).exists()]
    done = LabelCounts()
    with ExitStack() as stack:
        rows = {place: stack.enter_context(RecordRows(place)) for place in {one.records for one in written}}
        for one in written:
            ids = rows[one.records].ids(one.spans).to_pylist()
            labels = finished_shard(folder, one.index, ids, origins.origin(one))
            assert labels is not None  # nobody takes a finished shard away
            done += LabelCounts.of(labels)
    known = {one.index for one in written}
    shards = [one for one in part.shards if one.index not in known]
    return Missing(shards, [one for one in part.copies if one.shard.index not in known], done)


def require_planned(folder: Path, planned: Sequence[Part]) -> None:
    """Refuse shards that this run would not write, such as those of smaller `shard_rows`. Raises: UserError."""
    wanted = {shard_path(folder, shard.index) for part in planned for shard in part.planned}
    if strangers := [path for path in shard_files(folder) if path not in wanted]:
        raise UserError(
            "a shard is of none of the rows to label",
            where=str(strangers[0]),
            found=f"{len(strangers)} shards beyond the {len(wanted)} of these rows and this shard_rows",
            do="move them away: they are of other records or another labelling.shard_rows",
        )
