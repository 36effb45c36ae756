"""Finished shards on disk, kept over a kill: each with a manifest, all of one job, which the folder is named after."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from distill.core.errors import UserError
from distill.core.files import Json, replacing, sha256, sha256_json, write_text
from distill.core.sealed import read_sealed, write_sealed
from export.answers import Shape, open_answers
from export.batch.answering import Answers

_SCHEMA = 1


@dataclass(frozen=True)
class Done:
    """A finished shard, or several: rows read, answered, rejected, and left out as their key is empty."""

    rows: int = 0
    answered: int = 0
    rejects: int = 0
    without_key: int = 0

    def __add__(self, later: Done) -> Done:
        """Both together."""
        return Done(
            self.rows + later.rows,
            self.answered + later.answered,
            self.rejects + later.rejects,
            self.without_key + later.without_key,
        )


@dataclass(frozen=True)
class Store:
    """The shards of one job. Attributes: folder: theirs alone. ending: of their format. shape: of their answers."""

    folder: Path
    ending: str
    shape: Shape

    @classmethod
    def of(cls, work: Path, job: Json, ending: str, shape: Shape) -> Store:
        """The store of a job in a folder that other jobs may have left theirs in.

        Args: job: all that the answers depend on: of another one no shard is taken.
        """
        whole = {"schema": _SCHEMA, **job, "format": ending, "shape": asdict(shape)}
        store = cls(work / sha256_json(whole)[:16], ending, shape)
        write_sealed(store.folder / "job.json", whole)
        return store

    def answers(self, index: int) -> Path:
        """The file of a shard's answers."""
        return self.folder / f"shard-{index:06d}{self.ending}"

    def rejects(self, index: int) -> Path:
        """The file of a shard's rejects, which is there when there are any."""
        return self.folder / f"shard-{index:06d}.rejects"

    def write(self, index: int, rows: int, found: Answers) -> Done:
        """Write a shard, its manifest last. Raises: UserError when the disk does not take it."""
        path = self.answers(index)
        with replacing(path) as partial, open_answers(partial, self.ending, self.shape, header=False) as write:
            for answer in found.answers:
                write(answer)
        if found.rejects:
            write_text(self.rejects(index), "".join(json.dumps(one, default=str) + "\n" for one in found.rejects))
        done = Done(rows, len(found.answers), len(found.rejects), found.without_key)
        write_sealed(self._manifest(index), {**asdict(done), "sha256": self._hashes(index, bool(found.rejects))})
        return done

    def done(self, index: int) -> Done | None:
        """A shard that is finished and whole; None for one that is to be made."""
        with suppress(UserError, OSError, TypeError, KeyError):
            held = read_sealed(self._manifest(index))
            if held.pop("sha256") == self._hashes(index, bool(held["rejects"])):
                return Done(**held)
        return None

    def rows_done(self) -> int:
        """Rows of all finished shards, as their manifests say."""
        return sum(int(rows) for path in self.folder.glob("shard-*.json") for rows in _rows_of(path))

    def first_reject(self, shards: int) -> Json | None:
        """The first reject of all shards, None for none."""
        path = next((path for index in range(shards) if (path := self.rejects(index)).exists()), None)
        if path is None:
            return None
        with path.open(encoding="utf-8") as file:
            first: Json = json.loads(file.readline())
        return first

    def _manifest(self, index: int) -> Path:
        return self.folder / f"shard-{index:06d}.json"

    def _hashes(self, index: int, rejects: bool) -> list[str]:
        return [sha256(path) for path in (self.answers(index), *([self.rejects(index)] if rejects else []))]


def _rows_of(manifest: Path) -> Iterator[int]:
    with suppress(UserError, OSError, KeyError):
        yield read_sealed(manifest)["rows"]
