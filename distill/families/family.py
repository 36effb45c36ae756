"""What every family of models offers, and how one is found."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal

from distill import families
from distill.core.config import Config
from distill.core.errors import UserError
from distill.core.files import read_json, write_json
from distill.core.label_space import LabelSpace
from distill.core.processes import rank
from distill.core.project import ViewConfig
from distill.core.rendering import Renderer
from distill.core.siblings import sibling
from distill.core.view import VIEW_FILE, View
from distill.families.copying import copy_files
from distill.inference.both_orders import in_both_orders
from distill.inference.runner_scorer import RunnerScorer
from distill.inference.scorer import Scorer
from distill.training.joining import Share
from distill.training.learnt_rows import Labels, LearntRows, gold_rows, mixed_rows, soft_rows

CONFIG_FILE = "config.json"


@dataclass(frozen=True)
class Lesson:
    """What a model is fitted on.

    Attributes:
        title: shown with the progress. space: the classes. view, view_config: what it reads.
        records: the records artifact. source: the model folder or checkpoint that it starts from.
        labels: soft-label stores with their shares; empty: gold alone.
        slices: train on rows of these only; None: on all. mixture: for gold alone, how often the rows of each split are
        read in an epoch; None: training rows once. members: folders of the models that an ensemble is made of.
        teacher: the model whose hidden states a loss may ask for. teacher_views: views through which it reads rows for
        terms that name one, by name. steps: a fixed number of optimiser steps.
        seed: order, dropout and fresh weights. threads: of the processor. logs: folder for TensorBoard.
        splits: whose rows are learnt with such labels; None: training rows and all of the pool. selection: of the rows
            of the pool that are learnt; None: all. allow_missing: stores may miss some of these rows.
        through: entries of the students whose cuts come before its own, where it starts as the first of them does.
        measured: whether its layers were chosen by measuring; its entry and those in `through` list them then.
        encoded: where encoded rows are kept for other fits; None: only while this one lasts.
        places: the local folders of models outside the run that its family names, as far as they are known.
        answers: file in which the answers of servers are kept for the whole run; None: only in memory.
    """

    title: str
    space: LabelSpace
    view: str
    view_config: ViewConfig
    records: Path
    source: Path | None = None
    labels: Mapping[Path, Share] = field(default_factory=dict)
    slices: Sequence[str] | None = None
    mixture: Mapping[str, float] | None = None
    members: Mapping[str, Path] = field(default_factory=dict)
    teacher: Path | None = None
    steps: int | None = None
    seed: int = 1
    threads: int = 1
    logs: Path | None = None
    splits: Sequence[str] | None = None
    selection: Path | None = None
    allow_missing: bool = False
    through: Sequence[Any] = ()
    measured: bool = False
    encoded: Path | None = None
    places: Mapping[str, Path] = field(default_factory=dict)
    answers: Path | None = None
    teacher_views: Mapping[str, ViewConfig] = field(default_factory=dict)


@dataclass(frozen=True)
class Facts:
    """What a report says of a model: `layers` is None for a family without layers, `parameters` where nobody knows."""

    layers: int | None
    parameters: int | None


@dataclass(frozen=True)
class Opening:
    """How a model is opened.

    Attributes: batch_tokens, max_rows: most padded tokens and most windows of a batch, of families that have them.
        provider: of ONNX Runtime, of exported files: `auto`, `cpu`, `cuda` or `tensorrt`.
        backend: what runs an encoder, by its name in `distill.inference.backends`. unpadded: without a batch's padding.
        tokenisers: processes that render and tokenise; 0: a thread of this one. spinning: whether an exported file's
        threads without work wait in a loop for a while before they sleep.
        view: read records through this one instead of the model's own. rewritten: with the exact, faster forms of
        layers; without them the model is as it was trained. compiled: let torch.compile make a PyTorch model faster.
        exact_layers: how many of an encoder's last layers calculate in fp32 where the others do in bf16.
    """

    threads: int | None = None
    precision: Literal["fp32", "bf16"] = "fp32"
    device: str = "cpu"
    batch_tokens: int = 4096
    view: ViewConfig | None = None
    max_rows: int = 64
    rewritten: bool = True
    provider: str = "auto"
    compiled: bool = False
    backend: str = "torch"
    unpadded: bool = False
    tokenisers: int = 0
    spinning: bool = True
    exact_layers: int = 0


DEFAULT = Opening()


class Family:
    """A kind of model.

    Attributes:
        name: in a preset's `family:` and in the model folder's config.json.
        key: of a teacher's entry, by which it is chosen there instead of by `family`.
        learns: whether its fit reads training rows.
        remote: whether an opened model is behind a server, which takes money and its own time: such a model is not
        timed, and plans that are only tried use its `for_timing`.
        together: whether several processes of torchrun can share its fit.
        starts: whether it starts from a checkpoint or another model.
        optimised: of one that starts: whether its fit takes optimiser steps, as the entry's `training` says.
        layered: whether others may start from its layers, and loss terms read its hidden states.
        sorted_layers: whether a recipe may treat its layers apart, though no other model starts from them.
        exports: whether export targets can write it. products: whether its layers multiply by constant matrices, which
        targets of few bits replace. signs: whether its config.json names family and view.
        reads_view: whether an answer depends on what its view renders alone, so that equal texts are answered once.
        chosen: of one that does not learn: what its fit chooses where it reads validation, and the keys that end that.
        backends: whether it, or each model that it is made of, runs in what `Opening.backend` names.
        runtime, precision: what runs an opened model and in which numbers, as the latency table names them.
        Settings: the keys of its own that an entry of the project may have.
    """

    name: ClassVar[str]
    key: ClassVar[str | None] = None
    learns: ClassVar[bool] = True
    together: ClassVar[bool] = False
    remote: ClassVar[bool] = False
    starts: ClassVar[bool] = False
    optimised: ClassVar[bool] = True
    layered: ClassVar[bool] = False
    sorted_layers: ClassVar[bool] = False
    exports: ClassVar[bool] = False
    backends: ClassVar[bool] = False
    products: ClassVar[bool] = False
    signs: ClassVar[bool] = True
    reads_view: ClassVar[bool] = False
    chosen: ClassVar[tuple[str, str]] = ("", "")
    runtime: ClassVar[str] = "python"
    precision: ClassVar[str] = "fp32"

    class Settings(Config):
        """No keys of its own."""

    def fit(self, config: Any, lesson: Lesson, folder: Path) -> None:
        """Step body: `folder` becomes a model folder. Args: config: the entry of the project."""
        raise NotImplementedError

    def places(self, config: Any) -> Sequence[str]:
        """The models outside the run that its fit takes over: embedded encoders, folders or hub ids."""
        return []

    def files(self, config: Any) -> Sequence[Path]:
        """The files outside the run that its fit reads."""
        return []

    def asks(self, config: Any, labelled: Sequence[str]) -> Sequence[str]:
        """The splits whose rows it reads where it does not learn. Args: labelled: training rows and the pool's."""
        return []

    def require(self, model: Any) -> None:
        """Check, before anything is trained, that a fit can start from a `PreTrainedModel`. Raises: UserError."""

    def control(self, classes: int) -> dict[str, Any]:
        """The keys of its entry where it is a control, which should take seconds. Args: classes: of the task."""
        return {}

    def problems(self, config: Any, space: LabelSpace) -> Iterator[str]:
        """What of an entry of the project does not go with the task; each line begins with the key."""
        yield from ()

    def for_timing(self, config: Any) -> dict[str, Any]:
        """Changes of an entry in a plan that is only performed to be timed, so that it costs nothing."""
        return {}

    def is_remote(self, config: Any) -> bool:
        """Whether the model of an entry is behind a server, or may ask one."""
        return self.remote

    def is_remote_at(self, folder: Path) -> bool:
        """Whether the model in a folder, or one that it is made of, is behind a server."""
        return self.remote or any(map(is_remote, self.parts(folder)))

    def outlay(self, config: Any, lesson: Lesson, splits: Sequence[str]) -> str | None:
        """What answering the rows of some splits would cost, in words; None for a family that asks no server."""
        return None

    def open(self, folder: Path, how: Opening = DEFAULT) -> Scorer:
        """The model in a folder, ready to score."""
        raise NotImplementedError

    def parts(self, folder: Path) -> list[Path]:
        """The folders of the models that the one in a folder is made of; none for most."""
        return []

    def take_over(self, source: Path, folder: Path) -> None:
        """Make `folder` the model in `source`, which another run has fitted."""
        copy_files(source, folder)

    def facts(self, folder: Path) -> Facts:
        """Its size, read without loading it."""
        raise NotImplementedError


