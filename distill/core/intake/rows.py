"""Rows of a source as records, with every row that does not become one accounted for."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from distill.core.errors import UserError
from distill.core.intake.compared_text import text_hash
from distill.core.intake.extra import is_extra, optional_columns
from distill.core.intake.hashing import digest
from distill.core.intake.ledger import Account, Ledger, Quarantine
from distill.core.intake.one_order import in_one_order
from distill.core.intake.pairing import left_fields
from distill.core.intake.record_reader import BadRow, ColumnWatch, Dropped, RecordReader
from distill.core.intake.row_counts import most_rows
from distill.core.intake.sources import Reading, Row, read_rows
from distill.core.progress import EVERY, Advance, progress
from distill.core.project import Project
from distill.core.records import Record
from distill.core.rendering import lookup
from distill.core.swap import ViewSwap

Check = Callable[[Record], None]


class SourceReader:
    """Reads sources into records.

    Args: project: names the columns. ledger, quarantine: where rows that do not become records go. one_side: a pool
        file may have the columns of one side only.
    Attributes: place: file and row that is being read.
    """

    def __init__(self, project: Project, ledger: Ledger, quarantine: Quarantine, *, one_side: bool = False) -> None:
        self._project, self._ledger, self._quarantine = project, ledger, quarantine
        self._one_side = one_side
        self._latest: tuple[Record, Mapping[str, Any]] | None = None
        self.place = ""

    def account(self, source: str) -> Account:
        """What the ledger says of a source."""
        return self._ledger.account(source)

    def apart(self) -> SourceReader:
        """A reader of the same sources that enters nothing in ledger and quarantine."""
        return SourceReader(self._project, Ledger(), self._quarantine.apart(), one_side=self._one_side)

    def with_lines(self, record: Record, path: str) -> str:
        """A field's text with its line breaks, as the file has it; without, of a record that was not just read."""
        value = lookup(self._latest[1], path) if self._latest is not None and self._latest[0] is record else None
        return value if isinstance(value, str) else record.fields[path]

    def records(self, source: str, files: Sequence[Path], checks: Sequence[Check]) -> Iterator[Record]:
        """The records of a source's files that pass all checks.

        Raises: UserError for an unreadable file, a column that no row of a file has, a bad row where none is accepted.
        """
        with progress(f"reading {source}", most_rows(files), at_most=True) as advance:
            yield from self._records(source, files, checks, advance)

    def _records(
        self, source: str, files: Sequence[Path], checks: Sequence[Check], advance: Advance
    ) -> Iterator[Record]:
        labelled = not source.startswith("pool.")
        reader = RecordReader(self._project, labelled=labelled)
        data = self._project.data
        reading, account = Reading(data.encoding, data.quotes, reader.columns), self._ledger.account(source)
        for path in files:
            watch = ColumnWatch(reader.required)
            for row in read_rows(path, reading):
                if row.values is not None:
                    watch.see(row.values)
                if (record := self._record(source, row, reader, checks)) is not None:
                    yield record
                if account.read % EVERY == 0:
                    advance(account.read)
            if not watch.rows:
                raise _nothing_read(path, account)
            if len(files) > 1:
                account.files[self._quarantine.shown(path)] += account.read - account.files.total()
            self._require_columns(source, path, watch, labelled)

    def _record(self, source: str, row: Row, reader: RecordReader, checks: Sequence[Check]) -> Record | None:
        account = self._ledger.account(source)
        account.read += 1
        self.place = f"{row.file}, row {row.number}"
        record = None
        try:
            record = _readable(row, reader)
            self._latest = record, row.values or {}
            for check in checks:
                check(record)
        except BadRow as bad:
            self._refuse(account, row, bad)
        except Dropped as drop:
            account.drop(drop.reason, record.id if record else None)
        else:
            return record
        return None

    def _refuse(self, account: Account, row: Row, bad: BadRow) -> None:
        account.drop(bad.reason)
        words = self._quarantine.add(row, bad)
        account.first_bad = account.first_bad or words

    def _require_columns(self, source: str, path: Path, watch: ColumnWatch, labelled: bool) -> None:
        """Labelled files need every column but those that extra rows may lack; pool files may lack texts that only the
        richer view reads.
        """
        missing = watch.missing()
        if self._one_side:
            missing = _of_sides_that_are_there(self._project, missing)
        if labelled:
            optional = optional_columns(self._project) if is_extra(source) else ()
            watch.require(path, self._ledger.account(source).losses(), optional)
        elif self._project.data.id in missing or sides_without_column(self._project, missing):
            watch.require(path, self._ledger.account(source).losses())
        if missing:
            self._ledger.account(source).missing_columns[self._quarantine.shown(path)] = missing


def _of_sides_that_are_there(project: Project, missing: list[str]) -> list[str]:
    """The missing columns without those of a side that the file is not about; all where neither side has a column."""
    card = project.views["card"]
    absent = [side for side in (card.left, card.right) if set(side) <= set(missing)]
    if len(absent) != 1:
        return missing
    lefts = left_fields(project)
    return [path for path in missing if (path in lefts) != (absent[0] is card.left)]


def _nothing_read(path: Path, account: Account) -> UserError:
    lines = "broken_json" in account.dropped or "not_an_object" in account.dropped
    do = "write one JSON object per line: an array is not read" if lines else "correct the rows"
    return UserError("no row of the file can be read", where=str(path), found=account.losses(), do=do)


def sides_without_column(project: Project, missing: Collection[str]) -> list[str]:
    """`views.card.left` and the like: the sides of views all of whose columns are missing."""
    sides = {f"views.{name}.left": view.left for name, view in project.views.items()}
    sides |= {f"views.{name}.right": view.right for name, view in project.views.items()}
    return [key for key, columns in sides.items() if columns and set(columns) <= set(missing)]


def _readable(row: Row, reader: RecordReader) -> Record:
    if row.problem is not None or row.values is None:
        assert row.problem is not None
        raise BadRow(row.problem.reason, row.problem.detail)
    return reader.read(row.values)


class DuplicateCheck:
    """Drops a record whose whole text its source had before, and refuses a duplicate id.

    A duplicate text under another label drops as `duplicate_other_label`: the first label stays. With `swap`, a record
    with fields and label exchanged is a duplicate.
    """

    def __init__(self, source: str, swap: ViewSwap | None) -> None:
        self._source, self._swap = source, swap
        self._texts: dict[int, bytes | None] = {}
        self._ids: set[int] = set()

    def check(self, record: Record) -> None:
        """Raises: Dropped for a duplicate text, BadRow for a duplicate id."""
        record = in_one_order(record, self._swap)
        text, gold = text_hash(record), None if record.target is None else record.target.tobytes()
        if text in self._texts:
            raise Dropped("duplicate" if self._texts[text] == gold else "duplicate_other_label")
        if (name := digest(record.id)) in self._ids:
            detail = f"duplicate id '{record.id}': an earlier row of {self._source} has it with another text"
            raise BadRow("duplicate_id", detail)
        self._texts[text] = gold
        self._ids.add(name)
