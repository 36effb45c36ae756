"""The entries of report.json as types: written where figures are made, read where they are shown.

`from_json` takes what report.json holds, of older runs too: a missing key has its default, an unknown one is dropped.
What older reports say only in a model's name is read from that name here and nowhere else. Optional keys are written
only where they are set.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Self

from distill.core.files import Json
from distill.core.finite import finite
from distill.evaluation.holm import is_shown

MAJORITY_METRICS = ("accuracy", "f1_macro", "log_loss")
"""What models are compared with the majority answer by."""
REMEASURED = "remeasured"
"""Role of a finished model that is read through another view on request; nothing judges it."""
_JUDGED_ROLES = ("student", "artifact")
_SEED = re.compile(r"seed (\d+): (.*)", re.DOTALL)
# How a field is written: only where it is set, or never, because other keys say the same.
_OPTIONAL, _UNWRITTEN = {"optional": True}, {"unwritten": True}


@dataclass(frozen=True)
class Entry:
    """An entry whose fields are the keys of its JSON."""

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> Self:
        """The entry of a JSON object."""
        return cls(**{one.name: found[one.name] for one in fields(cls) if one.name in found})

    def as_json(self) -> Json:
        """The JSON object, its keys in the order of the fields."""
        pairs = ((one, getattr(self, one.name)) for one in fields(self) if not one.metadata.get("unwritten"))
        return {one.name: value for one, value in pairs if value is not None or not one.metadata.get("optional")}


@dataclass(frozen=True)
class ModelFigures(Entry):
    """One of the `models`: what it is, and every figure of it.

    Attributes:
        quality, tests: quality blocks over all test rows, and by test. valid: `log_loss` after the temperature.
        retention: by view, what is kept of a teacher, and the `metric` that it is in. over_majority: by metric, the
            difference to the majority answer.
        over_gold: the difference to the better gold-only twin.
        asked_over_gold: False in older runs, which did not compare it with such a twin.
        fidelity: of an exported file: what it changes of its student's answers, see `fidelity`.
        at_bound: whether its temperature, in any seed, is the least or the greatest that is looked for.
        joined: the quality block over test and validation rows together, where these may join.
        class_thresholds: of records with several labels, by label, the probability from which on it holds.
        made_from: of an exported file: its student; of a teacher read through another view: that teacher.
        recipe_of: of the card teacher: the document teacher whose preset it was trained with.
        only_measured: of a student that no export target can write: gates ask it for nothing.
        control: of a baseline that every teacher and student is compared with.
        over_controls: of those, by name of the control, the difference to it and the `metric` that it is in.
        mixture: of a weighted ensemble or a fitted mixture: its `members` with their weights, and `temperatures`.
    """

    name: str = "–"
    role: str | None = None
    preset: str | None = None
    view: str | None = None
    layers: int | None = None
    parameters: int | None = None
    temperature: float | None = None
    thresholds: Mapping[str, float | None] | None = None
    valid: Json | None = None
    quality: Json | None = None
    tests: Json | None = None
    retention: Json | None = None
    over_majority: Json | None = None
    over_gold: Json | None = None
    asked_over_gold: bool = field(default=True, metadata=_UNWRITTEN)
    fidelity: Json | None = field(default=None, metadata=_OPTIONAL)
    at_bound: bool | None = field(default=None, metadata=_OPTIONAL)
    joined: Json | None = field(default=None, metadata=_OPTIONAL)
    class_thresholds: Mapping[str, float | None] | None = field(default=None, metadata=_OPTIONAL)
    made_from: str | None = field(default=None, metadata=_OPTIONAL)
    recipe_of: str | None = field(default=None, metadata=_OPTIONAL)
    only_measured: bool | None = field(default=None, metadata=_OPTIONAL)
    control: bool | None = field(default=None, metadata=_OPTIONAL)
    over_controls: Json | None = field(default=None, metadata=_OPTIONAL)
    mixture: Json | None = field(default=None, metadata=_OPTIONAL)

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> Self:
        """The model; `made_from` and `recipe_of` of older runs come from its name."""
        name, asked = str(found.get("name", cls.name)), {"asked_over_gold": "over_gold" in found}
        return super().from_json({**_from_name(name, found.get("role")), **found, **asked, "name": name})

    @property
    def judged(self) -> bool:
        """Whether gates ask it for retention and for its difference to training on gold: students and their files."""
        return self.role in _JUDGED_ROLES and not self.only_measured

    @property
    def is_teacher(self) -> bool:
        """Whether it is a teacher on the view that it was trained on."""
        return self.role == "teacher" and self.made_from is None

    @property
    def student(self) -> str:
        """The name of the model in PyTorch: of an exported file its student, of any other its own."""
        return self.made_from or self.name if self.role == "artifact" else self.name

    def shortfalls(self) -> dict[str, Json]:
        """The differences that do not show it above the majority answer, or under the class priors in log loss.

        Returns: metric -> `{"difference", "low", "high"}`; empty for a model that is shown above in all three, and for
            one that was not compared.
        """
        found = self.over_majority if isinstance(self.over_majority, dict) else {}
        known = [name for name in MAJORITY_METRICS if isinstance(found.get(name), dict)]
        return {name: found[name] for name in known if not _better(name, found[name])}


@dataclass(frozen=True)
class Comparison(Entry):
    """One of the `comparisons`: the paired difference a − b, with the ends of several seeds in `spread`.

    Attributes: p_holm: the p-value corrected over the comparisons of its table; None in older runs. mcnemar: of
        accuracy, what `with_exact` adds.
    """

    a: str | None = None
    b: str | None = None
    metric: str | None = None
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    p_value: float | None = None
    p_holm: float | None = None
    spread: list[float | None] | None = field(default=None, metadata=_OPTIONAL)
    mcnemar: Json | None = field(default=None, metadata=_OPTIONAL)

    @property
    def shown(self) -> bool:
        """Whether the difference is shown, as `is_shown` says."""
        return is_shown(self.as_json())

    @property
    def interval(self) -> tuple[float | None, float | None]:
        """Both ends of its interval."""
        return self.low, self.high


@dataclass(frozen=True)
class LatencyRow(Entry):
    """One of the rows of `latency`: a model at one batch size.

    Attributes: requests: over which p50 and speed-ups are, those that every process of every model answered. samples:
        over which tails are. processes: fresh ones that count. speedup_low, speedup_high, best_low, best_high: 95%
        intervals. start_ms: from the start of the process to its first answer. memory_mib: its peak less that of an
        empty process. weights: the types that they are in. disturbed: share of requests that something else disturbed
        each time. repeats: of blocks of requests that were. disturbed_by: what was seen. waited_share, switches_per_s,
        load: see `benchmarks.disturbance`. speed_only: whether the file was made to be timed, its answers unchecked.
        layouts: of sessions and threads, see `benchmarks.layouts.layouts`; `throughput_per_s` is that of the first.
    """

    model: str | None = None
    role: str | None = None
    view: str | None = None
    runtime: str | None = None
    precision: str | None = None
    threads: int | None = None
    batch: int | None = None
    tokens: int | None = None
    samples: int | None = None
    p50_ms: float | None = None
    p95_ms: float | None = None
    p99_ms: float | None = None
    tokenise_ms: float | None = None
    throughput_per_s: float | None = None
    speedup_vs_teacher: float | None = None
    speedup_low: float | None = None
    speedup_high: float | None = None
    speedup_vs_best_teacher: float | None = None
    best_low: float | None = None
    best_high: float | None = None
    requests: int | None = None
    processes: int | None = None
    start_ms: float | None = None
    memory_mib: float | None = None
    file_mib: float | None = None
    weights: str | None = None
    disturbed: float | None = None
    repeats: int | None = None
    disturbed_by: list[str] = field(default_factory=list)
    waited_share: float | None = None
    switches_per_s: float | None = None
    load: float | None = None
    speed_only: bool = False
    layouts: list[Json] = field(default_factory=list)

    @property
    def single(self) -> bool:
        """Whether it was measured one record at a time."""
        return self.batch in (None, 1)


@dataclass(frozen=True)
class FallThroughCurve(Entry):
    """One of the entries of `fall_through`: a file's quality and cost against the share that is sent on to the teacher.

    Attributes:
        by: what one label's sureness is. chosen_on, judged_on: rows of both halves of validation, the latter 0 where
            there are no halves. bands: by what is answered and share.
        over_random: by curve and figure, how far its shares are in the mean above sending as many at random.
        decision, positive: rows of the curves, see `fall_through` and `priced`; `positive` is missing where the task
            has no such class or a model does not reach its operating point.
        teacher_timed: whose latency is counted for the teacher. judged_by: the figure that the share was chosen by.
        chosen: that share; None where none is within the limits.
    """

    model: str = "–"
    teacher: str = "–"
    by: str | None = None
    chosen_on: int | None = None
    judged_on: int | None = None
    bands: Json = field(default_factory=dict)
    over_random: Json = field(default_factory=dict)
    decision: list[Json] = field(default_factory=list)
    positive: list[Json] | None = field(default=None, metadata=_OPTIONAL)
    teacher_timed: str | None = None
    judged_by: str | None = None
    chosen: float | None = None


@dataclass(frozen=True)
class Parity(Entry):
    """One of the checks in `parity`: an exported file against its PyTorch model on the same rows.

    Attributes: name: of the model's folder. target: of the export. model: the file's name among the `models`.
        criterion: `decisions`, judged by the share of changed labels; `parity` and `tolerance`, by the largest
            difference, with one limit for all files or the target's own.
        chosen_on: of a file of which something was chosen: `{"rows", "apart"}`, whether other rows judge it.
        changes: of a file judged by decisions: what it changes of its model's answers, see `changed_answers`.
        limits: what its target declares that it may change of them. in_place_of: the targets that failed before it.
    """

    name: str | None = None
    target: str | None = None
    passed: bool | None = None
    required: float | None = None
    max_abs_diff: float | None = None
    label_flips: float | None = None
    rows: int | None = None
    criterion: str = "parity"
    model: str | None = None
    chosen_on: Json | None = field(default=None, metadata=_OPTIONAL)
    changes: Json | None = field(default=None, metadata=_OPTIONAL)
    limits: Json | None = field(default=None, metadata=_OPTIONAL)
    in_place_of: list[Json] | None = field(default=None, metadata=_OPTIONAL)

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> Self:
        """The check; the criterion of older runs comes from the target's name."""
        by_target = "decisions" if "int8" in str(found.get("target")) else cls.criterion
        return super().from_json({"criterion": by_target, **found})

    @property
    def file(self) -> str:
        """What its gate calls the exported file: `8L_trunc.onnx`."""
        return f"{self.name}.{self.target}"

    @property
    def measured(self) -> float | None:
        """The figure that its criterion judges."""
        return self.label_flips if self.criterion == "decisions" else self.max_abs_diff

    def is_of(self, model: str) -> bool:
        """Whether it checks this one of the `models`; older runs do not say which, so the view is left out there."""
        return model in (self.model, self.file) or (self.model is None and _without_view(model) == self.file)


