"""The row ledger: every row that was read is kept, or dropped under a counted reason; bad rows go to quarantine."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from distill.core.errors import UserError
from distill.core.files import Json, read_json, replacing, write_json
from distill.core.intake.record_reader import BadRow
from distill.core.intake.sources import Row

LEDGER_FILE = "ledger.json"
EXAMPLES = 20
RAW_CHARS = 2000
WITHHELD = "not shown, as report.texts is false"


@dataclass
class Account:
    """The rows of one source.

    Attributes:
        read: rows read.
        kept: split to rows kept in it.
        dropped: reason to rows dropped.
        examples: reason to the first 20 ids dropped for it.
        first_bad: the first bad row, in words.
        missing_columns: file to the columns that it lacks: texts of a pool source, slice and keys of extra rows.
        rare: rare class to its rows, which another class has taken or which were dropped for it.
        missing_pairs: of a pool of made pairs, kind to the pairs that are asked for and that no sides are there for.
        files: rows read of each file; empty where all were read of one.
        near: of a pool source, with `data.near`: what its near duplicates are (`near.pool`).
        rules: by name of a rule of `data.junk.rules` its kind, action, counts and examples; see `junk.rule_counts`.
    """

    read: int = 0
    kept: Counter[str] = field(default_factory=Counter)
    dropped: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[str]] = field(default_factory=dict)
    first_bad: str | None = None
    missing_columns: dict[str, list[str]] = field(default_factory=dict)
    rare: Counter[str] = field(default_factory=Counter)
    missing_pairs: Counter[str] = field(default_factory=Counter)
    files: Counter[str] = field(default_factory=Counter)
    near: Json = field(default_factory=dict)
    rules: dict[str, Json] = field(default_factory=dict)

    def of_file(self, name: str) -> int | None:
        """Rows read of a file of the source; None in a ledger of an earlier version."""
        return self.files.get(name) if self.files else self.read

    def drop(self, reason: str, record_id: str | None = None) -> None:
        """Count one dropped row."""
        self.dropped[reason] += 1
        if record_id is not None and self.dropped[reason] <= EXAMPLES:
            self.examples.setdefault(reason, []).append(record_id)

    def summary(self) -> Json:
        """Counts for `audit.json`. An account that does not add up is our own slip, so it is asserted."""
        kept, dropped = self.kept.total(), self.dropped.total()
        assert self.read == kept + dropped, f"{self.read} rows read, {kept} kept and {dropped} dropped"
        counts = {"read": self.read, "kept": kept, "dropped": _ordered(self.dropped), "kept_in": _ordered(self.kept)}
        return counts | ({"first_bad_row": self.first_bad} if self.first_bad else {})

    def __str__(self) -> str:
        """`read 12, kept 0, unknown_label 12; first bad row: …`."""
        return ", ".join([f"read {self.read}", f"kept {self.kept.total()}", *filter(None, [self._reasons()])])

    def losses(self) -> str:
        """`dropped 12 of 12 rows: unknown_label 12; first bad row: …`, '' where none was dropped."""
        lost = self.dropped.total()
        return f"dropped {lost} of {self.read} rows: {self._reasons()}" if lost else ""

    def _reasons(self) -> str:
        counts = ", ".join(f"{reason} {count}" for reason, count in self.dropped.most_common())
        return counts + (f"; first bad row: {self.first_bad}" if self.first_bad else "")


class Ledger:
    """The accounts of all sources."""

    def __init__(self) -> None:
        self.accounts: dict[str, Account] = {}

    def account(self, source: str) -> Account:
        """The account of a source, opened on first use."""
        return self.accounts.setdefault(source, Account())

    def summary(self) -> Json:
        """`{"read", "kept", "dropped": {reason: n}, "by_source": {source: …}}`, every level adding up."""
        by_source = {source: account.summary() for source, account in self.accounts.items()}
        dropped = sum((account.dropped for account in self.accounts.values()), Counter[str]())
        read, kept = (sum(counts[name] for counts in by_source.values()) for name in ("read", "kept"))
        assert read == kept + dropped.total()
        return {"read": read, "kept": kept, "dropped": _ordered(dropped), "by_source": by_source}

    def examples(self, reasons: tuple[str, ...]) -> dict[str, dict[str, list[str]]]:
        """Source to reason to the first ids dropped for it."""
        found = {
            source: {reason: ids for reason, ids in account.examples.items() if reason in reasons}
            for source, account in self.accounts.items()
        }
        return {source: examples for source, examples in found.items() if examples}

    def save(self, folder: Path) -> None:
        """Write `ledger.json`: source to its account, in the order in which sources were read."""
        accounts = {source: {**vars(account)} for source, account in self.accounts.items()}
        for account in accounts.values():
            for key in ("rare", "missing_pairs", "files", "near", "rules"):  # only where there is something to say
                if not account[key]:
                    del account[key]
        write_json(folder / LEDGER_FILE, accounts)

    @classmethod
    def load(cls, folder: Path) -> Ledger:
        """The ledger in a records folder. Raises: UserError when it is missing or not JSON."""
        ledger = cls()
        for source, values in read_json(folder / LEDGER_FILE).items():
            counts = {"kept": Counter(values["kept"]), "dropped": Counter(values["dropped"])}
            counts |= {key: Counter(values.get(key, {})) for key in ("rare", "missing_pairs", "files")}
            ledger.accounts[source] = Account(**{**values, **counts})
        return ledger


class Quarantine:
    """Bad rows as JSON lines `{file, row, reason, detail, raw}`; `raw` is cut to 2000 characters.

    Args: file: an open text file; None: nothing is written. root: folder that file names are shown from. fail: stop at
        the first bad row. texts: whether detail and raw, which quote the row, are there.
    """

    def __init__(self, file: TextIO | None, root: Path, *, fail: bool, texts: bool = True) -> None:
        self._file, self._root, self._fail, self._texts = file, root, fail, texts

    def add(self, row: Row, bad: BadRow) -> str:
        """Write one bad row; returns it in words. Raises: UserError when bad rows are not accepted."""
        file, detail = self.shown(row.file), _encodable(bad.detail) if self._texts else WITHHELD
        place = f"{file}:{row.number}"
        if self._fail:
            do = "correct the row, or set data.on_bad_row: quarantine"
            raise UserError(f"bad row: {bad.reason}", where=place, found=detail, do=do)
        entry = {"file": file, "row": row.number, "reason": bad.reason, "detail": detail}
        raw = {"raw": (row.raw or _as_json(row.values))[:RAW_CHARS]} if self._texts else {}
        if self._file is not None:
            self._file.write(json.dumps(entry | raw, ensure_ascii=False) + "\n")
        return f"{place}, {bad.reason}: {detail}"

    def apart(self) -> Quarantine:
        """One that takes bad rows and writes nothing."""
        return Quarantine(None, self._root, fail=False, texts=False)

    def shown(self, path: Path) -> str:
        """`path` from the root where it is inside, so that the same data gives the same text on every machine."""
        return (path.relative_to(self._root) if path.is_relative_to(self._root) else path).as_posix()


@contextmanager
def quarantine(path: Path, root: Path, *, fail: bool, texts: bool = True) -> Iterator[Quarantine]:
    """A quarantine written to `path` when the block succeeds; an empty file when no row is bad."""
    with replacing(path) as partial:
        # Surrogates of a broken \\ud800 escape cannot be written as UTF-8; they come back as escapes.
        with partial.open("w", encoding="utf-8", errors="backslashreplace", newline="\n") as file:
            yield Quarantine(file, root, fail=fail, texts=texts)


def _as_json(values: Json | None) -> str:
    try:
        return json.dumps(values, ensure_ascii=False, default=str)
    except (RecursionError, ValueError, TypeError):  # nested by the hundred; keys that are no text
        return ""


def _encodable(text: str) -> str:
    """`text` with halves of surrogate pairs, which UTF-8 does not have, as escapes."""
    return text.encode("utf-8", "backslashreplace").decode()


def _ordered(counts: Counter[str]) -> dict[str, int]:
    return {name: counts[name] for name in sorted(counts) if counts[name]}
