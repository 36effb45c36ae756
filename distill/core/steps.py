"""The step contract: config + inputs -> artifact + manifest, skipped when done, resumed when cut off.

A step works in `<artifact>.partial`, so a half-made artifact never carries its final name; the manifest is written
last, then the folder is renamed. The fingerprint covers the step's name and version, its part of the config, the
digests of the files that it reads of other artifacts, and the hashes of input files. Same fingerprint: nothing to do.
An unfinished folder of the same fingerprint is handed to the body again, which goes on from the files it finds there.

So a step names the files it reads, not only the artifact that holds them: more pool rows change `records`, but no
teacher reads the pool's file, and none is trained again.
"""

from __future__ import annotations

import errno
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any

from distill.core import manifest
from distill.core.errors import UserError
from distill.core.files import (
    Json,
    disk_error,
    is_half_written,
    read_object,
    sha256,
    sha256_json,
    write_bytes,
    write_json,
)
from distill.core.folders import (
    STARTED,
    begun_for,
    clear_folder,
    link_folder,
    replace_folder,
    require_replaceable,
)
from distill.core.hashes import HashCache
from distill.core.manifest import MANIFEST
from distill.core.run_folder import HASHES, STATE
from distill.core.steady import changed_file
from distill.core.work import Workload, no_work

_DISK_ERRORS = {errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EIO}
_FULL_BYTES = 2**20  # a disk with less room than this is full
Body = Callable[[Path], None]


@dataclass(frozen=True)
class Read:
    """What a step reads of another artifact.

    Attributes: artifact: folder below the run folder. files: names of files in it; all of them where none is named.
    """

    artifact: str
    files: tuple[str, ...] = ()

    def __str__(self) -> str:
        """How the manifest calls it: `records: train.parquet, valid.parquet`."""
        return f"{self.artifact}: {', '.join(self.files)}" if self.files else self.artifact

    @classmethod
    def of(cls, text: str) -> Read:
        """The inverse of `str`."""
        artifact, _, files = text.partition(": ")
        return cls(artifact, tuple(files.split(", ")) if files else ())


@dataclass(frozen=True)
class Step:
    """One artifact of a run.

    Attributes:
        name: `teach base@document`, shown to the user and used in `run.json`.
        artifact: folder below the run folder.
        body: writes all its files into the folder that it is given.
        config: what of the config the result depends on; JSON-ready.
        reads: what the body reads of other artifacts of the run.
        files: input files outside the run folder.
        version: raised when the body's meaning changes.
        publish: files of the artifact that are also put into the run folder itself.
        manifest: the step's manifest, where the artifact has a `manifest.json` of its own.
        work: what its time grows with, once the rows of each split are counted.
        apart: files that tell of its making, such as measured times: they are in the folder, and no part of it.
        together: several processes of torchrun may run the body at once, in the same folder. alone: it is long work
        that they may not share.
    """

    name: str
    artifact: str
    body: Body
    config: Any = None
    reads: tuple[Read, ...] = ()
    files: tuple[Path, ...] = ()
    version: int = 1
    publish: tuple[str, ...] = ()
    manifest: str = MANIFEST
    work: Workload = no_work
    apart: tuple[str, ...] = ()
    together: bool = False
    alone: bool = False

    @property
    def upstream(self) -> tuple[str, ...]:
        """The artifacts that the body reads, each once."""
        return tuple(dict.fromkeys(read.artifact for read in self.reads))


def nobody(run: Path, step: Step) -> None:
    """Tells nobody that a step's body begins."""


