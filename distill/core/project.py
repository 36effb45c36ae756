"""The schema of a user's project file: task, data, views, gates. Teachers, students and targets have their own."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveInt,
    ValidationInfo,
    field_validator,
    model_validator,
)

from distill.core.budget import Budget
from distill.core.class_floor import Floor
from distill.core.config import Config
from distill.core.config_values import Name, Names, Share, become_paths
from distill.core.fall_through import FallThrough
from distill.core.intake.config import Data
from distill.core.label_space import LabelSpace, label_name
from distill.core.labelling import Labelling
from distill.core.objectives.objective import known_objectives, objective
from distill.core.publishing import BundleConfig, ReportConfig, publishing_problems
from distill.core.selection.config import Select
from distill.core.swap import Swap, ViewSwap


def _one_name(value: Any) -> Any:
    return value if isinstance(value, list | dict | None) else label_name(value)


def _without_repeats(seeds: list[int]) -> list[int]:
    if len(set(seeds)) != len(seeds):
        raise ValueError("a duplicate seed")
    return seeds


def _test_parts(parts: list[str]) -> list[str]:
    if sorted(parts) not in (["test"], ["test", "valid"]):
        raise ValueError("test alone, or test and valid once each")
    return parts


def _objective(kind: str) -> str:
    if kind not in known_objectives():
        raise ValueError(f"unknown objective, known: {', '.join(known_objectives())}")
    return kind


Kind = Annotated[str, AfterValidator(_objective)]
Seeds = Annotated[list[NonNegativeInt], Field(min_length=1), AfterValidator(_without_repeats)]

DROP = "drop"
DECLARED: Literal["declared"] = "declared"
Declared = Literal["declared"]


class Rare(Config):
    """What becomes of classes with too few training rows to learn from."""

    under: PositiveInt = Field(description="a class with fewer training rows than this is rare")
    into: Annotated[str, BeforeValidator(_one_name), Field(min_length=1)] = Field(
        "other", description="the class that takes their rows, there already or new; drop: they go"
    )
    classes: dict[Name, NonNegativeInt] = Field(
        default_factory=dict, description="training rows of each rare class; the run counts them itself"
    )


class Task(Config):
    """What is being decided."""

    labels: Annotated[Names, Field(min_length=2)] = Field(
        description="class names, in the order of the logits; auto: those of train"
    )
    ordered: bool = Field(
        False, description="the labels are a scale, from first to last: how far off answers are is measured too"
    )
    positive: Name | None = Field(None, description="the class scored one-vs-rest at operating points")
    kind: Kind = Field("single", description="one label per record, or any number")
    rare: Rare | None = Field(None, description="classes with few training rows: merged or left out; null: kept")
    swap: Swap | None = Field(
        None, description="fields that may trade places, and the labels that do so with them; null: none"
    )

    @model_validator(mode="after")
    def _consistent(self) -> Task:
        if len(set(self.labels)) != len(self.labels):
            raise ValueError("labels: a duplicate name")
        if self.positive is not None and self.positive not in self.labels:
            raise ValueError(f"positive: '{self.positive}' is not among the labels {self.labels}")
        if self.ordered and objective(self.kind, len(self.labels)).several:
            raise ValueError(f"ordered: a record has one place on a scale, with kind {self.kind} it has several labels")
        if self.swap is not None and (unknown := self.swap.unknown_labels(self.labels)):
            raise ValueError(f"swap.labels: '{unknown[0]}' is not among the labels {self.labels}")
        return self

    @property
    def space(self) -> LabelSpace:
        """The label space that the rest of the code works with."""
        return self._space(self.labels)

    @property
    def read_space(self) -> LabelSpace:
        """The label space of the files: the labels, then the rare ones that rows still have there."""
        return self._space([*self.labels, *(self.rare.classes if self.rare else ())])

    def _space(self, labels: list[str]) -> LabelSpace:
        return LabelSpace(tuple(labels), objective(self.kind, len(labels)), self.positive, self.ordered)


class Windows(Config):
    """Overlapping windows over the last side of a view, for texts longer than the encoder's input."""

    stride: NonNegativeInt = Field(64, description="tokens that two neighbouring windows share")
    max: PositiveInt = Field(4, description="windows read at most")
    pool: Literal["mean", "max"] = Field("mean", description="how the windows' logits become the record's")


