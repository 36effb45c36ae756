"""Files that never look finished when they are not: written next to the target, synced, then renamed."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from distill.core.errors import UserError

Json = dict[str, Any]
"""A JSON object."""

_ERRNO = re.compile(r"\[Errno (\d+)\]")
_CHUNK_BYTES = 1 << 20
_HALF_WRITTEN = (".*.partial", ".tmp??????")  # the names that `replacing` gives, and safetensors


def is_half_written(name: str) -> bool:
    """Whether a file of this name is one that a kill left behind while it was written."""
    return any(fnmatchcase(name, pattern) for pattern in _HALF_WRITTEN)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path next to `path`; renamed over it when the block succeeds, removed when it fails.

    A link stays one: the file that it names is replaced.

    Raises: UserError for a device, a pipe or a folder, when the folder cannot be written, or when the disk is full.
    """
    path = path.resolve() if path.is_symlink() else path
    require_replaceable(path)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield partial
        _sync(partial)
        os.replace(partial, path)
    except OSError as error:
        raise disk_error(path, error) from error
    finally:
        with suppress(OSError):
            partial.unlink()


def require_replaceable(path: Path) -> None:
    """Check that a file may be written at `path`. Raises: UserError for a device, a pipe or a folder."""
    if path.exists() and not path.is_file():
        raise UserError("not a regular file", where=str(path), do="name a file, or one that is not there yet")


def write_bytes(path: Path, data: bytes) -> None:
    """Write `data` to `path` atomically."""
    with replacing(path) as partial:
        partial.write_bytes(data)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 `text` to `path` atomically."""
    write_bytes(path, text.encode())


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented UTF-8 JSON, atomically. Raises: ValueError for NaN or infinity."""
    write_text(path, json.dumps(value, ensure_ascii=False, indent=2, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
    """The JSON value in `path`. Raises: UserError when the file is missing or not JSON."""
    try:
        return json.loads(path.read_bytes())
    except FileNotFoundError:
        raise UserError("file not found", where=str(path)) from None
    except (ValueError, RecursionError) as error:
        raise UserError(
            "not a JSON file", where=str(path), found=str(error), do="restore it or redo its step"
        ) from None


def read_object(path: Path) -> Json:
    """The JSON object in a file of our own that can be made again; empty where it is missing, broken or no object."""
    try:
        content = read_json(path)
    except (UserError, OSError):
        return {}
    return content if isinstance(content, dict) else {}


def sha256(path: Path) -> str:
    """Hex SHA-256 of a file's bytes."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def sha256_json(value: Any) -> str:
    """Hex SHA-256 of a JSON value in canonical form (sorted keys, no spaces)."""
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def remove(path: Path) -> None:
    """Remove a file or a folder, if there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def disk_error(path: Path, error: OSError) -> UserError:
    """The UserError for a failed write, with the advice that fits the system's reason."""
    import errno

    unlocked = "the disk has no file locks: mount it with them (flock), or choose a folder on another one with --out"
    advice = {
        errno.ENOLCK: unlocked,
        errno.ENOSYS: unlocked,
        errno.EOPNOTSUPP: unlocked,
        errno.ENOSPC: "free space on that disk and start again: finished steps are kept",
        errno.EACCES: "give write permission or choose another folder with --out",
        errno.EROFS: "the disk is read-only: choose another folder with --out",
        errno.EEXIST: "a file is where a folder is needed: choose another folder with --out",
        errno.ENOTDIR: "a file is where a folder is needed: choose another folder with --out",
    }
    if isinstance(error, shutil.Error) and (number := _ERRNO.search(str(error))):  # of a folder, file by file
        error = OSError(int(number[1]), os.strerror(int(number[1])))
    do = advice.get(error.errno or 0, "check the disk and start again: finished steps are kept")
    found = error.strerror or str(error)
    if error.errno == errno.ENOSPC:
        found = f"{os.strerror(errno.ENOSPC)}{_free_space(path)}"
    return UserError("cannot write", where=str(path), found=found, do=do)


def _free_space(path: Path) -> str:
    """How much room is left on the disk of a path, in words; nothing where the system does not say."""
    folder = next(parent for parent in path.absolute().parents if parent.exists())
    try:
        free = shutil.disk_usage(folder).free
    except OSError:
        return ""
    return f": {free / 2**20:,.1f} MiB free on the disk of {folder}"


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