def family(name: str, where: str | None = None) -> Family:
    """The family of this name, or the user's own as `module:Class`. Raises: UserError as `sibling`."""
    return sibling(families, Family, name, "family", where)()


def fit(name: str, config: Any, lesson: Lesson, folder: Path) -> None:
    """Step body: `folder` becomes a model folder, made as the family `name` does it and signed with it and the view.

    An encoder's is a plain Hugging Face folder and is not signed.
    """
    own = family(name)
    own.fit(config, lesson, folder)
    if own.signs and not rank():
        stored = read_json(folder / CONFIG_FILE) if (folder / CONFIG_FILE).exists() else {}
        signed = {**stored.get("distill", {}), "family": name, "view": lesson.view}
        write_json(folder / CONFIG_FILE, {**stored, "distill": signed})


def is_remote(folder: Path) -> bool:
    """Whether the model in a folder, or one that it is made of, is behind a server."""
    return family_of(folder).is_remote_at(folder)


def learnt_rows(lesson: Lesson, folder: Path) -> LearntRows:
    """The rows that a lesson's model learns from: gold, or soft labels with gold beside them.

    Args: folder: of the fit, for what it keeps on disk meanwhile.
    Raises: UserError when no row has a usable soft label, or a slice or a part of a mixture has no rows.
    """
    if not lesson.labels and lesson.mixture not in (None, {"train": 1.0}):
        return mixed_rows(lesson.records, lesson.mixture or {}, lesson.seed, lesson.slices)
    if not lesson.labels:
        return gold_rows(lesson.records, slices=lesson.slices)
    labels = Labels(lesson.labels, lesson.splits, lesson.selection, lesson.allow_missing)
    return soft_rows(lesson.records, labels, lesson.space, folder)


