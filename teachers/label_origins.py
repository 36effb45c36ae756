"""Who labels a shard, from which records: the hashes that its file keeps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from distill.core import manifest
from distill.core.errors import UserError
from distill.core.files import read_json, sha256, sha256_json
from distill.core.label_origin import Origin
from distill.core.view import VIEW_FILE
from distill.families.family import CONFIG_FILE, family_of
from distill.families.model_hash import model_hash
from teachers.shards import Part, Shard


@dataclass(frozen=True)
class Origins:
    """What the files of a part's shards say of their origin; plain data, so that it can be sent to whoever labels them.

    Attributes: as of `Origin`.
    """

    teacher: str
    view: str
    labels: Sequence[str]
    precision: str
    model: str | None = None
    factor: float | None = None

    @classmethod
    def of(cls, part: Part, teacher: Path, precision: str) -> Origins:
        """Those of a part, whose logits are not brought to another scale. Args: teacher: whose store it is."""
        own = None if part.fold is None else model_hash(part.model)
        return cls(model_hash(teacher), view_hash(teacher), label_names(teacher), precision, own)

    def origin(self, shard: Shard) -> Origin:
        """That of one shard. Raises: UserError as `records_hash`."""
        return Origin(
            **vars(self),
            records={file: records_hash(shard.records, file) for file in shard.extent},
            rows=shard.extent,
        )


def view_hash(folder: Path) -> str:
    """The hash of the view that a model reads, of all of them for one that is made of others."""
    if (folder / VIEW_FILE).exists():
        return str(read_json(folder / VIEW_FILE).get("hash", ""))
    return sha256_json([view_hash(part) for part in family_of(folder).parts(folder)])


def label_names(folder: Path) -> Sequence[str]:
    """The classes of a model folder, in order."""
    names = read_json(folder / CONFIG_FILE).get("id2label") or {}
    return [str(name) for name in names.values()]


def records_hash(records: Path, file: str) -> str:
    """Hex SHA-256 of a record file, as the manifest has it. Raises: UserError when it cannot be read."""
    name = f"{file}.parquet"
    if manifest.holds(records, [name]):
        return str(manifest.read_manifest(records)["files"][name]["sha256"])
    try:
        stat = (records / name).stat()
        return _file_hash(records / name, stat.st_size, stat.st_mtime_ns)
    except OSError as error:
        raise UserError("cannot read a record file", where=str(records / name), found=error.strerror) from None


@lru_cache(maxsize=64)
def _file_hash(path: Path, size: int, changed_ns: int) -> str:
    """That of a file, read once for each state that it is found in."""
    return sha256(path)
