"""Assembling the unlabelled pool: no row of an evaluation split, no duplicate, a seeded sample.

The labelled splits are finished before the pool is read, so no pool row changes them. A source depends on itself, on
the labelled splits and on the sources before it in the config: of two equal rows the one of the earlier source counts,
whether it is sampled or not. So a source that is added at the end changes no other.
"""

from __future__ import annotations

import heapq
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from distill.core.files import Json
from distill.core.intake.compared_text import compared_part, read_part, read_texts, side_texts, text_hash, text_key
from distill.core.intake.config import PoolSource
from distill.core.intake.hashing import digest, unit
from distill.core.intake.key_table import KeyTable
from distill.core.intake.ledger import Account
from distill.core.intake.made_pairs import made_pairs
from distill.core.intake.one_order import both_orders, in_one_order
from distill.core.intake.pairing import NeighbourPairs, key_side, left_fields
from distill.core.intake.record_reader import BadRow, Dropped, field_paths
from distill.core.intake.sides import Sides
from distill.core.project import Project
from distill.core.record_store import iter_records, write_records
from distill.core.records import Record

_CHUNK_ROWS = 256


def pool_config(project: Project) -> Json:
    """What of the views the rows depend on: the texts that they are compared by; for new pairs, the fields of a side.

    Lengths, budgets and windows of the card alone, and those only where equal cards are dropped; its sides as a whole
    only where `pool_exclude: side` or `pairing: neighbours` reads them.
    """
    data, views = project.data, project.views
    paired_sources = any(source.pairing == "neighbours" or source.pairs for source in data.pool.values())
    by_card = data.on_card_leak == "drop"
    by_document = by_card or data.pool or data.on_leak == "drop_train"
    found: Json = {"document": compared_part(views["document"])} if by_document else {}
    if data.pool and (paired_sources or data.pool_exclude == "side"):
        found["card"] = compared_part(views["card"])
        found |= {"sides": "of both orders"} if views["card"].swap is not None else {}
    if by_card:
        found["read_card"] = read_part(views["card"])
    if paired_sources:
        found["left_fields"] = sorted(left_fields(project))
        lefts = [path for path in data.keys if key_side(project, path) == 0]
        found |= {"left_keys": lefts} if lefts != list(data.keys[:1]) else {}  # the first one was the left one at first
    return found


class PoolCheck:
    """Decides whether a record may join the pool; remembers 64-bit hashes only, two of each pool row.

    Attributes: source: the split whose records are checked; set it before its first one.
    Args: project: `data.pool_exclude` says what no evaluation row may share: `pair` the whole document, `side` either
        side of the card too, and `data.on_card_leak` whether its card may be one's. labelled: split to its records.
    """

    def __init__(self, project: Project, labelled: Mapping[str, Sequence[Record]]) -> None:
        self._views, self._by_side = project.views, project.data.pool_exclude == "side"
        self._by_key, self._by_card = project.data.split.mode == "keys", project.data.on_card_leak == "drop"
        self._split_keys = project.data.split.keys or project.data.keys
        self.source = ""
        self._documents: dict[int, str] = {}
        self._sides: dict[int, str] = {}
        self._cards: dict[int, str] = {}
        self._keys: set[str] = set()
        self._texts, self._reasons = KeyTable(), dict[str, int]()
        self._ids = KeyTable()
        for split, records in labelled.items():
            for record in records:
                self._remember(split, record)

    def sides(self, record: Record) -> tuple[str | None, str | None]:
        """The evaluation splits that hold the card's left and right side, as reasons; None where none does."""
        if not self._by_side:
            return None, None
        left, right = self._side_keys(record)
        return self._sides.get(left), self._sides.get(right)

    def check(self, record: Record) -> None:
        """Let the record in and remember it.

        Raises: Dropped with in_test, in_valid, in_train, in_pool.<name>, key_in_evaluation, card_in_test,
            card_in_valid or duplicate. BadRow with duplicate_id.
        """
        text, name = text_hash(in_one_order(record, self._views["card"].swap)), digest(record.id)
        left, right = self.sides(record)
        if reason := self._documents.get(self._document_key(record)) or left or right:
            raise Dropped(reason)
        if not self._keys.isdisjoint(self._values(record)):
            raise Dropped("key_in_evaluation")
        if self._by_card and (card := self._cards.get(self._card_key(record))):
            raise Dropped(f"card_{card}")
        own = f"in_{self.source}"
        if (place := self._texts.get(text)) is not None:
            reason = list(self._reasons)[place]
            raise Dropped("duplicate" if reason == own else reason)
        if self._ids.get(name) is not None:
            raise BadRow("duplicate_id", f"duplicate id '{record.id}': an earlier row has it with another text")
        self._texts.add(text, self._number(own))
        self._ids.add(name)

    def _remember(self, split: str, record: Record) -> None:
        reason = f"in_{split.partition('.')[0]}"
        self._ids.add(digest(record.id))
        self._texts.add(text_hash(in_one_order(record, self._views["card"].swap)), self._number(reason))
        if split == "train":
            return
        if document := self._document_key(record):
            self._documents.setdefault(document, reason)
        if self._by_card and (card := self._card_key(record)):
            self._cards.setdefault(card, reason)
        if self._by_side:
            for either in both_orders(record, self._views["card"].swap):
                for side in filter(None, self._side_keys(either)):
                    self._sides.setdefault(side, reason)
        if self._by_key:
            self._keys.update(self._values(record))

    def _values(self, record: Record) -> Iterator[str]:
        """What the record is about; the value alone counts, on whichever side it is, as for the split."""
        return (key for path, key in record.keys.items() if key and path in self._split_keys)

    def _number(self, reason: str) -> int:
        return self._reasons.setdefault(reason, len(self._reasons))

    def _document_key(self, record: Record) -> int:
        view = self._views["document"]
        return text_key(*side_texts(in_one_order(record, view.swap), view))

    def _card_key(self, record: Record) -> int:
        view = self._views["card"]
        return text_key(*read_texts(in_one_order(record, view.swap), view))

    def _side_keys(self, record: Record) -> tuple[int, int]:
        left, right = side_texts(record, self._views["card"])
        return text_key(left), text_key(right)