class Steps:
    """Runs steps in one run folder.

    Args: run: the run folder. config: the resolved config, kept in `run.json`. versions: of libraries, kept there too.
        on_start, on_end: told the step's name, and in the end its status and seconds. on_body: told the run folder and
        the step when its body begins.
    Attributes: alike: folders of other runs, whose finished artifacts of equal fingerprint are taken over; none at
        first.
    """

    def __init__(
        self,
        run: Path,
        config: Mapping[str, Any],
        versions: Mapping[str, str],
        on_start: Callable[[str], None] = lambda name: None,
        on_end: Callable[[str, str, float], None] = lambda name, status, seconds: None,
        on_body: Callable[[Path, Step], None] = nobody,
    ) -> None:
        self.alike: Sequence[Path] = ()
        self.run_folder, self.on_start, self.on_end, self.on_body = run, on_start, on_end, on_body
        self._state: Json = {"schema": 1, "config": config, "versions": versions, "stages": []}
        self._hashes = HashCache(run / HASHES)

    def run(self, step: Step) -> Path:
        """Make the step's artifact unless it is there; returns its folder.

        Raises: whatever the body raises; the earlier artifact and the unfinished one stay as they are. UserError before
            the body starts, when something that is not ours is in the artifact's place.
        """
        target = self.run_folder / step.artifact
        inputs = self._inputs(step)
        fingerprint = fingerprint_of(step, inputs)
        status, started = "done", time.monotonic()
        if self._is_finished(target, fingerprint, step) or self._taken_over(target, fingerprint, step):
            status = "skipped"
        else:
            self.on_start(step.name)
            self._record(step, fingerprint, "running", 0.0)
            try:
                self._make(step, target, fingerprint, inputs)
            except BaseException as error:
                # A disk too full for run.json is the body's error first.
                with suppress(UserError):
                    ended = "interrupted" if isinstance(error, KeyboardInterrupt) else "failed"
                    self._record(step, fingerprint, ended, time.monotonic() - started)
                raise
        self._publish(step, target)
        seconds = time.monotonic() - started
        if status == "skipped":
            seconds = manifest.read_manifest(target, step.manifest)["seconds"]
        self._record(step, fingerprint, status, seconds)
        self.on_end(step.name, status, seconds)
        return target

    def is_done(self, step: Step) -> bool:
        """Whether `run` would skip this step; False also while an upstream artifact is missing."""
        if not self.is_readable(step):
            return False
        return self._is_finished(self.run_folder / step.artifact, fingerprint_of(step, self._inputs(step)), step)

    def is_current(self, step: Step) -> bool:
        """As `is_done`, by the manifest alone: no file of the artifact is read."""
        target = self.run_folder / step.artifact
        return self.is_readable(step) and is_made_from(target, fingerprint_of(step, self._inputs(step)), step.manifest)

    def is_readable(self, step: Step) -> bool:
        """Whether everything that the step reads of other artifacts is there."""
        return all(manifest.holds(self.run_folder / read.artifact, read.files) for read in step.reads)

    def _is_finished(self, target: Path, fingerprint: str, step: Step) -> bool:
        return is_finished(target, fingerprint, step.manifest, self._hashes.sha256)

    def _taken_over(self, target: Path, fingerprint: str, step: Step) -> bool:
        """Whether another run has the artifact, so that it is here too by now."""
        for run in self.alike:
            found = run / step.artifact
            with suppress(UserError):  # one that was changed since it was made is no use
                if not self._is_finished(found, fingerprint, step) or step.manifest != MANIFEST:
                    continue
                partial = working_folder(target)
                require_replaceable(partial, target, self.run_folder)
                clear_folder(partial, self.run_folder)
                write_json(partial / STARTED, {"fingerprint": "taken over"})  # cut off, it is cleared like any other
                link_folder(found, partial)
                (partial / STARTED).unlink()
                replace_folder(partial, target, self.run_folder)
                return True
        return False

    def _make(self, step: Step, target: Path, fingerprint: str, inputs: dict[str, str]) -> None:
        for read in step.reads:
            manifest.require_whole(self.run_folder / read.artifact, files=read.files)
        partial = working_folder(target)
        with _disk_errors(target):
            require_replaceable(partial, target, self.run_folder)
            if not is_finished(partial, fingerprint, step.manifest):
                _open_partial(partial, fingerprint, self.run_folder)
                started = time.monotonic()
                self.on_body(self.run_folder, step)
                step.body(partial)
                seconds = time.monotonic() - started
                self._require_steady(step, inputs, partial)
                _close_partial(partial, step, fingerprint, inputs, seconds)
            if step.manifest != STARTED:
                (partial / STARTED).unlink(missing_ok=True)
            replace_folder(partial, target, self.run_folder)

    def _inputs(self, step: Step) -> dict[str, str]:
        found = {str(read): manifest.digest(self.run_folder / read.artifact, read.files) for read in step.reads}
        return found | {str(path): self._hashes.sha256(path) for path in step.files}

    def _require_steady(self, step: Step, inputs: Mapping[str, str], partial: Path) -> None:
        """Check that input files are still those that the fingerprint names. Raises: UserError; the work is cleared."""
        for path in step.files:
            if self._hashes.sha256(path) != inputs[str(path)]:
                clear_folder(partial, self.run_folder)
                raise changed_file(path, "other content than when the step began")

    def _publish(self, step: Step, target: Path) -> None:
        for name in step.publish:
            public, content = self.run_folder / name, (target / name).read_bytes()
            if not public.exists() or public.read_bytes() != content:
                write_bytes(public, content)

    def _record(self, step: Step, fingerprint: str, status: str, seconds: float) -> None:
        stages: list[Json] = self._state["stages"]
        entry = {"name": step.name, "status": status, "seconds": round(seconds, 2), "fingerprint": fingerprint}
        if stages and stages[-1]["name"] == step.name:
            stages[-1] = entry
        else:
            stages.append(entry)
        write_json(self.run_folder / STATE, self._state)

    @property
    def stages(self) -> list[Json]:
        """Name, status, seconds and fingerprint of every step so far."""
        return list(self._state["stages"])


