"""The records step: from the user's files to clean records, a row ledger and a quarantine."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from distill.core.errors import UserError
from distill.core.intake.config import MadePairs, PoolSource
from distill.core.intake.extra import is_extra, separate_extra
from distill.core.intake.held_out import HeldOut
from distill.core.intake.junk import JunkRules
from distill.core.intake.label_check import Places, note_places, require_labels
from distill.core.intake.ledger import Ledger, Quarantine, quarantine
from distill.core.intake.near.pool import REASON as NEAR
from distill.core.intake.near.pool import NearPool
from distill.core.intake.pairing import left_keys
from distill.core.intake.pool import PoolCheck, new_pairs, paired, pool_config, sampled
from distill.core.intake.rare_classes import REASON, rare_config, without_rare
from distill.core.intake.record_reader import field_paths
from distill.core.intake.rows import Check, DuplicateCheck, SourceReader
from distill.core.intake.separation import made_splits, separate
from distill.core.intake.sides import Sides
from distill.core.intake.source_overlaps import SourceOverlaps
from distill.core.intake.sources import data_files
from distill.core.intake.splits import Parts
from distill.core.project import DROP, Project, Task
from distill.core.record_store import write_records
from distill.core.records import Record

QUARANTINE_FILE = "quarantine.jsonl"
_NOT_OF_RECORDS: dict[str, Any] = {"root": True, "against": True, "contained": True, "near": {"on_leak"}}


def records_config(project: Project) -> dict[str, Any]:
    """All of the config that the result of `prepare` depends on; files count by content, so not where they are.

    Of the views these are the fields that any of them reads, in the order of the columns, and what the pool is compared
    by. Only what differs from its default is named, so a new option changes nothing.
    """
    return {
        "task": {"labels": project.task.labels, "kind": project.task.kind, **_rows_of_task(project.task)},
        "data": project.data.model_dump(mode="json", exclude=_NOT_OF_RECORDS, exclude_defaults=True),
        "fields": field_paths(project),
        "pool": pool_config(project),
        "seed": project.seed,
        **({} if project.report.texts else {"texts": False}),
        **({"junk_order": list(rules)} if (rules := project.data.junk.rules) else {}),  # a mapping's order is no JSON
        **({"pool_columns": ["slice", "keys"]} if _has_parquet_pool(project) else {}),
    }


def prepare(project: Project, folder: Path, *, base: Path = Path()) -> None:
    """Write `<split>.parquet`, `quarantine.jsonl`, `overlaps.json` and `ledger.json` into `folder`.

    The same input gives the same bytes.

    The labelled splits do not depend on the pool, and a pool source only on sources before it.

    Args: base: folder that a relative `data.root` starts from.
    Raises: UserError for files that cannot be used, a missing column, an empty split or pool, a training split with
        one class, a label that training lacks, too many rows that cross a split by keys, or a bad row where none is
        accepted.
    """
    _require_sides(project)
    files = data_files(project, base)
    for stale in folder.glob("*.parquet"):
        stale.unlink()
    root, fail = base / project.data.root, project.data.on_bad_row == "fail"
    with quarantine(folder / QUARANTINE_FILE, root, fail=fail, texts=project.report.texts) as bad_rows:
        preparation = _Preparation(project, folder, files, bad_rows)
        preparation.write_labelled()
        preparation.write_extra()
        preparation.write_pools()
    preparation.overlaps.write(folder)
    preparation.ledger.save(folder)


class _Preparation:
    """One pass over all sources. The labelled splits are held in memory, pools stream through."""

    def __init__(self, project: Project, folder: Path, files: Mapping[str, list[Path]], bad_rows: Quarantine) -> None:
        self.ledger, self.overlaps = Ledger(), SourceOverlaps(project)
        self._project, self._folder, self._files = project, folder, files
        self._reader, self._bad_rows = SourceReader(project, self.ledger, bad_rows), bad_rows
        self._junk = JunkRules(project)
        self._labelled: Parts = {}
        near = project.data.near
        self._near = NearPool(near, project.views["document"]) if near and project.data.pool else None

    def write_labelled(self) -> None:
        """Read and write train, valid and the tests."""
        places: Places = {}
        for source in (name for name in self._files if not name.startswith("pool.") and not is_extra(name)):
            self._labelled[source] = list(self._read_labelled(source, places))
            self._require_rows(source, source, self._labelled[source])
        self._split()
        self._merge_rare(places)
        self._separate()
        losses = {source: account.losses() for source, account in self.ledger.accounts.items()}
        require_labels(self._labelled, self._project.task, places, losses)
        for split, records in self._labelled.items():
            write_records(self._folder / f"{split}.parquet", records)

    def write_extra(self) -> None:
        """Read and write the labelled rows that only some models learn."""
        for source in filter(is_extra, self._files):
            account = self.ledger.account(source)
            records = self._without_rare(source, list(self._read_labelled(source, {})))
            for reason, dropped, left in separate_extra(records, self._labelled, self._project):
                records = left
                for record in dropped:
                    account.drop(reason, record.id)
            self._require_rows(source, source, records)
            account.kept[source] = write_records(self._folder / f"{source}.parquet", records)

    def write_pools(self) -> None:
        """Read and write the pool's sources, in their order."""
        check = PoolCheck(self._project, self._labelled)
        total = 0
        for name, source in self._project.data.pool.items():
            split, account = f"pool.{name}", self.ledger.account(f"pool.{name}")
            check.source = split
            rows = self._pool(split, source, check)
            rows = self._near.apart(split, rows, account) if self._near else rows
            sample = rows if source.pairing == "neighbours" else sampled(rows, source.rows, self._project.seed, account)
            count = write_records(self._folder / f"{split}.parquet", sample)
            account.kept[split] = count
            total += count
            # A source that others hold already is a finding of the audit, as long as some source has rows.
            if not count and not (total and any(map(_is_elsewhere, account.dropped))):
                raise _empty("the pool", split, self.ledger)

    def _pool(self, split: str, source: PoolSource, check: PoolCheck) -> Iterator[Record]:
        account, files = self.ledger.account(split), self._files.get(split, [])
        junk = self._junk.check(split, self._reader, [] if source.pairs is not None else files)
        watch = self.overlaps.watch(split)
        if source.pairs is not None:
            every = _every(junk, watch, check.check)
            yield from new_pairs(source, self._project, self._sides(split, source.pairs, files), every, account)
            return
        if source.pairing == "neighbours":
            rows = list(self._reader.records(split, files, [junk, watch]))
            yield from paired(rows, source, self._project, check, account)
        else:
            yield from self._reader.records(split, files, [junk, watch, check.check])

    def _sides(self, split: str, config: MadePairs, files: list[Path]) -> Sides:
        """The sides of a pool of made pairs; rows that cannot be read and sides that are left out are entered."""
        project, apart = self._project, Ledger()
        unnamed = project.model_copy(update={"data": project.data.model_copy(update={"id": None})})
        sides = Sides(project)
        if "train" in config.of:
            sides.add(self._labelled["train"])
        sides.add(SourceReader(unnamed, apart, self._bad_rows, one_side=True).records(split, files, []))
        read, account = apart.account(split), self.ledger.account(split)
        account.missing_columns, account.first_bad = read.missing_columns, read.first_bad
        account.dropped.update(read.dropped)
        account.files = read.files or Counter({self._bad_rows.shown(path): read.read for path in files})
        views = [project.views[name] for name in ("card", "document")]
        for reason, text in sides.finish(HeldOut(self._labelled, views)):
            account.drop(reason, text)
        account.read = account.dropped.total()
        return sides

    def _read_labelled(self, source: str, places: Places) -> Iterator[Record]:
        files = self._files[source]
        junk, swap = self._junk.check(source, self._reader, files), self._project.views["card"].swap
        checks = [junk, self.overlaps.watch(source), DuplicateCheck(source, swap).check]
        for record in self._reader.records(source, files, checks):
            note_places(places, source, record, self._reader.place)
            yield record

    def _split(self) -> None:
        """Make the splits that no file gives, and enter in the ledger what each source's rows became."""
        made, crossing = made_splits(self._labelled["train"], self._project)
        for record in crossing:
            self.ledger.account("train").drop("crosses_split", record.id)
        for source, records in self._labelled.items():
            self.ledger.account(source).kept[source] = len(records)
        if made is not None:
            self.ledger.account("train").kept = Counter({split: len(records) for split, records in made.items()})
            for split, records in made.items():
                self._require_rows(split, "train", records)
            self._labelled |= made

    def _merge_rare(self, places: Places) -> None:
        """Give rows of rare classes the class that takes them, or leave them out. Args: places: of labels."""
        task = self._project.task
        if task.rare is None or not task.rare.classes:
            return
        for split, records in self._labelled.items():
            source = split if split in self._files else "train"
            kept = self._without_rare(source, records)
            self.ledger.account(source).kept[split] -= len(records) - len(kept)
            self._labelled[split] = kept
            self._require_rows(split, source, kept)
        if task.rare.into != DROP:
            count, into = len(task.labels), task.labels.index(task.rare.into)
            for source, index in [place for place in places if place[1] >= count]:
                places.setdefault((source, into), places[source, index])

    def _without_rare(self, source: str, records: list[Record]) -> list[Record]:
        """Rows over the labels that are kept; those that are left out are entered as dropped, not taken from `kept`."""
        task, account, found = self._project.task, self.ledger.account(source), []
        if task.rare is None or not task.rare.classes:
            return records
        names = task.read_space.labels
        for record in records:
            assert record.target is not None
            account.rare.update(names[i] for i in np.flatnonzero(record.target) if i >= len(task.labels))
            target = without_rare(record.target, task.rare, task.labels, task.space.objective)
            if target is None:
                account.drop(REASON, record.id)
            else:
                found.append(replace(record, target=target))
        return found

    def _separate(self) -> None:
        """Take out of train and valid what the splits that they are judged on have too."""
        for rule, dropped in separate(self._labelled, self._project):
            source = rule.split if rule.split in self._files else "train"
            account = self.ledger.account(source)
            for record in dropped:
                account.kept[rule.split] -= 1
                account.drop(rule.reason, record.id)
            self._require_rows(rule.split, source, self._labelled[rule.split])

    def _require_rows(self, split: str, source: str, records: list[Record]) -> None:
        if not records and (split != "valid" or self._project.data.has_validation):
            raise _empty(f"split '{split}'", source, self.ledger)


