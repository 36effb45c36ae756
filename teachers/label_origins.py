"""Who labels a shard, from which records: the hashes that its file keeps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from distill.core import manifest
from distill.core.errors import UserError
from distill.core.files import read_json, sha256, sha256_json
from distill.core.label_origin import Origin, origin_of_file
from distill.core.soft_labels import shard_files
from distill.core.steps import Read
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


def require_same_records(store: Path, records: Path, part: str) -> None:
    """Check that a store's labels are of the records that a run has now, of the files whose names begin with `part`.

    Shards that do not say what they are of, as those of labels made elsewhere, are held by all that their step read.

    Raises: UserError naming the files that are others, or gone.
    """
    origins = [origin_of_file(path) for path in shard_files(store)]
    said = {file: digest for one in origins if one for file, digest in one.records.items() if file.startswith(part)}
    other = [file for file, digest in said.items() if not _is_of(records, file, digest)]
    if None in origins:
        read = manifest.read_manifest(store)["inputs"].items()
        own = [(one, digest) for one, digest in read if Read.of(one).artifact == records.name]
        other += [one for one, digest in own if not _is_read(records, Read.of(one).files, digest)]
    if other:
        found, do = f"made of another {', '.join(sorted(other))}", "label the pool again: distill label"
        raise UserError("labels of records that the run has no more", where=str(store), found=found, do=do)


def _is_of(records: Path, file: str, digest: str) -> bool:
    return (records / f"{file}.parquet").exists() and records_hash(records, file) == digest


def _is_read(records: Path, files: Sequence[str], digest: str) -> bool:
    return manifest.holds(records, files) and manifest.digest(records, files) == digest
