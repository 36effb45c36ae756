"""A label store's shards in storage that all machines reach, and the copy of them that this one works with."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterable
from pathlib import Path

from distill.core.errors import UserError
from distill.core.files import read_json, replacing, sha256, write_json
from distill.core.storage import Storage

LEDGER = "manifest.json"  # of the storage: what it holds, written when all is there
_FILE = re.compile(r"(shard|stages|costs)-(\d{5,})\.(?:parquet|json)")


class KeptShards:
    """The shards below one URL.

    Raises: UserError, of every method, as `Storage` does.
    """

    def __init__(self, place: Storage) -> None:
        self.place = place

    def bring(self, folder: Path) -> None:
        """Copy to `folder` what it lacks of finished shards. Raises: UserError for a file that was damaged since."""
        there = self.place.names()
        known = self._known() if LEDGER in there else {}
        for name in _finished(there):
            if not (folder / name).exists():
                self.take(name, folder, known.get(name))

    def take(self, name: str, folder: Path, expected: str | None = None) -> None:
        """Copy one file. Args: expected: its SHA-256, where it is known. Raises: UserError where it has another."""
        with replacing(folder / name) as path:
            self.place.get(name, path)
            found = sha256(path)
            if expected is not None and found != expected:
                raise UserError(
                    "a file in the storage is not the one that was put there",
                    where=f"{self.place.url}/{name}",
                    found=f"sha256 {found[:12]}…, expected {expected[:12]}…",
                    do="delete it and the shard of its number there, and start again: only these rows are redone",
                )

    def give(self, folder: Path, index: int) -> None:
        """Put the files of a shard that was made here."""
        own = [path.name for path in folder.iterdir() if _number(path.name) == index]
        for name in sorted(own, key=_shard_last):
            self.place.put(folder / name, name)

    def close(self, folder: Path) -> None:
        """All shards are in `folder`: put what lacks there, then the ledger, and remove everything else."""
        there, own = self.place.names(), _finished(path.name for path in folder.iterdir())
        for name in own:
            if name not in there:
                self.place.put(folder / name, name)
        with tempfile.TemporaryDirectory() as scratch:
            ledger = Path(scratch, LEDGER)
            entries = {name: {"sha256": sha256(folder / name), "bytes": (folder / name).stat().st_size} for name in own}
            write_json(ledger, {"schema": 1, "files": entries})
            self.place.put(ledger, LEDGER)
        for name in sorted({name.partition("/")[0] for name in there} - {*own, LEDGER}):
            self.place.remove(name)

    def _known(self) -> dict[str, str]:
        """SHA-256 of each file by the ledger. Raises: UserError where it cannot be read."""
        with tempfile.TemporaryDirectory() as scratch:
            path = Path(scratch, LEDGER)
            self.place.get(LEDGER, path)
            content = read_json(path)
        try:
            return {str(name): str(entry["sha256"]) for name, entry in content["files"].items()}
        except (KeyError, TypeError, AttributeError):
            do = "delete it and start again: the shards beside it are kept"
            raise UserError("a damaged ledger", where=f"{self.place.url}/{LEDGER}", do=do) from None


def _finished(names: Iterable[str]) -> list[str]:
    """The files of shards that are there, each shard's own after those beside it."""
    names = list(names)
    done = {_number(name) for name in names if name.startswith("shard-")}
    return sorted((name for name in names if _number(name) in done - {None}), key=_shard_last)


def _number(name: str) -> int | None:
    found = _FILE.fullmatch(name)
    return int(found[2]) if found else None


def _shard_last(name: str) -> tuple[bool, str]:
    return name.startswith("shard-"), name
