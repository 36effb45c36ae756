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
    model_validator,
)

from distill.core.config import Config
from distill.core.label_space import LabelSpace, label_name
from distill.core.names import name_problems
from distill.core.objectives.objective import known_objectives, objective
from distill.core.selection.config import Select


def _names(value: Any) -> Any:
    return [label_name(item) for item in value] if isinstance(value, list) else value


def _one_name(value: Any) -> Any:
    return value if isinstance(value, list | dict | None) else label_name(value)


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


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


def _become_paths(section: str) -> BeforeValidator:
    """A check of a mapping's names, all of whose problems are listed; `section` is the mapping's dotted key."""

    def check(value: Any) -> Any:
        names = [name for name in value if isinstance(name, str)] if isinstance(value, dict) else []
        if found := name_problems(section, names):
            raise ValueError("\n".join(found))
        return value

    return BeforeValidator(check)


Name = Annotated[str, BeforeValidator(label_name)]
Names = Annotated[list[str], BeforeValidator(_names)]
Files = Annotated[list[str], BeforeValidator(_as_list), Field(min_length=1)]
Kind = Annotated[str, AfterValidator(_objective)]
Share = Annotated[float, Field(ge=0, le=1)]
Seeds = Annotated[list[NonNegativeInt], Field(min_length=1), AfterValidator(_without_repeats)]


DROP = "drop"


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

    @model_validator(mode="after")
    def _consistent(self) -> Task:
        if len(set(self.labels)) != len(self.labels):
            raise ValueError("labels: a duplicate name")
        if self.positive is not None and self.positive not in self.labels:
            raise ValueError(f"positive: '{self.positive}' is not among the labels {self.labels}")
        if self.ordered and objective(self.kind, len(self.labels)).several:
            raise ValueError(f"ordered: a record has one place on a scale, with kind {self.kind} it has several labels")
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


class Split(Config):
    """How records come to train, valid and test."""

    mode: Literal["given", "keys", "random"] = Field(
        "given", description="by files, by a seeded hash of each side's key, or by one of each row, whatever its keys"
    )
    keys: Annotated[list[str], Field(min_length=1)] | None = Field(
        None, description="of data.keys, those that no two parts share (mode keys); null: all of them"
    )
    valid: Share = Field(0.1, description="share of the rows that remain for validation, when no file is given for it")
    test: Share = Field(0.2, description="share of the rows that remain for test (modes keys and random)")

    @property
    def makes_test(self) -> bool:
        """Whether validation and test are made of the training files."""
        return self.mode != "given"


class Junk(Config):
    """Rules that drop a record as junk; each counts under its own reason."""

    min_chars: NonNegativeInt = Field(1, description="fewer characters in all of a record's text: too_short")
    max_chars: PositiveInt = Field(1_000_000, description="more characters in all of a record's text: too_long")
    required: list[str] = Field(default_factory=list, description="fields that must not be empty: missing_field")
    repeated: Share = Field(
        0.0, description="share of distinct words under this in texts of 20 words on: repeated_text"
    )
    patterns: list[str] = Field(default_factory=list, description="regular expressions found in any field: pattern")


class MadePairs(Config):
    """New pairs of sides that are there: of each left side with right sides of other rows, so many of each kind."""

    of: Files = Field(
        default_factory=lambda: ["train"],
        description="where sides come from: train, and files or globs with the columns of one side or of both",
    )
    exact: NonNegativeInt = Field(1, description="with the same key, or the same first field of the card")
    neighbours: NonNegativeInt = Field(3, description="with the most similar card text, whatever its key")
    hard: NonNegativeInt = Field(
        1, description="with the most similar card text of another key and another first field of the card"
    )
    random: NonNegativeInt = Field(1, description="with any")
    seed: NonNegativeInt | None = Field(None, description="of the choice among equals and at random; null: seed")

    @model_validator(mode="after")
    def _makes_pairs(self) -> MadePairs:
        if not any((self.exact, self.neighbours, self.hard, self.random)):
            raise ValueError("neighbours: with exact, hard and random at 0 too there is no pair to make")
        return self


