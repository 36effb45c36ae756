"""A folder that many machines see, named by a URL: object storage through fsspec, or a disk that they share.

A file is there whole or not at all: an upload that was cut leaves nothing that can be read.
"""

from __future__ import annotations

import errno
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, TypeVar
from uuid import uuid4

from distill.core.errors import UserError
from distill.core.files import disk_error, remove, replacing

T = TypeVar("T")
_WAITS_S = (0.5, 1.0, 2.0, 4.0)  # between tries, beside those that the libraries make themselves
_FULL = {errno.ENOSPC, errno.EDQUOT}
_PACKAGES = {"s3": "distill[s3]", "s3a": "distill[s3]", "gs": "gcsfs", "gcs": "gcsfs", "abfs": "adlfs", "az": "adlfs"}
_KEYS = {
    "s3": "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or give the machine a role",
    "gs": "set GOOGLE_APPLICATION_CREDENTIALS, or give the machine a service account",
}


class Storage:
    """Files below a URL, by names relative to it.

    Attributes: url: without a slash at the end.
    Raises: UserError, of every method: no rights, no such bucket, no credentials, or no answer after several tries.
    """

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")

    def __truediv__(self, name: str) -> Storage:
        """What is below a folder of it."""
        return type(self)(f"{self.url}/{name}")

    def names(self) -> set[str]:
        """All files, those in folders below too."""
        raise NotImplementedError

    def put(self, path: Path, name: str) -> None:
        """Make a local file one of its own; one of that name is replaced."""
        raise NotImplementedError

    def get(self, name: str, path: Path) -> None:
        """Make one of its files a local one, atomically."""
        raise NotImplementedError

    def opened(self, name: str) -> IO[bytes]:
        """One of its files, of which parts are read."""
        raise NotImplementedError

    def remove(self, name: str) -> None:
        """Remove one of its files, or a folder with all that is in it; it may be gone already."""
        raise NotImplementedError

    def tried(self, action: Callable[[], T]) -> T:
        """What an action on an opened file returns, tried again where the storage may fail for a moment."""
        return action()

    def require(self, scratch: Path) -> None:
        """Check that files can be written, read and removed. Args: scratch: a local folder. Raises: as all do."""
        name, path = f".probe-{uuid4().hex}", scratch / "probe"
        path.write_text("distill", encoding="utf-8")
        self.put(path, name)
        self.get(name, path)
        self.remove(name)
        path.unlink()


class SharedFolder(Storage):
    """A folder of a disk that all machines mount at the same place."""

    def names(self) -> set[str]:
        """As of all."""
        root = Path(self.url)
        return {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}

    def put(self, path: Path, name: str) -> None:
        """As of all."""
        target = Path(self.url, name)
        # Not `replacing`: two machines may have processes of the same number.
        partial = target.with_name(f".{target.name}.{uuid4().hex}.partial")
        with self._errors():
            partial.parent.mkdir(parents=True, exist_ok=True)
            try:
                shutil.copyfile(path, partial)
                with partial.open("rb") as file:
                    os.fsync(file.fileno())
                os.replace(partial, target)
            finally:
                partial.unlink(missing_ok=True)

    def get(self, name: str, path: Path) -> None:
        """As of all."""
        with self.opened(name) as source, replacing(path) as partial, partial.open("wb") as file:
            shutil.copyfileobj(source, file)

    def opened(self, name: str) -> IO[bytes]:
        """As of all."""
        with self._errors():
            return Path(self.url, name).open("rb")

    def remove(self, name: str) -> None:
        """As of all."""
        with self._errors(), suppress(FileNotFoundError):
            remove(Path(self.url, name))

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise disk_error(Path(self.url), error) from error


