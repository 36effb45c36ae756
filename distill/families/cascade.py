"""A cascade labels what it is sure of, stage by stage: the cheap ones first, each row by the first that is sure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BeforeValidator, Field, PositiveFloat, SerializeAsAny, ValidationError

from distill.core.config import Config, problems
from distill.core.errors import UserError, hint
from distill.core.files import read_json, write_json
from distill.core.intake.words import word_tokenizer
from distill.core.label_space import LabelSpace, label_name
from distill.core.model_folder import parameter_count
from distill.core.objectives.objective import objective
from distill.core.progress import note
from distill.core.rendering import Renderer
from distill.core.run_folder import entry_now
from distill.core.staged import Staged
from distill.core.view import TOKENIZER_FILE, View
from distill.evaluation.thresholds import Threshold, choose_threshold
from distill.families.calibration_rows import calibration_rows
from distill.families.family import CONFIG_FILE, DEFAULT, Facts, Family, Lesson, Opening, renderer
from distill.families.http_llm import HttpLlm
from distill.families.staged_rows import UNSURE, OpenStage, Passage, StagedRow, chances, unlabelled
from distill.families.stages.stage import AUTO, Classes, StageSettings, stage_class
from distill.inference.scorer import Logits, Progress, Row, Scorer

_STAGES = "stages"


def _stage(value: Any) -> Any:
    """A stage's entry as the settings of its kind."""
    if not isinstance(value, Mapping) or not isinstance(value.get("stage"), str):
        return value
    try:
        own = stage_class(value["stage"]).Settings
    except UserError as error:
        raise ValueError(f"{error.brief}: {error.do}") from None
    try:
        return own.model_validate(value)
    except ValidationError as error:
        raise ValueError("; ".join(problems(error, own))) from None


def _weights(value: Any) -> Any:
    """Keywords as weights by word: a list gives each the weight 1."""
    if not isinstance(value, Mapping):
        return value
    named = {label_name(label): words for label, words in value.items()}
    return {label: dict.fromkeys(map(str, words), 1.0) if isinstance(words, list) else words
            for label, words in named.items()}  # fmt: skip


StageEntry = Annotated[SerializeAsAny[StageSettings], BeforeValidator(_stage)]
Words = Annotated[dict[str, Annotated[dict[str, PositiveFloat], Field(min_length=1)]], BeforeValidator(_weights)]


