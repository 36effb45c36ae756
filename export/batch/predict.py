"""`distill predict`: a bundle's answers for files of records, in one file that is there only when it is whole."""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import reduce
from operator import add
from pathlib import Path
from typing import TYPE_CHECKING

from distill.core.errors import UserError
from distill.core.files import Json, disk_error, remove, require_replaceable
from distill.core.hashes import HashCache
from distill.core.leftovers import remove_half_written
from distill.core.lock import at_work
from distill.core.progress import Advance, note, progress
from distill.inference.providers import CPU
from export.answers import Shape, format_of
from export.batch.answering import Question
from export.batch.inputs import Input, input_paths, surveyed
from export.batch.key_table import Grouping, KeyTable
from export.batch.merge import merge_answers, merge_rejects
from export.batch.shards import SHARD_CHARACTERS, SHARD_ROWS, Shard, read_shards
from export.batch.store import Done, Store
from export.batch.workers import Work, answered_by, answered_here, seal_of
from export.checked_bundle import open_bundle, require_outside
from export.column_check import ColumnCheck, NoColumn
from export.held_project import reading_of
from export.predict_options import PredictOptions
from export.record_rows import asked_fields, columns_of
from export.verify import CLASS_F1, cpu_class

if TYPE_CHECKING:
    from export.runtime import Bundle


@dataclass(frozen=True)
class Answered:
    """What came of the files.

    Attributes: out: the answers, or the table by key. rejects_file: is there when there are rejects. rows: answered.
        rejects: rows that cannot be read. without_key: rows with an empty key. table: with `key`. rows_per_s: of those
        that this call answered; None where an earlier one had answered all.
    """

    out: Path
    rejects_file: Path
    rows: int
    rejects: int
    without_key: int
    table: KeyTable | None
    rows_per_s: float | None


def answers_file(source: Path, key: str | None = None) -> Path:
    """Where the answers to a file go by default: beside it, in its format, under a name of its own."""
    ending = format_of(source)
    return source.with_name(f"{source.name.removesuffix(ending)}.{'keys' if key else 'answers'}{ending}")


def predict_files(bundle: Path, files: Sequence[str], options: PredictOptions) -> Answered:
    """Write one answer per row of the files, in order: id, label, probabilities, `positive` at an operating point.

    A row without `id` gets its line number, of several files with the file's name. Rows that cannot be read go to a
    file of rejects beside the answers. Answers are kept in finished shards beside the file that they will be: the same
    call after a kill goes on there, unless a file or the bundle has changed. With a key one row per key is written.

    Args: files: JSONL, CSV, TSV (also .gz) or Parquet, and globs of such.
    Raises: UserError for a bundle, a file or an option that does not fit, a file that changes meanwhile, a disk that is
        full, another call that writes the same answers, and where no row can be answered.
    """
    options.check()
    job = _Job.of(bundle, input_paths(files), options)
    model = open_bundle(bundle, options.precision, options.threads, options.provider)
    _require_known(model, options)
    with _working(job.work):
        return job.answered(model)