class Bucket(Storage):
    """A prefix in object storage, by whatever package of fsspec knows its scheme.

    Args: pause: sleeps between two tries.
    """

    def __init__(self, url: str, pause: Callable[[float], None] = time.sleep) -> None:
        super().__init__(url)
        self._pause = pause
        self._files, root = _file_system(self.url)
        self._root = root.rstrip("/")

    def names(self) -> set[str]:
        """As of all."""

        def found() -> set[str]:
            self._files.invalidate_cache()
            start = len(self._root) + 1
            try:
                return {path[start:] for path in self._files.find(self._root)}
            except FileNotFoundError:  # of some packages, where nothing has this prefix
                return set()

        return self.tried(found)

    def put(self, path: Path, name: str) -> None:
        """As of all; a file of several parts becomes one when the last is there."""
        self.tried(lambda: self._files.put_file(str(path), self._place(name)))

    def get(self, name: str, path: Path) -> None:
        """As of all."""
        with replacing(path) as partial:
            self.tried(lambda: self._files.get_file(self._place(name), str(partial)))

    def opened(self, name: str) -> IO[bytes]:
        """As of all."""
        found: IO[bytes] = self.tried(lambda: self._files.open(self._place(name), "rb"))
        return found

    def remove(self, name: str) -> None:
        """As of all."""
        # Storage has no folders: what is there is removed, file by file where need be.
        own = [one for one in self.names() if one == name or one.startswith(f"{name}/")]
        if own:
            self.tried(lambda: self._files.rm([self._place(one) for one in own]))

    def _place(self, name: str) -> str:
        return f"{self._root}/{name}"

    def tried(self, action: Callable[[], T]) -> T:
        """As of all, a bounded number of times."""
        for wait in (*_WAITS_S, None):
            try:
                return action()
            except Exception as error:  # each package has a tree of its own
                if isinstance(error, OSError) and error.errno in _FULL:
                    raise
                found = self._final(error)
                if found is not None:
                    raise found from error
                if wait is None:
                    do = "check the network and the address of the storage, and start again: what is finished is kept"
                    what = f"the storage does not answer, tried {len(_WAITS_S) + 1} times"
                    raise UserError(what, where=self.url, found=_brief(error), do=do) from error
                self._pause(wait)
        raise AssertionError

    def _final(self, error: Exception) -> UserError | None:
        """The UserError for what another try does not change; None for what it may."""
        if _refuses(error):
            do = "give the key or role that is used here the rights to list, read, write and delete below this URL"
            return UserError("the storage refuses access", where=self.url, found=_brief(error), do=do)
        if isinstance(error, FileNotFoundError):
            do = "check the name of the bucket and the prefix"
            return UserError("no such bucket or file in the storage", where=self.url, found=_brief(error), do=do)
        if "Credentials" in type(error).__name__:
            do = _KEYS.get(self.url.partition("://")[0], "set what its package reads")
            return UserError("no credentials for the storage", where=self.url, found=_brief(error), do=do)
        if isinstance(error, ValueError | TypeError | NotImplementedError):
            return UserError("the storage cannot be used", where=self.url, found=_brief(error), do="check the URL")
        return None


def storage(url: str) -> Storage:
    """What is below a URL: `s3://bucket/prefix`, `gs://…`, whatever fsspec knows, `file:///folder` or a whole path.

    Raises: UserError for a scheme that nobody knows or whose package is not installed.
    """
    scheme, separator, path = url.partition("://")
    if not separator or scheme in ("file", "local"):
        return SharedFolder(path if separator else url)
    return Bucket(url)


def _file_system(url: str) -> tuple[Any, str]:
    """The file system of a URL, and the path in it. Raises: UserError naming the package that lacks."""
    scheme = url.partition("://")[0]
    own = _PACKAGES.get(scheme)
    try:
        from fsspec.core import url_to_fs

        found: tuple[Any, str] = url_to_fs(url)
    except ImportError as error:
        do = f"pip install '{own or 'fsspec'}'" if own or error.name == "fsspec" else str(error)
        raise UserError("storage of this kind needs a package that is not installed", where=url, do=do) from error
    except ValueError as error:
        do = "take s3://, gs://, abfs:// or file://, or another scheme that fsspec knows"
        raise UserError("unknown storage", where=url, found=str(error), do=do) from error
    return found


def _refuses(error: Exception) -> bool:
    """Whether access is refused: some packages raise Python's error, others their own with HTTP's code, gcsfs words."""
    coded = any(getattr(error, name, None) in (401, 403) for name in ("code", "status", "status_code"))
    return coded or isinstance(error, PermissionError) or str(error).startswith("Forbidden")


def _brief(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:300]