class PoolSource(Config):
    """Where a part of the unlabelled pool comes from: files of pairs, or pairs that are made."""

    files: Files | None = Field(None, description="files or globs, relative to data.root")
    pairs: MadePairs | None = Field(None, description="instead of files: pairs made of sides that are there")
    rows: PositiveInt | None = Field(None, description="keep a seeded sample of this many rows, after cleaning")
    pairing: Literal["given", "neighbours"] = Field(
        "given", description="keep the rows' own pairs, or pair each left side with a similar right side of another row"
    )

    @model_validator(mode="after")
    def _from_one_place(self) -> PoolSource:
        if self.files is None and self.pairs is None:
            raise ValueError("files: missing; name files of pairs, or let pairs be made with pairs: {}")
        if self.files is not None and self.pairs is not None:
            raise ValueError("pairs: files are named too; remove one of the two")
        if self.pairs is not None and self.pairing != "given":
            raise ValueError("pairing: how rows of files are paired; pairs has exact, neighbours, hard and random")
        return self

    @property
    def read_files(self) -> list[str]:
        """The files or globs that it reads; none where pairs are made of the training rows alone."""
        return (self.files or []) if self.pairs is None else [one for one in self.pairs.of if one != "train"]


def _pool_source(value: Any) -> Any:
    return {"files": value} if isinstance(value, str | list) else value