@dataclass
class _Job:
    """One call. Attributes: work: folder of its shards. ending: of the output's format."""

    bundle: Path
    paths: Sequence[Path]
    out: Path
    ending: str
    options: PredictOptions
    total: Done = field(default_factory=Done)

    @classmethod
    def of(cls, bundle: Path, paths: Sequence[Path], options: PredictOptions) -> _Job:
        """Raises: UserError for an output that cannot be, or be told."""
        if options.out is None and len(paths) > 1:
            found = f"{len(paths)} files"
            raise UserError("answers to several files need a name", where="--out", found=found, do="give --out FILE")
        out = options.out or answers_file(paths[0], options.key)
        require_outside(out, bundle)
        ending = format_of(out if out.suffix else paths[0])
        require_replaceable(out)
        job = cls(bundle, paths, out.resolve() if out.is_symlink() else out, ending, options)
        read = [path.resolve() for path in paths]
        for what, written in (("answers", job.out), ("rejects", job.rejects_file)):
            if written.resolve() in read:
                do = "name another file with --out"
                raise UserError(f"the {what} would overwrite the records", where=str(written), do=do)
        return job

    @property
    def work(self) -> Path:
        """Where shards are kept until the output is there."""
        return self.out.with_name(f".{self.out.name}.shards")

    @property
    def rejects_file(self) -> Path:
        """Beside the output, under its whole name: answers in another format have rejects of their own."""
        return self.out.with_name(f"{self.out.name}.rejects.jsonl")

    def answered(self, model: Bundle) -> Answered:
        """Answer what is missing, then write the output."""
        for path in (self.out, self.rejects_file):
            remove_half_written(path.parent, path.name)
        hashes = HashCache(self.work / "hashes.json")
        how = reading_of(self.bundle)
        inputs = [surveyed(path, how, hashes.sha256) for path in self.paths]
        store = self._store(model, inputs)
        started = time.monotonic()
        try:
            shards, fresh = self._answer(model, inputs, store)
        except NoColumn:  # the same call would end alike: no shard is of use
            remove(store.folder)
            raise
        seconds = time.monotonic() - started
        if not self.total.answered:
            nothing = self._nothing(store.first_reject(shards))
            remove(store.folder)
            raise nothing
        merge_rejects(store, shards, self.rejects_file)
        table = self._write(model, store, shards)
        done = self.total
        pace = fresh / seconds if fresh else None
        return Answered(self.out, self.rejects_file, done.answered, done.rejects, done.without_key, table, pace)

    def _store(self, model: Bundle, inputs: Sequence[Input]) -> Store:
        import onnxruntime  # is here where the bundle could be opened

        point, key = self.options.operating_point, self.options.key
        more = {} if point in (None, CLASS_F1) else {"positive": "bool"}
        more |= {} if self.options.fall_through is None else {"send_on": "bool"}
        shape = Shape(model.labels, model.after["kind"] == "multi", "id" if key is None else "key", more)
        job = {
            "inputs": [[str(one.path), one.size, one.sha256] for one in inputs],
            "bundle": seal_of(self.bundle),
            "precision": model.precision,
            "provider": model.provider,
            "operating_point": point,
            "key": key,
            "fall_through": self.options.fall_through,
            "shard": [SHARD_ROWS, SHARD_CHARACTERS],
            "runtime": [onnxruntime.__version__, cpu_class()],
        }
        store = Store.of(self.work, job, self.ending if key is None else ".parquet", shape)
        if any(path.is_dir() and path != store.folder for path in self.work.iterdir()):
            note(
                f"shards of other files, another bundle or other options in {self.work} go when these answers are whole"
            )
        return store

    def _answer(self, model: Bundle, inputs: Sequence[Input], store: Store) -> tuple[int, int]:
        """Make every shard that is not there; how many there are, and how many rows were answered just now."""
        options, rows = self.options, sum(one.rows for one in inputs)
        workers, threads = _processes(options, rows, model.provider)
        question = Question(options.operating_point, options.key, len(inputs) > 1, options.fall_through)
        work = Work(self.bundle, seal_of(self.bundle), model.precision, options.provider, threads, question, store)
        key = [] if options.key is None else [("the column of --key", [options.key])]
        reading = _Missing(store, [asked_fields(model), *key])
        missing = reading.shards(inputs, _columns(model, options.key))
        exact = all(one.path.suffix == ".parquet" for one in inputs)
        before = store.rows_done()
        with progress("answering", rows, before, at_most=not exact) as advance:
            made = answered_here(work, model, missing) if workers == 1 else answered_by(workers, work, missing)
            fresh = reduce(add, _told(made, before, advance), Done())
        self.total = reading.found + fresh
        return reading.count, fresh.answered

    def _write(self, model: Bundle, store: Store, shards: int) -> KeyTable | None:
        if self.options.key is None:
            merge_answers(store, shards, self.out)
            return None
        grouping = Grouping(model, self.options.operating_point, store.shape, store.folder / "parts")
        paths = [store.answers(index) for index in range(shards)]
        try:
            return grouping.write(paths, self.total.answered, self.options.rule, self.out, self.ending)
        finally:
            remove(store.folder / "parts")

    def _nothing(self, first: Json | None) -> UserError:
        if first is None:
            do = "name another column"
            return UserError("every key is empty", where=f"--key {self.options.key}", found="no row to answer", do=do)
        where = f"{first['file']}, line {first['line']}"
        what = "no row of the file can be answered"
        return UserError(what, where=where, found=first["reason"], do="correct the rows")


class _Missing:
    """The shards that are to be made.

    Attributes: count: of all shards that were read. found: what those that are not to be made came to.
    """

    def __init__(self, store: Store, asked: Sequence[tuple[str, Sequence[str]]]) -> None:
        self._store, self._asked = store, asked
        self.count, self.found = 0, Done()

    def shards(self, inputs: Sequence[Input], wanted: Collection[str]) -> Iterator[Shard]:
        """Read the inputs. Raises: UserError as `read_shards`, and for a file that lacks what is asked for."""
        for one in inputs:
            check = ColumnCheck(one, self._asked)
            for shard in read_shards(one, wanted, self.count):
                self.count += 1
                check.see([row.values for row in shard.rows if row.values is not None])
                done = self._store.done(shard.index)
                if done is None:
                    yield shard
                else:
                    self.found += done
            check.require()


def _told(made: Iterable[Done], before: int, advance: Advance) -> Iterator[Done]:
    """What is done, told to whoever shows the progress."""
    rows = before
    for one in made:
        rows += one.rows
        advance(rows)
        yield one


def _processes(options: PredictOptions, rows: int, provider: str) -> tuple[int, int | None]:
    """How many processes, and the threads of each, None for all cores.

    Short records are answered faster by processes of one thread each than by one process with all of them. A GPU is
    one process's.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    shards = -(-rows // SHARD_ROWS)
    workers = options.workers or (1 if options.threads or provider != CPU else min(cores, shards))
    return workers, options.threads or (None if workers == 1 else max(1, cores // workers))


def _columns(model: Bundle, key: str | None) -> list[str]:
    return ["id", *([key] if key else []), *columns_of(model)]


@contextmanager
def _working(folder: Path) -> Iterator[None]:
    """Hold a folder of shards, which is removed at the end, and after a failure where it has no shard to keep."""
    with at_work(folder):
        try:
            yield
        except BaseException:
            if not any(folder.glob("*/shard-*.json")):
                remove(folder)
            raise
        try:
            remove(folder)
        except OSError as error:
            raise disk_error(folder, error) from error


def _require_known(model: Bundle, options: PredictOptions) -> None:
    """Check that the bundle has the operating point and the share. Raises: UserError."""
    try:
        model.require_point(options.operating_point)
    except ValueError as error:
        raise UserError(str(error), where="--operating-point") from None
    try:
        if options.fall_through is not None:
            model.predict([], options.operating_point, None, options.fall_through)
    except ValueError as error:
        raise UserError(str(error), where="--fall-through") from None