class ViewConfig(Config):
    """Which fields a model reads, on which side, under which token budget."""

    left: Annotated[list[str], Field(min_length=1)] = Field(description="fields of the first segment, in order")
    right: list[str] = Field(default_factory=list, description="fields of the second segment; none for single texts")
    separator: str = Field(" | ", description="put between the non-empty fields of a side")
    max_tokens: Annotated[int, Field(ge=4, le=8192)] = Field(description="tokens of one input, special tokens included")
    budgets: dict[str, PositiveInt] = Field(default_factory=dict, description="most tokens of a field")
    prefixes: dict[str, str] = Field(
        default_factory=dict, description="text before a field that is not empty; it does not count in the budget"
    )
    windows: Windows | None = Field(None, description="read long texts in several windows; off by default")
    swap: ViewSwap | None = Field(None, description="task.swap as this view's models keep it; set by the run itself")

    @model_validator(mode="after")
    def _fields_known(self) -> ViewConfig:
        for key, named in (("budgets", self.budgets), ("prefixes", self.prefixes)):
            unknown = sorted(set(named) - set(self.fields))
            if unknown:
                raise ValueError(f"{key}: {', '.join(unknown)} not among the view's fields")
        return self

    @property
    def fields(self) -> list[str]:
        """All fields of the view, left ones first."""
        return [*self.left, *self.right]

    @property
    def exchanged(self) -> ViewConfig:
        """The view that reads a record as this one reads it with the fields of `swap` exchanged."""
        assert self.swap is not None
        partner = dict(two for a, b in self.swap.fields for two in ((a, b), (b, a)))
        left, right = ([partner.get(path, path) for path in side] for side in (self.left, self.right))
        budgets, prefixes = (
            {partner.get(path, path): value for path, value in own.items()} for own in (self.budgets, self.prefixes)
        )
        return self.model_copy(update={"left": left, "right": right, "budgets": budgets, "prefixes": prefixes})


class Gates(Config):
    """What must hold before a bundle is made; a gate set to null is off."""

    leak: NonNegativeInt | None = Field(0, description="most test rows that train, valid or the pool have too")
    parity_fp32: NonNegativeFloat | None = Field(
        1e-4, description="largest logit difference of an export judged by parity"
    )
    int8_flips: Share | None = Field(
        0.01, description="largest share of labels changed by int8 and others judged by decisions"
    )
    int8_shift_max: Share | None = Field(
        0.3, description="largest change of a probability by int8, after the temperature, on validation and test rows"
    )
    int8_shift_mean: Share | None = Field(
        0.02, description="mean over rows of the largest change of a probability by int8, after the temperature"
    )
    int8_points: Share | None = Field(
        0.02,
        description="largest share of rows that int8 decides otherwise at an operating point of any class, wherever "
        "other validation rows may put it",
    )
    int8_class_loss: Share | None = Field(
        0.01, description="most precision or recall that a class may lose by int8; one row is no loss"
    )
    decisions: Share | Declared | None = Field(
        DECLARED,
        description="largest share of validation rows that an exported file decides otherwise at an operating point of "
        "any class; declared: as its target says",
    )
    class_f1: Share | Declared | None = Field(
        DECLARED, description="most F1 that a class may lose by an exported file; declared: as its target says"
    )
    retention_card: NonNegativeFloat | None = Field(
        0.95,
        description="lower bound of what the student keeps of the card teacher's macro F1 over the majority answer; a "
        "student of one class against the rest: of its F1",
    )
    over_gold: float | None = Field(
        -0.01, description="lower bound of what the student gains over the better gold twin, in quality.metric"
    )
    class_floor: dict[Name, Floor] | None = Field(
        default_factory=dict,
        description="class: least F1 of each student and its files on it, lower bound; or {f1, precision, recall}",
    )
    teacher_over_priors: NonNegativeFloat | None = Field(
        0.0,
        description="least log loss on validation, lower bound of its interval, by which a teacher must beat the class "
        "shares of training, and of validation, before it labels",
    )
    validation_rows: PositiveInt | None = Field(
        50,
        description="fewest validation rows; checkpoints, labels, thresholds and temperatures are chosen on them",
    )


class Controls(Config):
    """Models that a run adds to compare with; each can be left out, and what is measured against it with it."""

    card_teacher: bool = Field(True, description="the first teacher's recipe trained on cards: what cards can reach")
    gold_twins: bool = Field(True, description="each student trained on gold alone, twice: what distilling must beat")
    random: bool = Field(True, description="answers drawn by the class shares of train: what chance comes to")
    tfidf: bool = Field(True, description="TF-IDF and a linear model on cards and gold: what words alone come to")
    bag_of_tokens: bool = Field(
        False, description="static embeddings of the first teacher's checkpoint on cards and gold: no word order"
    )


class Quality(Config):
    """How quality is measured."""

    metric: Literal["f1_macro", "f1_weighted", "accuracy", "f1_positive", "log_loss"] = Field(
        "f1_macro",
        description="what gates and the first sentence of the report compare models by; of log_loss less is better",
    )
    baseline: str | None = Field(
        None, description="a model of the run, by its name in the report or its own: tables show differences to it"
    )
    remeasure: dict[str, list[str]] = Field(
        default_factory=dict, description="view: models read through it too, as rows that judge nothing; []: all"
    )
    test: Annotated[list[str], AfterValidator(_test_parts)] = Field(
        default_factory=lambda: ["test"],
        description="[test, valid]: measure on both together too, where nothing is chosen on validation",
    )
    calibrate: bool = Field(
        True, description="choose temperature and thresholds on validation; false: temperature 1 and no thresholds"
    )
    precision_at_least: Share = Field(0.9, description="x of the operating point recall@P>=x")
    recall_at_least: Share = Field(0.9, description="y of the operating point precision@R>=y")
    replicates: Annotated[int, Field(ge=100, le=100_000)] = Field(1000, description="bootstrap replicates")


