"""Rows encoded once for each view and tokenizer, shared by all fits that read them.

`<cache>/<view>-<hash>/<split>-<hash>/rows-*.arrow`: the first hash is of the view and its tokenizer, the second of the
split's records, so what is found under a name is what would be made. It can be deleted at any time; no result depends
on it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from distill.core import manifest
from distill.core.errors import UserError
from distill.core.files import remove, sha256, sha256_json
from distill.core.leftovers import remove_half_written
from distill.core.manifest import MANIFEST
from distill.core.processes import rank
from distill.core.progress import progress, read
from distill.core.record_store import count_records
from distill.core.view import View
from distill.training.encoded_rows import EncodedPart, EncodedRows, map_encoded
from distill.training.encoding import Shard, encode, encode_by

_VERSION = 1  # of what is stored
_SHARD_ROWS = 8192
_POLL_S = 0.2
_WORTH_PROCESSES = 4  # shards, so 24,577 rows: of fewer, starting processes takes longer than they save


@dataclass(frozen=True)
class EncodedStore:
    """Where rows are encoded to. Attributes: cache: folder of all encodings. records: the records artifact."""

    cache: Path
    records: Path
    view: View
    processes: int = 1

    def rows(self, splits: Sequence[str]) -> EncodedRows:
        """The rows of these splits, end to end; encoded first where they are not yet.

        Raises: UserError when what was encoded earlier is damaged.
        """
        return EncodedRows([part for split in splits for part in self._parts(split)])

    def _parts(self, split: str) -> list[EncodedPart]:
        folder = self.folder(split)
        while rank() and not (folder / MANIFEST).exists():
            time.sleep(_POLL_S)  # the first of several processes makes it
        if not (folder / MANIFEST).exists():
            self._make(split, folder)
        manifest.require_whole(folder)
        return [map_encoded(path) for path in sorted(folder.glob("rows-*.arrow"))]

    def folder(self, split: str) -> Path:
        """The folder of a split's encoded rows."""
        pad = self.view.renderer().pad_id
        made_by = [_VERSION, self.view.hash, pad, version("tokenizers")]
        own = f"{self.view.name}-{sha256_json(made_by)[:16]}"
        return self.cache / own / f"{split}-{sha256(self.records / f'{split}.parquet')[:16]}"

    def _make(self, split: str, folder: Path) -> None:
        rows = count_records(self.records, split)
        shards = [
            Shard(folder / f"rows-{index:05d}.arrow", self.records, split, start, min(start + _SHARD_ROWS, rows))
            for index, start in enumerate(range(0, max(1, rows), _SHARD_ROWS))
        ]
        missing = [shard for shard in shards if not _is_whole(shard)]
        done = rows - sum(len(shard) for shard in missing)
        title, long = f"encoding {split} for the view {self.view.name}", len(missing) >= _WORTH_PROCESSES
        with progress(title, rows, done) if long else nullcontext(_tell_nobody) as advance:
            for shard in self._encoded(missing):
                done += len(shard)
                read(tokens=len(map_encoded(shard.path).ids))
                advance(done)
        remove_half_written(folder)
        content = {"view": self.view.hash, "rows": rows, "split": split}
        manifest.write_manifest(folder, content)

    def _encoded(self, shards: Sequence[Shard]) -> Iterator[Shard]:
        """Each shard after its file is written."""
        if self.processes > 1 and len(shards) >= _WORTH_PROCESSES:
            yield from encode_by(min(self.processes, len(shards)), shards, self.view)
            return
        for shard in shards:
            encode(shard, self.view)
            yield shard


def _is_whole(shard: Shard) -> bool:
    """Whether a shard's file is there with all its rows: a disk that failed may have left one that is cut short."""
    with suppress(UserError):
        if len(map_encoded(shard.path)) == len(shard):
            return True
    remove(shard.path)
    return False


def _tell_nobody(done: int) -> None:
    """Few rows need no progress."""