def open_model(folder: Path, how: Opening = DEFAULT) -> Scorer:
    """The model in a folder as it labels, is measured and served: by its family, and in both orders of `task.swap`.

    A model without a view, such as an ensemble, is made of such that have one.

    Raises: UserError for a backend that the family does not run in.
    """
    own = family_of(folder)
    if how.backend != DEFAULT.backend and not own.backends:
        raise UserError(
            "this family does not run in another backend",
            where=str(folder),
            found=f"family {own.name}, backend {how.backend}",
            do=f"set labelling.backend to {DEFAULT.backend}",
        )
    scorer = own.open(folder, how)
    return in_both_orders(scorer, _read_view(folder, how).config) if (folder / VIEW_FILE).exists() else scorer


def as_served(scorer: Scorer, folder: Path, how: Opening = DEFAULT) -> Scorer:
    """An exported file's scorer, in both orders of `task.swap`. Args: folder: of the model that it was made of."""
    return in_both_orders(scorer, _read_view(folder, how).config)


def renderer(folder: Path, how: Opening) -> Renderer:
    """What turns records into a model's input: its own view, or the one that it is opened with, by its tokenizer."""
    return _read_view(folder, how).renderer()


def _read_view(folder: Path, how: Opening) -> View:
    own = View.load(folder)
    return own if how.view is None else View(own.name, how.view, own.tokenizer_path)


def view_name(folder: Path) -> str:
    """The name of the view that a model reads. Raises: UserError when its folder does not say."""
    own = read_json(folder / CONFIG_FILE).get("distill") or {}
    name = read_json(folder / VIEW_FILE)["name"] if (folder / VIEW_FILE).exists() else own.get("view")
    if name is None:
        raise UserError("the model does not say which view it reads", where=str(folder), do="fit it again")
    return str(name)


def views_read(folder: Path) -> list[ViewConfig] | None:
    """The views whose texts alone decide what a model answers; None of one that does not say so."""
    own = family_of(folder)
    if parts := own.parts(folder):
        found = [views_read(part) for part in parts]
        known = [views for views in found if views is not None]
        return [view for views in known for view in views] if len(known) == len(found) else None
    return [View.load(folder).config] if own.reads_view and (folder / VIEW_FILE).exists() else None


def open_windows(folder: Path, how: Opening = DEFAULT) -> RunnerScorer:
    """The model in a folder, opened as one that reads windows of tokens: batches of a chosen size and length are tried
    through its `window_logits`. Raises: UserError for a family that does not read so.
    """
    own = family_of(folder)
    scorer = own.open(folder, how)
    if not isinstance(scorer, RunnerScorer):
        raise UserError(
            "only models that read windows of tokens can be exported",
            where=str(folder),
            found=f"family {own.name}",
            do="export a model of the family encoder",
        )
    return scorer


def family_of(folder: Path) -> Family:
    """The family of a model folder; a plain Hugging Face folder is an encoder."""
    own = read_json(folder / CONFIG_FILE).get("distill") or {}
    return family(str(own.get("family", "encoder")), str(folder / CONFIG_FILE))
