"""The pool of a run as its teachers labelled it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from distill.core.config import parse
from distill.core.errors import UserError, unknown_name
from distill.core.label_space import LabelSpace
from distill.core.manifest import MANIFEST, read_manifest, require_whole
from distill.core.project import Task, ViewConfig
from distill.core.record_store import iter_records, splits
from distill.core.records import Record
from distill.core.run_folder import RECORDS, RunFolder, or_one_seed, read_run
from distill.core.sheets.draw import Labelled
from distill.core.soft_labels import OK, read_soft_labels
from distill.core.staged import read_staged
from distill.families.family import view_name
from teachers.label_origins import require_same_records

_POOL = "pool."


@dataclass(frozen=True)
class PoolLabels:
    """N rows of the pool as one teacher labelled them. Attributes: rows: those with a label. chances: float64 (N, C) of
    all rows, in their order; usable: bool (N,), whether the row has a label.
    """

    ids: list[str]
    chances: NDArray[np.float64]
    usable: NDArray[np.bool_]
    stages: list[str]

    def labelled(self) -> Labelled:
        """The rows with a label."""
        places = np.flatnonzero(self.usable).tolist()
        chances = self.chances[places]
        ids, stages = [self.ids[place] for place in places], [self.stages[place] for place in places]
        return Labelled(ids, stages, chances.argmax(axis=1), chances.max(axis=1))


class LabelledPool:
    """A run with labels.

    Raises: UserError for a folder that is no run, and for a task with several labels for each record.
    """

    def __init__(self, run: Path) -> None:
        self.run = RunFolder(run)
        self._config = read_run(run)["config"]
        self.where = f"{run}/run.json"

    @cached_property
    def space(self) -> LabelSpace:
        """The task's classes."""
        found = parse(Task, self._config["task"], self.where, "task").space
        if found.objective.several:
            raise UserError(
                "a sheet has one label for each row", where="task.kind", found="multi", do="not for this task"
            )
        return found

    @cached_property
    def teachers(self) -> list[str]:
        """The models that have labelled. Raises: UserError where none has, or the run has no pool."""
        found = sorted(path.parent.name for path in (self.run / "labels").glob(f"*/{MANIFEST}"))
        if not found:
            do = or_one_seed(self.run.path, "make them with distill label")
            raise UserError("no labels here", where=str(self.run.path), do=do)
        if not self.pools:
            raise UserError("the run has no pool", where=str(self.run.path), do="name files in data.pool")
        return found

    @cached_property
    def pools(self) -> list[str]:
        """The splits of the pool."""
        return [name for name in splits(self.run / RECORDS) if name.startswith(_POOL)]

    def teacher(self, asked: str | None) -> str:
        """The model of this name, or the only one. Raises: UserError for another name, and for none among several."""
        if asked is None and len(self.teachers) > 1:
            do = f"choose one with --teacher: {', '.join(self.teachers)}"
            raise UserError("several models have labelled", where=str(self.run.path), do=do)
        name = self.teachers[0] if asked is None else asked
        if name not in self.teachers:
            raise unknown_name("teacher", name, self.teachers, "--teacher")
        return name

    def labels(self, teacher: str) -> PoolLabels:
        """A teacher's labels of the pool. Raises: UserError where the store was damaged or is of other rows."""
        folder = self.run / RunFolder.labels(teacher)
        require_whole(folder)
        self.require_current(teacher)
        store, staged = read_soft_labels(folder), read_staged(folder)
        chances = self.space.objective.probabilities(store.logits)
        own = [place for place, source in enumerate(store.sources) if source.startswith(_POOL)]
        stages = staged[1].stage if staged else [""] * len(store)
        return PoolLabels(
            [store.ids[place] for place in own],
            np.nan_to_num(chances[own], nan=1 / len(self.space)),
            np.array([store.status[place] == OK for place in own], np.bool_),
            [stages[place] for place in own],
        )

    def require_current(self, teacher: str) -> None:
        """Check that a teacher's labels are of the pool as it is now. Raises: UserError."""
        require_same_records(self.run / RunFolder.labels(teacher), self.run / RECORDS, _POOL)

    def made(self, teacher: str) -> str:
        """What the labels were made from, which changes when they are made anew."""
        return str(read_manifest(self.run / RunFolder.labels(teacher))["fingerprint"])

    def view(self, teacher: str) -> ViewConfig:
        """The view that a teacher reads; of labels made elsewhere the document's."""
        folders = (self.run / f"{room}/{teacher}" for room in ("teachers", "students"))
        folder = next((one for one in folders if (one / MANIFEST).exists()), None)
        name = "document" if folder is None else view_name(folder)
        return parse(ViewConfig, self._config["views"][name], self.where, f"views.{name}")

    @property
    def card(self) -> ViewConfig:
        """The view by which texts are told apart."""
        return parse(ViewConfig, self._config["views"]["card"], self.where, "views.card")

    def records(self) -> Iterator[Record]:
        """The pool's rows."""
        return (record for name in self.pools for record in iter_records(self.run / RECORDS, name))

    def texts(self, ids: Sequence[str], fields: Mapping[str, str]) -> dict[str, dict[str, str]]:
        """The cells of some rows by id: column to text. Args: fields: the column of each path.

        Raises: UserError for a row that the pool has no more.
        """
        wanted = set(ids)
        found = {
            record.id: {column: record.fields[path] for path, column in fields.items()}
            for record in self.records()
            if record.id in wanted
        }
        if missing := [name for name in ids if name not in found]:
            do = "label the pool again: distill label"
            raise UserError(
                "labels of rows that the pool has no more", where=str(self.run.path), found=missing[0], do=do
            )
        return found
