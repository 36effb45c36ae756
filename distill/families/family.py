"""What every family of models offers, and how one is found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal

from distill import families
from distill.core.config import Config
from distill.core.files import read_json, write_json
from distill.core.label_space import LabelSpace
from distill.core.project import ViewConfig
from distill.core.rendering import Renderer
from distill.core.siblings import sibling
from distill.core.view import View
from distill.inference.scorer import Scorer
from distill.training.joining import Share

CONFIG_FILE = "config.json"


@dataclass(frozen=True)
class Lesson:
    """What a model is fitted on.

    Attributes:
        title: shown with the progress. space: the classes. view, view_config: what it reads.
        records: the records artifact. source: the model folder or checkpoint that it starts from.
        labels: soft-label stores with their shares; empty: gold alone.
        slices: train on rows of these only; None: on all. members: folders of the models that an ensemble is made of.
        teacher: the model whose hidden states a loss may ask for. steps: a fixed number of optimiser steps.
        seed: order, dropout and fresh weights. threads: of the processor. logs: folder for TensorBoard.
    """

    title: str
    space: LabelSpace
    view: str
    view_config: ViewConfig
    records: Path
    source: Path | None = None
    labels: Mapping[Path, Share] = field(default_factory=dict)
    slices: Sequence[str] | None = None
    members: Mapping[str, Path] = field(default_factory=dict)
    teacher: Path | None = None
    steps: int | None = None
    seed: int = 1
    threads: int = 1
    logs: Path | None = None


@dataclass(frozen=True)
class Facts:
    """What a report says of a model: `layers` is None for a family without layers."""

    layers: int | None
    parameters: int


@dataclass(frozen=True)
class Opening:
    """How a model is opened.

    Attributes: batch_tokens: most padded tokens of a batch, of families that have tokens. view: read records through
        this one instead of the model's own.
    """

    threads: int | None = None
    precision: Literal["fp32", "bf16"] = "fp32"
    device: str = "cpu"
    batch_tokens: int = 4096
    view: ViewConfig | None = None


DEFAULT = Opening()


class Family:
    """A kind of model.

    Attributes:
        name: in a preset's `family:` and in the model folder's config.json.
        key: of a teacher's entry, by which it is chosen there instead of by `family`.
        learns: whether its fit reads training rows. starts: whether it starts from a checkpoint or another model.
        layered: whether others may start from its layers, and loss terms read its hidden states.
        exports: whether export targets can write it. signs: whether its config.json names the family.
        Settings: the keys of its own that an entry of the project may have.
    """

    name: ClassVar[str]
    key: ClassVar[str | None] = None
    learns: ClassVar[bool] = True
    starts: ClassVar[bool] = False
    layered: ClassVar[bool] = False
    exports: ClassVar[bool] = False
    signs: ClassVar[bool] = True

    class Settings(Config):
        """No keys of its own."""

    def fit(self, config: Any, lesson: Lesson, folder: Path) -> None:
        """Step body: `folder` becomes a model folder. Args: config: the entry of the project."""
        raise NotImplementedError

    def open(self, folder: Path, how: Opening = DEFAULT) -> Scorer:
        """The model in a folder, ready to score."""
        raise NotImplementedError

    def facts(self, folder: Path) -> Facts:
        """Its size, read without loading it."""
        raise NotImplementedError


def family(name: str, where: str | None = None) -> Family:
    """The family of this name, or the user's own as `module:Class`. Raises: UserError as `sibling`."""
    return sibling(families, Family, name, "family", where)()


def fit(name: str, config: Any, lesson: Lesson, folder: Path) -> None:
    """Step body: `folder` becomes a model folder, made as the family `name` does it and signed with that name.

    An encoder's is a plain Hugging Face folder and carries no name.
    """
    own = family(name)
    own.fit(config, lesson, folder)
    if own.signs:
        stored = read_json(folder / CONFIG_FILE) if (folder / CONFIG_FILE).exists() else {}
        write_json(folder / CONFIG_FILE, {**stored, "distill": {**stored.get("distill", {}), "family": name}})


def renderer(folder: Path, how: Opening) -> Renderer:
    """What turns records into a model's input: its own view, or the one that it is opened with, by its tokenizer."""
    own = View.load(folder)
    return (own if how.view is None else View(own.name, how.view, own.tokenizer_path)).renderer()


def family_of(folder: Path) -> Family:
    """The family of a model folder; a plain Hugging Face folder is an encoder."""
    own = read_json(folder / CONFIG_FILE).get("distill") or {}
    return family(str(own.get("family", "encoder")), str(folder / CONFIG_FILE))
