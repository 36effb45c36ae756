"""Records beside those of an earlier run or another project: rows gone, new or changed, by source and slice."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

from distill.core.errors import UserError
from distill.core.files import Json
from distill.core.intake.ledger import EXAMPLES
from distill.core.intake.row_texts import row_texts, stored_fields
from distill.core.manifest import MANIFEST, require_whole
from distill.core.project import Project
from distill.core.record_store import in_order, splits
from distill.core.run_folder import RECORDS
from distill.core.tables import opened, read

SAME, CHANGED, GONE, ADDED, MOVED_IN, MOVED_OUT = "same", "changed", "gone", "added", "moved_in", "moved_out"
_OF_OLD, _OF_NEW = (SAME, CHANGED, GONE, MOVED_OUT), (SAME, CHANGED, ADDED, MOVED_IN)
_NO_SLICE, _BATCH_ROWS = "", 4096


def old_records(project: Project) -> Path | None:
    """The records folder that `data.against` names, a run folder or one of records; None where it names none.

    Raises: UserError for a folder that holds no records.
    """
    if project.data.against is None:
        return None
    place = Path(project.data.root) / project.data.against
    below = [place / RECORDS, *sorted(place.glob(f"seed-*/{RECORDS}")), place]
    found = next((folder for folder in below if any(folder.glob("*.parquet"))), None)
    if found is None:
        do = "give the folder of a run whose audit is made, or a folder of records"
        raise UserError("there are no records to compare with", where="data.against", found=str(place), do=do)
    return found


def compare_records(new: Path, old: Path) -> Json:
    """What became of the rows of `old` in `new`, both records folders.

    Rows are known by their ids; a text counts as changed by the fields that both have, in the form in which leaks are
    looked for. Of each source `old` = same + changed + gone + moved_out and `new` = same + changed + added + moved_in.

    Returns: `fields` (`shared`, `only_old`, `only_new`); `sources`: of each split the counts, `examples` of ids, and
        `slices` with the counts of each, where there are slices; `identical`: pairs (old, new) of pool sources with the
        same texts.
    Raises: UserError for records that are damaged or have no field in common.
    """
    for folder in (old, new):
        if (folder / MANIFEST).is_file():
            require_whole(folder)
    names = {folder: stored_fields(folder) for folder in (old, new)}
    shared = [name for name in names[new] if name in names[old]]
    if not shared:
        found = f"{', '.join(names[old])} there, {', '.join(names[new])} here"
        raise UserError("the records to compare with have other fields", where=str(old), found=found)
    with TemporaryDirectory(prefix="against-") as place:
        versions = _Versions(old, new, shared, Path(place))
        sources, identical = _sources(versions), [list(pair) for pair in versions.identical()]
    return {
        "fields": {
            "shared": shared,
            "only_old": [name for name in names[old] if name not in shared],
            "only_new": [name for name in names[new] if name not in shared],
        },
        "sources": sources,
        "identical": identical,
    }


def uncovered_slices(slices: Mapping[str, Mapping[str, int]]) -> dict[str, dict[str, int]]:
    """By pool source the rows of each slice that no training row has; only sources with such rows.

    Args: slices: of the audit's balance: split to rows of each slice.
    """
    covered = {name for name, rows in slices.get("train", {}).items() if rows}
    found = {
        split: {name: rows for name, rows in own.items() if name != _NO_SLICE and rows and name not in covered}
        for split, own in slices.items()
        if split.startswith("pool.")
    }
    return {split: own for split, own in found.items() if own}


class _Versions:
    """The rows of both versions, side by side, on disk where memory is short.

    A row that has moved counts twice: where it was and where it is.
    """

    def __init__(self, old: Path, new: Path, fields: Sequence[str], place: Path) -> None:
        self._base = opened(place)
        for name, folder in (("before", old), ("after", new)):
            file = place / f"{name}.parquet"
            _write(file, folder, fields)
            first = ", ".join(f"arg_min({column}, place) as {column}" for column in ("split", "slice", "text"))
            query = f"select id, {first}, min(place) as place from {read([file])} group by id"
            self._base.execute(f"create temp table {name} as {query}")
        self._base.execute(_FATES)

    def counts(self) -> dict[tuple[str, str], Counter[str]]:
        """(split, slice) to rows of each fate."""
        found: defaultdict[tuple[str, str], Counter[str]] = defaultdict(Counter)
        query = "select split, slice, fate, count(*) from fates group by all order by all"
        for split, of, fate, rows in self._base.execute(query).fetchall():
            found[split, of][fate] = rows
        return found

    def examples(self) -> dict[str, dict[str, list[str]]]:
        """Split to fate to the first ids, those that are the same left out."""
        found: defaultdict[str, dict[str, list[str]]] = defaultdict(dict)
        numbered = "select *, row_number() over (partition by split, fate order by place) as n from fates"
        query = f"select split, fate, id from ({numbered}) where fate <> '{SAME}' and n <= {EXAMPLES}"
        for split, fate, name in self._base.execute(f"{query} order by fate = '{ADDED}', place").fetchall():
            found[split].setdefault(fate, []).append(name)
        return found

    def identical(self) -> Iterator[tuple[str, str]]:
        """The pairs of an old and a new pool source that hold the same texts."""
        sizes = "select split, count(distinct text) from {} where starts_with(split, 'pool.') group by split"
        old, new = (dict(self._base.execute(sizes.format(name)).fetchall()) for name in ("before", "after"))
        distinct = "(select distinct split, text from {})"
        pairs = f"from {distinct.format('before')} b join {distinct.format('after')} a using (text)"
        shared = self._base.execute(f"select b.split, a.split, count(*) {pairs} group by all").fetchall()
        same = {(one, other) for one, other, rows in shared if rows == old.get(one) == new.get(other)}
        yield from ((one, other) for one in in_order(old) for other in in_order(new) if (one, other) in same)


_FATES = f"""
create temp table fates as
with joined as (
    select id, b.split as was, b.slice as old_slice, b.place as place, a.split as "is", a.slice as slice,
        a.place as added_at, a.text = b.text as same
    from before b full join after a using (id)
)
select id, was as split, old_slice as slice, '{GONE}' as fate, place from joined where "is" is null
union all select id, "is", slice, '{ADDED}', added_at from joined where was is null
union all select id, was, old_slice, '{MOVED_OUT}', place from joined where was <> "is"
union all select id, "is", slice, '{MOVED_IN}', place from joined where was <> "is"
union all select id, "is", slice, case when same then '{SAME}' else '{CHANGED}' end, place from joined where was = "is"
"""


def _write(file: Path, records: Path, fields: Sequence[str]) -> None:
    """The rows of all splits as a table of id, split, slice, text and place."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pa.schema(
        {"id": pa.string(), "split": pa.string(), "slice": pa.string(), "text": pa.uint64(), "place": pa.int64()}
    )
    rows = (
        {"id": record.id, "split": split, "slice": record.slice or _NO_SLICE, "text": text}
        for split in splits(records)
        for record, text in row_texts(records, split, fields)
    )
    numbered = ({**row, "place": place} for place, row in enumerate(rows))
    with pq.ParquetWriter(file, schema) as writer:
        while batch := list(islice(numbered, _BATCH_ROWS)):
            writer.write_table(pa.Table.from_pylist(batch, schema))


def _sources(versions: _Versions) -> Json:
    counts, examples = versions.counts(), versions.examples()
    found: Json = {}
    for split in in_order({split for split, _ in counts}):
        slices = {name: own for (of, name), own in sorted(counts.items()) if of == split}
        found[split] = {
            **_summary(sum(slices.values(), Counter[str]())),
            "examples": examples.get(split, {}),
        }
        if set(slices) != {_NO_SLICE}:
            found[split]["slices"] = {name: _summary(own) for name, own in slices.items()}
    return found


def _summary(fates: Counter[str]) -> dict[str, int]:
    sums = {"old": sum(fates[name] for name in _OF_OLD), "new": sum(fates[name] for name in _OF_NEW)}
    return {**sums, **{name: fates[name] for name in (SAME, CHANGED, GONE, ADDED, MOVED_OUT, MOVED_IN)}}