class Cascade(Family):
    """`family: cascade` in a teacher's entry. It does not learn; its thresholds are chosen on a few labelled rows."""

    name = runtime = "cascade"
    learns = False
    chosen = ("thresholds of the stages", "each threshold as a number, or calibrate: FILE")

    class Settings(Config):
        """The keys of a cascade's entry."""

        stages: Annotated[list[StageEntry], Field(min_length=1)] = Field(description="its stages, in order")
        keywords: Words = Field(
            default_factory=dict, description="label: its words, or weight by word; none: the label's own words"
        )
        names: dict[str, str] = Field(default_factory=dict, description="label: what it is called in a sentence")
        precision: float = Field(0.9, gt=0, lt=1, description="share of right labels that thresholds make sure of")
        calibrate: str | None = Field(
            None, description="CSV or JSONL with id and label of training or pool rows; null: the validation rows"
        )
        rest: Literal["unlabelled", "guess"] = Field(
            "unlabelled", description="rows that no stage is sure of: without a label, or with the last stage's guess"
        )

        def as_fingerprint(self, *leave_out: str) -> dict[str, Any]:
            """The stages each by its own."""
            return {**super().as_fingerprint(*leave_out), _STAGES: [one.as_fingerprint() for one in self.stages]}

    def places(self, config: Any) -> list[str]:
        """The models of its stages."""
        found = [stage_class(one.stage).place(one) for one in config.stages]
        return [place for place in found if place is not None]

    def files(self, config: Any) -> list[Path]:
        """The labelled rows that it is given by name."""
        return [Path(config.calibrate)] if config.calibrate else []

    def asks(self, config: Any, labelled: Sequence[str]) -> list[str]:
        """Validation where thresholds are chosen; the labelled splits where their rows are named."""
        given = all(one.threshold != AUTO for one in config.stages)
        rows = [] if given else list(labelled) if config.calibrate else ["valid"]
        shown = [split for one in config.stages for split in stage_class(one.stage).asks(one) if split not in rows]
        return [*rows, *dict.fromkeys(shown)]

    def problems(self, config: Any, space: LabelSpace) -> Iterator[str]:
        """Labels that the task has not, records with several labels, and what the stages say."""
        if space.objective.several:
            yield "family: a cascade gives each record one label, and records of this task may have several"
        for key, given in (("keywords", config.keywords), ("names", config.names)):
            for label in given:
                if label not in space.labels:
                    yield f"{key}.{label}: unknown label, {hint(label, space.labels)}"
        for number, one in enumerate(config.stages):
            for line in stage_class(one.stage).problems(one, space):
                yield f"stages.{number}.{line}"

    def is_remote(self, config: Any) -> bool:
        """Whether a stage asks a server."""
        return any(stage_class(one.stage).server(one) is not None for one in config.stages)

    def is_remote_at(self, folder: Path) -> bool:
        """Whether a stage asks a server."""
        stored = read_json(folder / CONFIG_FILE)["distill"][_STAGES]
        return any(one["settings"].get("server") is not None for one in stored)

    def for_timing(self, config: Any) -> dict[str, Any]:
        """Stages whose server's answers are drawn, and labels for all rows: few rows can choose no threshold."""
        stages = [
            stage_class(one.stage).for_timing(
                one
                if one.threshold != AUTO
                else one.model_copy(update={"threshold": one.precision or config.precision})
            )
            for one in config.stages
        ]
        return {_STAGES: stages, "calibrate": None, "rest": "guess"}

    def outlay(self, config: Any, lesson: Lesson, splits: Sequence[str]) -> str | None:
        """What the rows would cost at the servers of its stages if no stage before were sure of any."""
        servers = [stage_class(one.stage).server(one) for one in config.stages]
        told = [HttpLlm().outlay(one, lesson, splits) for one in servers if one is not None]
        return "; ".join(f"at most {one}" for one in told if one) or None

    def fit(self, config: Any, lesson: Lesson, folder: Path) -> None:
        """Keep what the stages need, and choose the thresholds that are not given.

        Raises: UserError for a stage that cannot be asked and may not be left out, and for labelled rows that are not
            of this run.
        """
        word_tokenizer().save(str(folder / TOKENIZER_FILE))
        view = View(lesson.view, lesson.view_config, folder / TOKENIZER_FILE)
        view.save(folder)
        classes = Classes.of(lesson.space, config.keywords, config.names)
        kept = [_kept(one, lesson, folder / _STAGES / name) for name, one in _named(config.stages)]
        how = Opening(threads=lesson.threads)
        passage = Passage([
            _opened(name, one, classes, folder / _STAGES / name, how, problem)
            for (name, one), problem in zip(_named(config.stages), kept, strict=True)
        ])  # fmt: skip
        chosen = _chosen(config, lesson, passage, view.renderer())
        own = {
            "kind": lesson.space.objective.name,
            "keywords": config.keywords,
            "names": config.names,
            "rest": config.rest,
            "stages": [
                {"name": stage.name, "settings": one.kept(), "threshold": stage.threshold,
                 "problem": stage.problem, "chosen": chosen.get(stage.name)}
                for stage, one in zip(passage.stages, config.stages, strict=True)
            ],
        }  # fmt: skip
        write_json(folder / CONFIG_FILE, {"distill": own, "id2label": dict(enumerate(lesson.space.labels))})

    def open(self, folder: Path, how: Opening = DEFAULT) -> Scorer:
        """All stages open."""
        stored = read_json(folder / CONFIG_FILE)
        own, labels = stored["distill"], tuple(stored["id2label"].values())
        space = LabelSpace(labels, objective(own["kind"], len(labels), str(folder / CONFIG_FILE)))
        classes = Classes.of(space, own["keywords"], own["names"])
        stages = []
        for one, now in zip(own[_STAGES], _stages_now(folder, own[_STAGES]), strict=True):
            settings = stage_class(one["settings"]["stage"]).stored(one["settings"], now)
            place = folder / _STAGES / one["name"]
            opened = _opened(one["name"], settings, classes, place, how, one["problem"])
            stages.append(OpenStage(one["name"], opened.opened, one["threshold"], opened.goes_on, opened.problem))
        return CascadeScorer(Passage(stages), space, renderer(folder, how), guess=own["rest"] == "guess")

    def facts(self, folder: Path) -> Facts:
        """No layers of its own; the parameters of its stages' models."""
        places = {path.parent for path in (folder / _STAGES).rglob("*.safetensors")}
        return Facts(None, sum(map(parameter_count, places)))


class CascadeScorer(Scorer):
    """The stages behind a view. Args: guess: whether rows that no stage is sure of are labelled by the last one."""

    def __init__(self, passage: Passage, space: LabelSpace, read: Renderer, *, guess: bool) -> None:
        self._passage, self._space, self._renderer, self._guess = passage, space, read, guess

    def prepare(self, rows: Sequence[Row]) -> list[StagedRow]:
        """Records as the text that the view reads."""
        return _staged_rows(self._renderer, rows)

    def answer(self, prepared: Sequence[StagedRow], on_progress: Progress | None = None) -> Logits:
        """Logits (N, K): the first sure stage's class with its confidence; without one, the last stage's guess."""
        for row in prepared:
            row.stage = ""
        self._passage.go_through(prepared, self._guess, on_progress)
        return np.asarray(self._space.objective.logits(chances(prepared, len(self._space))), np.float32)

    def staged(self, prepared: Sequence[StagedRow]) -> Staged:
        """Which stage labelled each record."""
        return self._passage.staged(prepared)


