"""The repository, wheels and data in one compressed archive, cut into pieces that fit where files are carried by size.

The pieces put together are a plain `.tar.gz`: where there is no Python, `cat piece-* | tar xz` opens them.
"""

from __future__ import annotations

import io
import subprocess
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from distill.core.errors import UserError
from distill.core.files import read_json, remove, sha256, write_json

LIST = "pieces.json"
REPOSITORY = "repository"
MOST_MB = 47
_MB = 1_000_000


class _Pieces(io.RawIOBase):
    """A file for writing that is cut into pieces. Attributes: written: their paths."""

    def __init__(self, folder: Path, size: int) -> None:
        super().__init__()
        self.folder, self.size, self.written = folder, size, list[Path]()
        self._file: io.BufferedWriter | None = None
        self._room = 0

    def writable(self) -> bool:
        """It is."""
        return True

    def write(self, data: object) -> int:
        """Write bytes, in as many pieces as they need."""
        rest = memoryview(bytes(data))  # type: ignore[call-overload]
        whole = len(rest)
        while rest:
            if not self._room:
                self._next()
            assert self._file is not None
            part = rest[: self._room]
            self._file.write(part)
            self._room, rest = self._room - len(part), rest[len(part) :]
        return whole

    def _next(self) -> None:
        self.finish()
        self.written.append(self.folder / f"piece-{len(self.written):03d}")
        self._file, self._room = self.written[-1].open("wb"), self.size

    def finish(self) -> None:
        """Close the last piece."""
        if self._file is not None:
            self._file.close()


def pack(root: Path, folders: Mapping[str, Path], out: Path, most_mb: int = MOST_MB) -> list[Path]:
    """Write the repository's files, as git lists them, and further folders into `out`; returns the pieces.

    Args: folders: name in the archive to a folder. most_mb: of a piece, in 10⁶ bytes.
    Raises: UserError for a folder that is none, an `out` that holds other files, and where git cannot list the files.
    """
    if most_mb < 1:
        raise UserError("a piece needs room", where="--most-mb", found=most_mb, do="give at least 1")
    for name, folder in folders.items():
        if not folder.is_dir():
            do = "name one that is there; exported files are made by --device cpu --parts parity"
            raise UserError("no such folder", where=name, found=folder, do=do)
    if out.exists() and any(path.name != LIST and not path.name.startswith("piece-") for path in out.iterdir()):
        raise UserError("the folder holds other files", where=str(out), do="name a new one")
    files = _listed(root)
    remove(out)
    out.mkdir(parents=True)
    target = _Pieces(out, most_mb * _MB)
    try:
        with tarfile.open(fileobj=target, mode="w|gz") as archive:  # type: ignore[call-overload]
            for path in files:
                archive.add(root / path, f"{REPOSITORY}/{path}", recursive=False)
            for name, folder in folders.items():
                archive.add(folder, name)
    finally:
        target.finish()
    write_json(out / LIST, {"pieces": {path.name: sha256(path) for path in target.written}})
    return target.written


def _listed(root: Path) -> list[str]:
    command = ["git", "-C", str(root), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        done = subprocess.run(command, capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise UserError("git cannot list the repository's files", where=str(root), found=error) from None
    names = [name.decode() for name in done.stdout.split(b"\0") if name]
    return [name for name in names if (root / name).is_file()]


def unpack(pieces: Path, into: Path) -> list[str]:
    """Put the pieces together and open them in a folder that is not there yet; returns what is in it.

    Raises: UserError for a piece that is missing or changed, an archive that would write elsewhere, and a folder that
        is there.
    """
    if into.exists() and any(into.iterdir()):
        raise UserError("the folder is not empty", where=str(into), do="name a new one")
    listed = read_json(pieces / LIST)["pieces"] if (pieces / LIST).is_file() else {}
    if not listed:
        raise UserError("there are no pieces", where=str(pieces), do="give the folder that `pack` has written")
    for name, digest in listed.items():
        if not (pieces / name).is_file():
            raise UserError("a piece is missing", where=str(pieces / name), do="carry it again")
        if sha256(pieces / name) != digest:
            raise UserError("a piece is changed", where=str(pieces / name), do="carry it again")
    making = into.with_name(f"{into.name}.making")
    remove(making)
    making.mkdir(parents=True)
    source = io.BufferedReader(_Joined([pieces / name for name in sorted(listed)]))
    with tarfile.open(fileobj=source, mode="r|gz") as archive:
        archive.extractall(making, filter="data")
    if into.exists():
        into.rmdir()
    making.rename(into)
    return sorted(path.name for path in into.iterdir())


class _Joined(io.RawIOBase):
    """Files read one after another."""

    def __init__(self, paths: Sequence[Path]) -> None:
        super().__init__()
        self._blocks = self._read(paths)
        self._rest = b""

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: object) -> int:
        """Fill a buffer as far as the next block goes."""
        view = memoryview(buffer)  # type: ignore[arg-type]
        if not self._rest:
            self._rest = next(self._blocks, b"")
        size = min(len(view), len(self._rest))
        view[:size], self._rest = self._rest[:size], self._rest[size:]
        return size

    @staticmethod
    def _read(paths: Sequence[Path]) -> Iterator[bytes]:
        for path in paths:
            with path.open("rb") as file:
                while block := file.read(1 << 20):
                    yield block