def sampled(records: Iterable[Record], rows: int | None, seed: int, account: Account) -> Iterator[Record]:
    """A seeded sample of `rows` records in their order, the rest counted as not_sampled; all of them without `rows`.

    The sample is the records with the smallest hashes of seed and id, so it hardly changes when a few rows come or go.
    Records that are in it at first wait in a file, which grows with `rows` · ln(all / `rows`).
    """
    if rows is None:
        yield from records
        return
    heap: list[tuple[float, int, str]] = []

    def taken() -> Iterator[Record]:
        for position, record in enumerate(records):
            entry = (-unit(seed, "sample", record.id), position, record.id)
            if len(heap) < rows:
                heapq.heappush(heap, entry)
            else:
                out = heapq.heappushpop(heap, entry)
                account.drop("not_sampled", out[2])
                if out is entry:
                    continue
            places.append(position)
            yield record

    places = array("Q")
    with TemporaryDirectory(prefix="sample-") as folder:
        write_records(Path(folder) / "taken.parquet", taken())
        chosen = {position for _, position, _ in heap}
        waiting = zip(places, iter_records(Path(folder), "taken"), strict=True)
        yield from (record for position, record in waiting if position in chosen)


def paired(
    records: Sequence[Record], source: PoolSource, project: Project, check: PoolCheck, account: Account
) -> Iterator[Record]:
    """New pairs of the records' sides until `source.rows` are kept, taking left sides in the order of a seeded hash.

    Every record counts once, as the left side of its pair: kept, dropped with its reason, or not_sampled.
    """
    taken = [check.sides(record) for record in records]
    rights = [record for record, (_, right) in zip(records, taken, strict=True) if right is None]
    neighbours = NeighbourPairs(project, rights)
    order = sorted(range(len(records)), key=lambda index: unit(project.seed, "sample", records[index].id))
    kept = 0
    for start in range(0, len(order), _CHUNK_ROWS):
        chunk = order[start : start + _CHUNK_ROWS]
        full = kept == source.rows
        pairs = [None] * len(chunk) if full else neighbours.pair([records[index] for index in chunk])
        for index, pair in zip(chunk, pairs, strict=True):
            reason = taken[index][0] or ("not_sampled" if kept == source.rows else _refused(check, pair))
            if reason or pair is None:
                account.drop(str(reason), records[index].id)
            else:
                kept += 1
                yield pair


def new_pairs(
    source: PoolSource, project: Project, sides: Sides, check: Callable[[Record], None], account: Account
) -> Iterator[Record]:
    """Pairs made of sides, those that `check` lets in.

    Every pair counts once, and so does each side that is left out, or that no other one is like: as dropped. Pairs
    that there are no right sides for are counted by kind.

    Args: sides: finished.
    """
    assert source.pairs is not None
    for pair in made_pairs(source.pairs, sides, project.seed, field_paths(project), account.missing_pairs):
        account.read += 1
        if isinstance(pair, str):
            account.drop("no_neighbour", pair)
            continue
        try:
            check(pair)
        except Dropped as drop:
            account.drop(drop.reason, pair.id)
        else:
            yield pair


def _refused(check: PoolCheck, pair: Record | None) -> str | None:
    """Why a new pair cannot join the pool, None when it has joined."""
    if pair is None:
        return "no_neighbour"
    try:
        check.check(pair)
    except Dropped as drop:
        return drop.reason
    return None
