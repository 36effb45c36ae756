"""What every engine does: label the missing shards of one model, in one process or many."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from distill.core.label_counts import LabelCounts
from distill.core.labelling import Labelling
from distill.core.siblings import sibling
from distill.families.family import Opening
from teachers import engines
from teachers.engines.kept import KeptShards
from teachers.label_shard import Writing
from teachers.shards import Shard


@dataclass(frozen=True)
class Task:
    """Shards that one model labels.

    Attributes: number: of the part of the store that they are in. how: the model is opened, whose precision holds for
        all machines. kept: where the files are put too; None: nowhere.
    """

    number: int
    model: Path
    shards: Sequence[Shard]
    how: Opening
    writing: Writing
    kept: KeptShards | None = None


@dataclass(frozen=True)
class Labelled:
    """What a finished shard came to. Attributes: own: whether this engine scored it, and no other process."""

    counts: LabelCounts
    own: bool = True


class Engine:
    """Who labels. Attributes: name: in `labelling.engine`. asked: the section of the project."""

    name: ClassVar[str]

    def __init__(self, asked: Labelling) -> None:
        self.asked = asked

    def require(self) -> None:
        """Check, before anything is trained, that it can work here. Raises: UserError."""

    def label(self, task: Task, folder: Path, told: Callable[[int], None]) -> Iterator[Labelled]:
        """What each shard came to, in any order, when its files are in `folder`, each of them whole.

        Args: told: how many rows are scored so far.
        Raises: UserError where shards cannot be labelled; those that are finished stay.
        """
        raise NotImplementedError


def engine(asked: Labelling) -> Engine:
    """The engine that a project asks for."""
    return sibling(engines, Engine, asked.engine, "engine", "labelling.engine")(asked)