def _staged_rows(read: Renderer, rows: Sequence[Row]) -> list[StagedRow]:
    texts = [" ".join(side for side in read.text(row) if side) for row in rows]
    return [StagedRow(row, text, len(read.tokenizer.encode(text, add_special_tokens=False)))
            for row, text in zip(rows, texts, strict=True)]  # fmt: skip


def _named(stages: Sequence[StageSettings]) -> Iterator[tuple[str, StageSettings]]:
    """Stages by name: their kind, numbered where a kind comes again."""
    seen: dict[str, int] = {}
    for one in stages:
        kind = one.stage.rpartition(":")[2]
        seen[kind] = seen.get(kind, 0) + 1
        yield kind if seen[kind] == 1 else f"{kind}-{seen[kind]}", one


def _stages_now(folder: Path, stored: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
    """What the project says of each stage by now; nothing where it has other stages than the folder."""
    found = entry_now(folder).get(_STAGES, [])
    same = [one["stage"] for one in found] == [one["settings"]["stage"] for one in stored]
    return found if same else [{}] * len(stored)


def _kept(settings: StageSettings, lesson: Lesson, folder: Path) -> str:
    """Keep what a stage needs; returns why it cannot be asked, '' where it can. Raises: UserError where that stops."""
    from distill.models import pretrained

    kind = stage_class(settings.stage)
    try:
        place = kind.place(settings)
        source = None if place is None else lesson.places.get(place) or pretrained.resolve(place)
        folder.mkdir(parents=True, exist_ok=True)
        kind.keep(settings, lesson, source, folder)
    except UserError as error:
        if settings.on_error == "stop":
            raise
        note(f"stage {folder.name} is left out: {error.brief}")
        return error.brief
    return ""


def _opened(
    name: str, settings: StageSettings, classes: Classes, folder: Path, how: Opening, problem: str
) -> OpenStage:
    """A stage, open unless there is a problem with it already."""
    threshold = None if isinstance(settings.threshold, str) else settings.threshold
    goes_on, opened = settings.on_error == "go_on", None
    if not problem:
        try:
            opened = stage_class(settings.stage)(settings, classes, folder, how)
        except UserError as error:
            if not goes_on:
                raise
            problem = error.brief
    return OpenStage(name, opened, threshold, goes_on, problem)


def _chosen(config: Any, lesson: Lesson, passage: Passage, read: Renderer) -> dict[str, Any]:
    """Choose the thresholds that are not given, on rows that no stage before was sure of; returns how, by stage."""
    if all(one.threshold != AUTO for one in config.stages):
        return {}
    records = calibration_rows(lesson, Path(config.calibrate) if config.calibrate else None)
    rows = _staged_rows(read, [record.fields for record, _ in records])
    gold = {id(row): label for row, (_, label) in zip(rows, records, strict=True)}
    found: dict[str, Any] = {}
    last = max(number for number, one in enumerate(config.stages) if one.threshold == AUTO)
    for stage, one in zip(passage.stages[: last + 1], config.stages, strict=False):
        left = unlabelled(rows)
        if not left:
            break
        passage.ask(stage, left)
        if one.threshold != AUTO or stage.opened is None:
            continue
        wanted = one.precision or config.precision
        confidence = np.array([row.confidence for row in left])
        correct = np.array([row.label == gold[id(row)] for row in left])
        choice = choose_threshold(confidence, correct, wanted)
        stage.threshold = choice.value
        for row, sure in zip(left, confidence, strict=True):
            row.stage = stage.name if choice.value is not None and sure >= choice.value else ""
        found[stage.name] = {**asdict(choice), "wanted": wanted}
        note(_told(stage.name, choice, wanted))
    if config.rest == "unlabelled":
        _close_unsure(config, passage, found)
    return found


def _close_unsure(config: Any, passage: Passage, chosen: Mapping[str, Any]) -> None:
    """Ask no stage that would label nothing; where none would, the last one that costs nothing still guesses."""
    unsure = [stage.name for stage in passage.stages if stage.name in chosen and stage.threshold is None]
    if all(stage.name in unsure for stage in passage.stages if stage.opened is not None):
        free = [name for name, one in _named(config.stages) if stage_class(one.stage).server(one) is None]
        last = [name for name in unsure if name in free][-1:]
        unsure = [name for name in unsure if name not in last]
    for stage in passage.stages:
        if stage.name in unsure:
            stage.opened, stage.problem = None, UNSURE


def _told(name: str, choice: Threshold, wanted: float) -> str:
    if choice.value is None:
        why = f"no threshold is right in {wanted:.0%} of its labels for sure on {choice.rows} labelled rows"
        return f"stage {name} labels nothing: {why}; give one, more labelled rows, or a lower precision"
    return (
        f"stage {name}: threshold {choice.value:.4f}, at which {choice.right} of {choice.taken} labels are right, "
        f"at least {choice.low:.1%} for sure"
    )
