"""Every reply that was paid for, and what was spent: one SQLite file of a run, which a kill leaves whole."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from distill.core.errors import UserError
from distill.inference.language_model.reply import Reply

_TABLES = """
CREATE TABLE IF NOT EXISTS replies (key TEXT PRIMARY KEY, reply TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS used (
    model TEXT PRIMARY KEY, requests INTEGER NOT NULL, bytes INTEGER NOT NULL,
    input_tokens INTEGER NOT NULL, output_tokens INTEGER NOT NULL
);
"""
_ADD = """
INSERT INTO used VALUES (?, 1, ?, ?, ?) ON CONFLICT (model) DO UPDATE SET requests = requests + 1,
bytes = bytes + excluded.bytes, input_tokens = input_tokens + excluded.input_tokens,
output_tokens = output_tokens + excluded.output_tokens
"""
_WAIT_S = 60.0


@dataclass(frozen=True)
class Used:
    """What a model was asked so far. Attributes: bytes: of the texts that were sent."""

    requests: int = 0
    bytes: int = 0
    input_tokens: int = 0
    output_tokens: int = 0


class AnswerStore:
    """Replies by the hash of their request, shared by all stores, teachers and processes of a run.

    No text and no key of a server is in it.

    Args: path: of the file; None: nothing is kept, and what is spent is counted in memory alone.
    Raises: UserError when the file is no such store or cannot be written.
    """

    def __init__(self, path: Path | None) -> None:
        self._path, self._lock = path, threading.Lock()
        with self._told():
            if path is not None:
                path.parent.mkdir(parents=True, exist_ok=True)
            self._file = sqlite3.connect(path or ":memory:", timeout=_WAIT_S, check_same_thread=False)
            # A process that is killed loses nothing this way, and no answer waits for the disk.
            self._file.executescript(f"PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; {_TABLES}")

    def reply(self, key: str) -> Reply | None:
        """The reply to a request that was answered before."""
        with self._open() as file:
            found = file.execute("SELECT reply FROM replies WHERE key = ?", (key,)).fetchone()
            return None if found is None else Reply.from_json(json.loads(found[0]))

    def keep(self, key: str, reply: Reply) -> None:
        """Store a reply; it is there whenever this returns, whatever happens to the process."""
        with self._open() as file:
            values = (key, json.dumps(reply.as_json()))
            file.execute("INSERT OR REPLACE INTO replies VALUES (?, ?)", values)

    def used(self, model: str) -> Used:
        """What a model was asked in this run so far, by all processes."""
        with self._open() as file:
            query = "SELECT requests, bytes, input_tokens, output_tokens FROM used WHERE model = ?"
            found = file.execute(query, (model,)).fetchone()
        return Used(*found) if found else Used()

    def add(self, model: str, size: int, input_tokens: int, output_tokens: int) -> None:
        """Count one request. Args: size: bytes of its texts."""
        with self._open() as file:
            file.execute(_ADD, (model, size, input_tokens, output_tokens))

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        """The file, for one thread at a time; changes are kept when the block ends. Raises: as the class."""
        with self._told(), self._lock, self._file:
            yield self._file

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Errors of the file as the user's. Raises: as the class."""
        try:
            yield
        except (sqlite3.Error, OSError, ValueError, LookupError, TypeError) as error:
            raise UserError(
                "the answers of the language model cannot be read or written",
                where=str(self._path),
                found=error,
                do="free space or restore the file; without it the same records are asked, and paid for, again",
            ) from None
