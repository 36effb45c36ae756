"""What every stage of a cascade offers, and how one is found."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from distill.core.config import Config
from distill.core.errors import UserError
from distill.core.label_space import LabelSpace
from distill.core.siblings import sibling
from distill.evaluation.metrics import FloatArray
from distill.families import stages
from distill.families.family import Lesson, Opening
from distill.inference.language_model.config import LanguageModelSettings
from distill.inference.scorer import Row

AUTO = "auto"


class StageSettings(Config):
    """The keys of every stage."""

    stage: str = Field(description="its kind: keywords, zero_shot, embeddings, language_model, or module:Class")
    threshold: Literal["auto"] | Annotated[float, Field(gt=0, le=1)] = Field(
        "auto", description="least confidence of a label; auto: chosen on labelled rows for the wanted precision"
    )
    precision: float | None = Field(
        None, gt=0, lt=1, description="share of right labels that auto makes sure of; null: the cascade's"
    )
    on_error: Literal["stop", "go_on"] = Field(
        "stop", description="when it cannot be asked: stop, or pass its rows on to the next stage"
    )

    def kept(self) -> dict[str, Any]:
        """What the model folder holds of them as JSON values: all that an answer depends on."""
        return self.as_json()


@dataclass(frozen=True)
class Classes:
    """What a cascade knows of the task's classes.

    Attributes: space: the classes. words: by label, weight by keyword. names: by label, what a sentence calls it.
    """

    space: LabelSpace
    words: Mapping[str, Mapping[str, float]]
    names: Mapping[str, str]

    @classmethod
    def of(cls, space: LabelSpace, words: Mapping[str, Mapping[str, float]], names: Mapping[str, str]) -> Classes:
        """Those of a task; a class without keywords has its name, one without a name its label's words."""
        called = {label: names.get(label) or label.replace("_", " ") for label in space.labels}
        return cls(space, {label: words.get(label) or {called[label]: 1.0} for label in space.labels}, called)


@dataclass(frozen=True)
class Answers:
    """What a stage says of N rows. Attributes: chances: float64 (N, C), each row summing to 1; NaN in a row without an
    answer. requests, money: what it took to ask.
    """

    chances: FloatArray
    requests: int = 0
    money: float = 0.0


class Stage:
    """One way to label rows: open, with what it learnt of the classes.

    Args: settings: its own. classes: the task's. folder: what `keep` filled.
    Attributes: piece: most rows that are asked about at once; what is answered by then is not lost by an error.
    """

    name: ClassVar[str]
    piece: ClassVar[int] = 1024

    class Settings(StageSettings):
        """No keys of its own."""

    def __init__(self, settings: Any, classes: Classes, folder: Path, how: Opening) -> None:
        self.settings, self.classes, self.folder, self.how = settings, classes, folder, how

    @classmethod
    def place(cls, settings: Any) -> str | None:
        """The model outside the run that it needs: an embedded encoder, a folder or a hub id; None for none."""
        return None

    @classmethod
    def problems(cls, settings: Any, space: LabelSpace) -> Iterator[str]:
        """What of its settings does not go with the task; each line begins with the key."""
        yield from ()

    @classmethod
    def asks(cls, settings: Any) -> Sequence[str]:
        """The splits whose rows `keep` reads."""
        return []

    @classmethod
    def server(cls, settings: Any) -> LanguageModelSettings | None:
        """The server that it asks; None for none."""
        return None

    @classmethod
    def for_timing(cls, settings: Any) -> Any:
        """Its settings in a plan that is only performed to be timed, so that it costs nothing."""
        return settings

    @classmethod
    def stored(cls, values: Mapping[str, Any], now: Mapping[str, Any]) -> Any:
        """Its settings, as they were stored as JSON. Args: now: what the project says of the stage by now, if it does:
        keys that change no answer, and so were not stored.
        """
        return cls.Settings.model_validate(values)

    @classmethod
    def keep(cls, settings: Any, lesson: Lesson, source: Path | None, folder: Path) -> None:
        """Put what opening needs into `folder`, two folders below the cascade's, which has its view already.

        Args: source: the local folder of its `place`, where there is one. Raises: UserError where the stage cannot be
            asked.
        """

    def ask(self, rows: Sequence[Row], texts: Sequence[str]) -> Answers:
        """Its answers on N ≥ 1 rows. Args: texts: what the view reads of each, as one text, never empty.

        Raises: UserError where it cannot be asked.
        """
        raise NotImplementedError


def stage_class(name: str) -> type[Stage]:
    """The stage of this name, or the user's own as `module:Class`. Raises: UserError as `sibling`."""
    return sibling(stages, Stage, name, "stage")


def unnamed(key: str, kind: str, what: str) -> UserError:
    """The error of a stage whose model, or other `kind` of thing, nobody named. Args: what: there is to name."""
    return UserError(f"no {kind} is named", where=key, found="null", do=f"name {what}, or leave the stage out")