class Data(Config):
    """Where the records are and which columns mean what."""

    root: str = Field(".", description="folder that all file names start from")
    id: str | None = Field(
        "id", description="column with a name for each record, unique over all files; null: a hash of its texts"
    )
    label: str = Field("label", description="column with the gold label, votes {label: n}, or a list (kind multi)")
    slice: str | None = Field(None, description="column to report by")
    keys: list[str] = Field(
        default_factory=list, description="identity column of each side; intervals draw their values"
    )
    train: Files = Field(description="labelled training files")
    valid: Files | None = Field(None, description="validation files")
    test: Annotated[dict[str, Files], _become_paths("data.test")] = Field(
        default_factory=dict, description="named test sets"
    )
    extra: Annotated[dict[str, Files], _become_paths("data.extra")] = Field(
        default_factory=dict, description="labelled files by name, learnt by the teachers whose `rows` name them alone"
    )
    pool: Annotated[dict[str, Annotated[PoolSource, BeforeValidator(_pool_source)]], _become_paths("data.pool")] = (
        Field(default_factory=dict, description="named sources of unlabelled records")
    )
    pool_exclude: Literal["pair", "side"] = Field(
        "pair", description="drop pool rows that share the whole pair, or one side's card text, with a test row"
    )
    split: Split = Field(default_factory=Split)
    junk: Junk = Field(default_factory=Junk)
    against: str | None = Field(
        None, description="folder of an earlier run, or of records: the audit says what has changed since; from root"
    )
    encoding: str = Field("utf-8", description="text encoding of JSONL, CSV and TSV files")
    quotes: Literal["auto", "double", "none"] = Field(
        "auto", description="whether quotes hold the cells of CSV and TSV files together; auto: in CSV only"
    )
    on_bad_row: Literal["quarantine", "fail"] = Field("quarantine", description="what to do with an unreadable row")
    on_leak: Literal["fail", "drop_train"] = Field(
        "fail", description="training and validation rows whose document a test has too: stop at them, or drop them"
    )
    on_card_leak: Literal["drop", "fail", "keep"] = Field(
        "drop",
        description="pool, training and validation rows that read on cards as a row they are judged on, of a test or "
        "of validation: drop them, stop at them, or keep them",
    )
    on_valid_key: Literal["keep", "drop"] = Field(
        "keep", description="training rows that share a key with validation files: keep and name them, or drop them"
    )

    @model_validator(mode="after")
    def _has_tests(self) -> Data:
        if self.split.mode == "given" and not self.test:
            raise ValueError("test: name at least one test set, or set split.mode: keys")
        if self.split.mode == "keys" and not self.keys:
            raise ValueError("keys: split.mode keys needs the identity column of each side")
        if self.split.makes_test and (self.test or self.valid):
            mode = self.split.mode
            raise ValueError(f"test: split.mode {mode} makes valid and test itself; remove them or use mode given")
        if self.split.keys is not None and self.split.mode != "keys":
            raise ValueError("split.keys: they are for split.mode keys alone; remove them or set that mode")
        if unknown := sorted(set(self.split.keys or []) - set(self.keys)):
            raise ValueError(f"split.keys: {', '.join(unknown)} not among data.keys: {', '.join(self.keys) or 'none'}")
        if self.on_valid_key == "drop" and not self.keys:
            raise ValueError("on_valid_key: drop needs keys, the identity column of each side")
        if "train" in self.extra:
            raise ValueError("extra: 'train' names the training rows; choose another name")
        if self.split.valid + self.split.test >= 1:
            raise ValueError("split: valid and test leave no keys for training")
        return self


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
    windows: Windows | None = Field(None, description="read long texts in several windows; off by default")

    @model_validator(mode="after")
    def _budgets_known(self) -> ViewConfig:
        unknown = sorted(set(self.budgets) - set(self.fields))
        if unknown:
            raise ValueError(f"budgets: {', '.join(unknown)} not among the view's fields")
        return self

    @property
    def fields(self) -> list[str]:
        """All fields of the view, left ones first."""
        return [*self.left, *self.right]


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
    retention_card: NonNegativeFloat | None = Field(
        0.95,
        description="lower bound of what the student keeps of the card teacher's macro F1 over the majority answer",
    )
    over_gold: float | None = Field(
        -0.01, description="lower bound of student minus the better gold twin, in quality.metric"
    )
    teacher_over_priors: NonNegativeFloat | None = Field(
        0.0,
        description="least log loss on validation, lower bound of its interval, by which a teacher must beat the class "
        "priors before it labels",
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


class Quality(Config):
    """How quality is measured."""

    metric: Literal["f1_macro", "f1_weighted", "accuracy", "f1_positive"] = Field(
        "f1_macro", description="what gates and the first sentence of the report compare models by"
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
    views: Annotated[dict[str, ViewConfig], _become_paths("views")]
    teachers: Annotated[dict[str, dict[str, Any]] | None, _become_paths("teachers")] = Field(
        None, description="name: overrides of a teacher preset"
    )
    labels: str = Field(
        "auto",
        description="whose soft labels students learn from: auto (by validation), document, card, mean, mixture, name",
    )
    select: Select | None = Field(
        None, description="which rows of the labelled pool students learn from; null: all of them"
    )
    pretrain: dict[str, Any] = Field(default_factory=dict, description="settings of `distill pretrain`")
    students: Annotated[dict[str, dict[str, Any]] | None, _become_paths("students")] = Field(
        None, description="name: overrides of a student preset; {}: the teachers alone are trained and compared"
    )
    export: list[str] = Field(default_factory=lambda: ["onnx", "onnx-int8"], description="export presets")
    gates: Gates = Field(default_factory=Gates)
    controls: Controls = Field(default_factory=Controls)
    quality: Quality = Field(default_factory=Quality)
    bench: dict[str, Any] = Field(default_factory=dict, description="settings of the latency benchmark")
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
    def _one_way_to_seed(self) -> Project:
        if self.seeds is not None and self.training_seed is not None:
            raise ValueError("training_seed: seeds gives each run its own; remove one of the two")
        return self

    @property
    def weights_seed(self) -> int:
        """The seed of random weights and of the order of training rows."""
        return self.seed if self.training_seed is None else self.training_seed