class Project(Config):
    """A whole project; the sections of other packages are kept as written and parsed by their owners."""

    task: Task
    data: Data
    views: Annotated[dict[str, ViewConfig], become_paths("views")]
    teachers: Annotated[dict[str, dict[str, Any]] | None, become_paths("teachers")] = Field(
        None, description="name: overrides of a teacher preset"
    )
    labels: str = Field(
        "auto",
        description="whose soft labels students learn from: auto (by validation), document, card, mean, mixture, name",
    )
    select: Select | None = Field(
        None, description="which rows of the labelled pool students learn from; null: all of them"
    )
    labelling: Labelling = Field(default_factory=Labelling)
    pretrain: dict[str, Any] = Field(default_factory=dict, description="settings of `distill pretrain`")
    students: Annotated[dict[str, dict[str, Any]] | None, become_paths("students")] = Field(
        None, description="name: overrides of a student preset; {}: the teachers alone are trained and compared"
    )
    export: list[str] = Field(default_factory=lambda: ["onnx", "onnx-int8"], description="export presets")
    gates: Gates = Field(default_factory=Gates)
    controls: Controls = Field(default_factory=Controls)
    quality: Quality = Field(default_factory=Quality)
    fall_through: FallThrough = Field(default_factory=FallThrough)
    bench: dict[str, Any] = Field(default_factory=dict, description="settings of the latency benchmark")
    budget: Budget = Field(default_factory=Budget)
    bundle: BundleConfig = Field(default_factory=BundleConfig)
    report: ReportConfig = Field(default_factory=ReportConfig)
    sweep: dict[str, Any] = Field(default_factory=dict, description="the grid of `distill sweep`")
    seed: NonNegativeInt = Field(1, description="seed of splits, samples and bootstrap, and of training by default")
    training_seed: NonNegativeInt | None = Field(
        None, description="seed of random weights and of the order of training rows; null: seed"
    )
    seeds: Seeds | None = Field(
        None,
        description="training seeds: a whole run for each on the same rows, and the means over them; null: one run",
    )
    threads: PositiveInt = Field(2, description="processor threads of training, labelling and latency")
    provider: Literal["auto", "cpu", "cuda", "tensorrt"] = Field(
        "auto", description="what runs exported files when they are measured; auto: the best that is here for each"
    )

    @field_validator("views")
    @classmethod
    def _views_know_the_swap(cls, views: dict[str, ViewConfig], info: ValidationInfo) -> dict[str, ViewConfig]:
        task = info.data.get("task")
        own = task.swap.of_view(task.labels) if task is not None and task.swap is not None else None
        found = [f"{name}.swap: is set by task.swap" for name, view in views.items() if view.swap not in (None, own)]
        for name, view in views.items():
            read = set(view.fields)
            lacking = [path for pair in (own.fields if own else []) for path in pair if path not in read]
            found += [f"{name}: does not read '{path}' of task.swap.fields" for path in lacking]
        if found and task is not None:
            raise ValueError("\n".join(found))
        return {name: view.model_copy(update={"swap": own}) for name, view in views.items()} if own else views

    @model_validator(mode="after")
    def _views_named(self) -> Project:
        missing = ", ".join(f"views.{name}" for name in ("document", "card") if name not in self.views)
        if missing:
            raise ValueError(f"{missing}: missing; a single-view project writes the same fields in both")
        return self

    @model_validator(mode="after")
    def _metric_of_the_task(self) -> Project:
        if self.quality.metric == "f1_positive" and self.task.positive is None:
            raise ValueError("quality.metric: f1_positive needs a positive class; name one in task.positive")
        return self

    @model_validator(mode="after")
    def _floors_of_the_task(self) -> Project:
        if unknown := [name for name in self.gates.class_floor or {} if name not in self.task.labels]:
            raise ValueError(f"gates.class_floor: '{unknown[0]}' is not among the labels {self.task.labels}")
        return self

    @model_validator(mode="after")
    def _selects_by_what_is_there(self) -> Project:
        select, found = self.select, []
        if select is not None and not self.data.pool:
            found.append("select: there is no pool to select from; name one in data.pool")
        if select is not None and "slice" in select.balance and self.data.slice is None:
            found.append("select.balance: slice needs the column in data.slice")
        if select is not None and select.per_key is not None and not self.data.keys:
            found.append("select.per_key: needs the columns in data.keys")
        if found:
            raise ValueError("\n".join(found))
        return self

    @model_validator(mode="after")
    def _published_as_asked(self) -> Project:
        fields = {path for view in self.views.values() for path in view.fields}
        if found := publishing_problems(self.bundle, self.report, self.data, fields):
            raise ValueError("\n".join(found))
        return self

    @model_validator(mode="after")
    def _one_way_to_seed(self) -> Project:
        if self.seeds is not None and self.training_seed is not None:
            raise ValueError("training_seed: seeds gives each run its own; remove one of the two")
        return self

    @property
    def weights_seed(self) -> int:
        """The seed of random weights and of the order of training rows."""
        return self.seed if self.training_seed is None else self.training_seed