@dataclass(frozen=True)
class Gate:
    """One of the `gates`: what was required of a subject, what was measured, and why it failed.

    Attributes: metric: what is judged. subject: the model, file or labels that it is about; None for the data.
        seed: of the run in which it failed, among the gates over several seeds. of_class: of a floor, its class.
    """

    metric: str
    subject: str | None
    required: float | None
    measured: float | None
    passed: bool | None
    why: str | None = None
    seed: int | None = None
    of_class: str | None = None

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> Self:
        """The gate of an entry, whose `name` holds seed, metric, subject and class."""
        name, seed, label = str(found.get("name") or "–"), None, found.get("class")
        if match := _SEED.fullmatch(name):
            seed, name = int(match[1]), match[2]
        name = name if label is None else name.removesuffix(f": {label}")
        metric, _, subject = name.partition(" ")
        figures = {key: found.get(key) for key in ("required", "measured", "passed", "why")}
        return cls(metric, subject or None, **figures, seed=seed, of_class=label)

    def as_json(self) -> Json:
        """`{"name", "required", "measured", "passed"}`, with `class` and `why` where there is one."""
        more = {"class": self.of_class, "why": self.why}
        figures = {"required": self.required, "measured": self.measured, "passed": self.passed}
        return {"name": self.name, **figures, **{key: one for key, one in more.items() if one is not None}}

    @property
    def name(self) -> str:
        """Its name in reports: `retention.card 8L_trunc@card`, `seed 2: leak`, `class_floor.f1 8L@card: about`."""
        plain = self.metric if self.subject is None else f"{self.metric} {self.subject}"
        plain = plain if self.of_class is None else f"{plain}: {self.of_class}"
        return plain if self.seed is None else f"seed {self.seed}: {plain}"


def _from_name(name: str, role: object) -> Json:
    """What older runs say of a model in its name alone: `8L@card.onnx`, `base@document>card`, `base@card`."""
    if role == "artifact" and "@" in name:
        return {"made_from": name[: name.index("@")] + name[name.index("@") :].partition(".")[0]}
    if role == "teacher" and ">" in name:
        return {"made_from": name.partition(">")[0]}
    if role == "teacher" and name.endswith("@card"):
        return {"recipe_of": f"{name.removesuffix('@card')}@document"}
    return {}


def _without_view(model: str) -> str:
    """`8L_trunc.onnx` of `8L_trunc@card.onnx`."""
    source, _, read = model.partition("@")
    return f"{source}.{read.partition('.')[2]}"


def _better(metric: str, apart: Json) -> bool:
    """Whether the model is shown to be on the better side of 0."""
    difference = finite(apart.get("difference"))
    return is_shown(apart) and difference is not None and (difference < 0 if metric == "log_loss" else difference > 0)