def files_by_source(sources: Mapping[str, Sequence[Path]]) -> Json:
    """For the config of a step that tells its files apart: which source each is of, and the order of the sources.

    Nothing where each source has one file and those of a section are in the order of their names, which `files` and a
    config with these names say already.

    Args: sources: the step's `files` by name, `SECTION` or `SECTION.NAME`.
    """
    found = [[source, len(files)] for source, files in sources.items()]
    by_section = groupby(sources, lambda source: source.partition(".")[0])
    plain = [[source, 1] for _, section in by_section for source in sorted(section)]
    return {} if found == plain else {"sources": found}


def fingerprint_of(step: Step, inputs: Mapping[str, str]) -> str:
    """Hex SHA-256 of everything that a step's result depends on."""
    # Input files count by content, not by place, so a moved project is not computed again.
    return sha256_json(
        {
            "step": step.name,
            "version": step.version,
            "config": step.config,
            "upstream": [inputs[str(read)] for read in step.reads],
            "files": [inputs[str(path)] for path in step.files],
        }
    )


def is_finished(folder: Path, fingerprint: str, name: str = MANIFEST, large: Callable[[Path], str] = sha256) -> bool:
    """Whether the artifact is whole and was made from these inputs. Args: large: see `manifest.require_whole`.

    Raises: UserError when its manifest says so but files are missing or changed.
    """
    if not is_made_from(folder, fingerprint, name):
        return False
    manifest.require_whole(folder, name, large=large)
    return True


def is_made_from(folder: Path, fingerprint: str, name: str = MANIFEST) -> bool:
    """Whether the manifest says that the artifact was finished from these inputs."""
    if not manifest.is_manifest(read_object(folder / name)):
        return False
    return bool(manifest.read_manifest(folder, name).get("fingerprint") == fingerprint)


def working_folder(target: Path) -> Path:
    """Where a step works before its artifact gets its name."""
    return target.with_name(f"{target.name}.partial")


def _open_partial(partial: Path, fingerprint: str, run: Path) -> None:
    """Keep an unfinished folder of the same fingerprint, without half-written files; clear any other."""
    marker = partial / STARTED
    if begun_for(partial) != fingerprint:
        clear_folder(partial, run)
    partial.mkdir(parents=True, exist_ok=True)
    for leftover in [path for path in partial.rglob(".*") if path.is_file() and is_half_written(path.name)]:
        leftover.unlink()
    if not marker.exists():
        write_json(marker, {"fingerprint": fingerprint})


def _share(partial: Path) -> None:
    """Give every file the rights of a new one: safetensors writes files that their owner alone may read."""
    rights = (partial / STARTED).stat().st_mode & 0o777
    for path in partial.rglob("*"):
        if path.is_file() and not path.is_symlink() and path.stat().st_mode & 0o777 != rights:
            path.chmod(rights)


def _close_partial(partial: Path, step: Step, fingerprint: str, inputs: dict[str, str], seconds: float) -> None:
    _share(partial)
    content = {"step": step.name, "version": step.version, "fingerprint": fingerprint, "inputs": inputs}
    took = {"seconds": round(seconds, 3), "finished": datetime.now(UTC).isoformat(timespec="seconds")}
    manifest.write_manifest(partial, {**content, **took}, step.manifest, leave_out=(STARTED, *step.apart))


@contextmanager
def _disk_errors(target: Path) -> Iterator[None]:
    """A disk that is full or closed to us as a UserError, whichever library met it."""
    try:
        yield
    except OSError as error:
        if error.errno in _DISK_ERRORS:
            raise disk_error(target, error) from error
        raise
    except UserError:
        raise
    except Exception as error:
        # Libraries with a core of their own report a full disk in words (safetensors, Arrow) or as a riddle (torch).
        if os.strerror(errno.ENOSPC) in str(error) or _is_full(target):
            raise disk_error(target, OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))) from error
        raise


def _is_full(path: Path) -> bool:
    folder = next(parent for parent in path.absolute().parents if parent.exists())
    return shutil.disk_usage(folder).free < _FULL_BYTES