def _is_elsewhere(reason: str) -> bool:
    """Whether a pool row was dropped because a source before has it, or one like it."""
    return reason.startswith("in_pool.") or reason == NEAR


def _empty(what: str, source: str, ledger: Ledger) -> UserError:
    settings = "data.junk, data.near, data.pool_exclude, data.on_card_leak, data.on_valid_key, data.split, task.labels"
    do = f"give more rows, or change what dropped them: {settings}"
    return UserError(f"{what} has no rows left", where=f"data.{source}", found=ledger.account(source), do=do)


def _rows_of_task(task: Task) -> dict[str, Any]:
    """What else of the task the rows depend on: rare classes, and what may trade places in equal ones."""
    swap = task.swap and task.swap.model_dump(mode="json", include={"fields", "labels"})
    return rare_config(task) | ({"swap": swap} if swap else {})


def _has_parquet_pool(project: Project) -> bool:
    """Whether a pool of Parquet files may have slices or keys, which were not read of such files at first."""
    files = [path for source in project.data.pool.values() for path in source.read_files]
    return bool(project.data.slice or project.data.keys) and any(path.endswith(".parquet") for path in files)


def _every(*checks: Check) -> Check:
    def check(record: Record) -> None:
        for one in checks:
            one(record)

    return check


def _require_sides(project: Project) -> None:
    """Check that the card has two sides, and each key its own, where pairs are made.

    Raises: UserError naming the pool source, or the keys.
    """
    for name, source in project.data.pool.items():
        if source.pairs is None and source.pairing == "given":
            continue
        if project.views["card"].right:
            left_keys(project)
            continue
        key, way = ("pairs", "name files instead") if source.pairs else ("pairing", "set pairing: given")
        what = "making pairs" if source.pairs else "pairing neighbours"
        raise UserError(
            f"{what} needs two sides", where=f"data.pool.{name}.{key}", do=f"{way}, or give views.card a right side"
        )
