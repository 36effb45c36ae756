"""Records beside those of an earlier run or another project: rows gone, new or changed, by source and slice."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from distill.core.errors import UserError
from distill.core.files import Json
from distill.core.intake.ledger import EXAMPLES
from distill.core.intake.row_texts import row_texts, stored_fields
from distill.core.manifest import MANIFEST, require_whole
from distill.core.project import Project
from distill.core.record_store import in_order, splits
from distill.core.run_folder import RECORDS

SAME, CHANGED, GONE, ADDED, MOVED_IN, MOVED_OUT = "same", "changed", "gone", "added", "moved_in", "moved_out"
_OF_OLD, _OF_NEW = (SAME, CHANGED, GONE, MOVED_OUT), (SAME, CHANGED, ADDED, MOVED_IN)
_NO_SLICE = ""


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
    before, after = _rows(old, shared), _rows(new, shared)
    return {
        "fields": {
            "shared": shared,
            "only_old": [name for name in names[old] if name not in shared],
            "only_new": [name for name in names[new] if name not in shared],
        },
        "sources": _sources(before, after),
        "identical": [list(pair) for pair in _identical(before.values(), after.values())],
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


@dataclass(frozen=True, slots=True)
class _Row:
    split: str
    slice: str
    text: int


def _rows(folder: Path, fields: Sequence[str]) -> dict[str, _Row]:
    """The rows of all splits by id."""
    found: dict[str, _Row] = {}
    for split in splits(folder):
        for record, text in row_texts(folder, split, fields):
            found.setdefault(record.id, _Row(split, record.slice or _NO_SLICE, text))
    return found


def _fates(before: Mapping[str, _Row], after: Mapping[str, _Row]) -> Iterator[tuple[str, str, _Row]]:
    """(id, what became of it, the row that it counts for); of a row that has moved two."""
    for name, row in before.items():
        now = after.get(name)
        if now is None:
            yield name, GONE, row
        elif now.split != row.split:
            yield name, MOVED_OUT, row
            yield name, MOVED_IN, now
        else:
            yield name, SAME if now.text == row.text else CHANGED, now
    for name, row in after.items():
        if name not in before:
            yield name, ADDED, row


def _sources(before: Mapping[str, _Row], after: Mapping[str, _Row]) -> Json:
    counts: defaultdict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    examples: defaultdict[str, dict[str, list[str]]] = defaultdict(dict)
    for name, fate, row in _fates(before, after):
        counts[row.split, row.slice][fate] += 1
        listed = examples[row.split].setdefault(fate, [])
        if fate != SAME and len(listed) < EXAMPLES:
            listed.append(name)
    found: Json = {}
    for split in in_order({split for split, _ in counts}):
        slices = {name: own for (of, name), own in sorted(counts.items()) if of == split}
        found[split] = {
            **_summary(sum(slices.values(), Counter[str]())),
            "examples": {fate: ids for fate, ids in examples[split].items() if ids},
        }
        if set(slices) != {_NO_SLICE}:
            found[split]["slices"] = {name: _summary(own) for name, own in slices.items()}
    return found


def _summary(fates: Counter[str]) -> dict[str, int]:
    sums = {"old": sum(fates[name] for name in _OF_OLD), "new": sum(fates[name] for name in _OF_NEW)}
    return {**sums, **{name: fates[name] for name in (SAME, CHANGED, GONE, ADDED, MOVED_OUT, MOVED_IN)}}


def _identical(before: Iterable[_Row], after: Iterable[_Row]) -> Iterator[tuple[str, str]]:
    """The pairs of an old and a new pool source that hold the same texts."""
    old, new = (_texts(rows) for rows in (before, after))
    for split, texts in old.items():
        yield from ((split, other) for other, own in new.items() if own == texts)


def _texts(rows: Iterable[_Row]) -> dict[str, set[int]]:
    found: defaultdict[str, set[int]] = defaultdict(set)
    for row in rows:
        if row.split.startswith("pool."):
            found[row.split].add(row.text)
    return found
