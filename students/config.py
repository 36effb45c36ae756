"""What makes a student: which layers it keeps, where it starts, what it reads, what it learns from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, NonNegativeInt, PositiveInt, model_validator

from distill.core.config import Config
from distill.core.schedule import is_schedule
from distill.models.config import FreshEncoder, HeadConfig, VocabularyConfig
from distill.training.config import TrainingConfig
from distill.training.learning import ALL, SHORT, LearningConfig, Models, RowNames
from distill.training.losses.registry import gold_alone

_CEILING_STEPS = 30_000


def _with_own_defaults(training: object) -> object:
    """What a mapping leaves out as students have it."""
    return {"ceiling_steps": _CEILING_STEPS, **training} if isinstance(training, Mapping) else training


class StudentEntry(Config):
    """What every student of a project has, whatever its family."""

    preset: str = Field(description="the preset that the other values start from")
    family: str = Field("encoder", description="kind of model: encoder, tfidf, or module:Class of your own")
    view: str = Field("card", description="the view it reads")
    learns_from: Models | None = Field(
        None, description="models whose soft labels it learns, in equal parts; null: those that `labels` chooses"
    )
    rows: RowNames = Field([ALL], description="rows whose labels it learns: all, pool, train, or names of pool sources")
    allow_missing: bool = Field(
        False, description="learn from the rows that have soft labels where a store misses some; false: an error"
    )

    def fit_settings(self) -> dict[str, Any]:
        """The settings that its weights depend on, as far as they differ from their defaults."""
        return self.as_fingerprint("preset", "view", "learns_from", "rows")

    def on_gold_alone(self) -> Self:
        """The entry of its twin, which learns gold labels alone, on all training rows."""
        return self.model_copy(update={"rows": [ALL], "allow_missing": False})


class TrainedEntry(LearningConfig, StudentEntry):
    """A student that a training run makes: where it starts, what it learns, how."""

    init: Literal["teacher", "pretrained"] = Field(
        "teacher", description="start from the fine-tuned teacher, or from the checkpoint that it started from"
    )
    source: str | None = Field(
        None, description="model whose weights it starts from; null: the better of the teachers that label"
    )
    start: str | None = Field(
        None, description="folder or hub id of an encoder of its own, with its tokenizer and width; null: of its source"
    )
    fresh: FreshEncoder | None = Field(None, description="architecture of random weights of its own; null: no")
    vocabulary: VocabularyConfig | None = Field(
        None, description="cut the vocabulary of what it starts from to the tokens of the texts; null: as it is"
    )
    training: Annotated[TrainingConfig, BeforeValidator(_with_own_defaults)] = Field(
        TrainingConfig(ceiling_steps=_CEILING_STEPS),
        description="as for teachers, with 30,000 steps at most: a student reads the pool too",
    )

    @model_validator(mode="after")
    def _starts_once(self) -> TrainedEntry:
        own = [name for name in ("start", "fresh") if getattr(self, name) is not None]
        if len(own) == 2:
            raise ValueError("fresh: start names an encoder of its own already; remove one of the two")
        if own and self.source is not None:
            raise ValueError(f"source: the student has a start of its own, by {own[0]}; remove one of the two")
        if own and self.init == "pretrained":
            raise ValueError(f"init: the student has a start of its own, by {own[0]}; remove one of the two")
        if self.fresh is not None and self.vocabulary is not None:
            raise ValueError("vocabulary: random weights have one that is learnt from the texts; remove it")
        return self

    @property
    def has_own_start(self) -> bool:
        """Whether it starts from an encoder that no teacher of the run has anything to do with."""
        return self.start is not None or self.fresh is not None

    @property
    def checkpoint(self) -> str | None:
        """The encoder of its own; None: random weights."""
        return self.start

    @property
    def architecture(self) -> FreshEncoder:
        """What is built of random weights."""
        return self.fresh or FreshEncoder()

    def fit_settings(self) -> dict[str, Any]:
        """The settings that its weights depend on; the weights that it starts from are an artifact of their own."""
        elsewhere = ("source", "init", "start", "fresh", "vocabulary")
        return self.as_fingerprint("preset", "view", "learns_from", "rows", *elsewhere)

    def on_gold_alone(self) -> Self:
        """The entry of its twin: the same start, view and recipe, gold labels alone, until it has converged.

        A twin that answers alike for all rows is a weak baseline, no reason to end the run.
        """
        ends = {"epochs": None, "max_steps": None, "early_stopping": None, "checkpoint": "best", "may_collapse": True}
        plain = {name: TrainedEntry.model_fields[name].default for name in SHORT}
        training = self.training.model_copy(update=ends)
        return super().on_gold_alone().model_copy(update={**plain, "losses": gold_alone(), "training": training})


class StudentConfig(TrainedEntry):
    """A student of the family `encoder`: some layers of its source."""

    layers: PositiveInt | None = Field(None, description="layers kept of the source; null: all, or those of `keep`")
    keep: Literal["spread", "first", "last", "probe"] | Annotated[list[NonNegativeInt], Field(min_length=1)] = Field(
        description="which: spread evenly, first, last, those whose removal costs most (probe), or their numbers"
    )
    head: HeadConfig | None = Field(
        None, description="a fresh head with a hidden layer; null: the head of what it starts from"
    )
    token_schedule: list[PositiveInt] | None = Field(
        None, description="for each layer how many neighbouring tokens it reads as one, as [1, 1, 2, 4]; null: one"
    )

    @model_validator(mode="before")
    @classmethod
    def _counted(cls, values: object) -> object:
        """`layers` of the layers that `keep` lists, where it is not given."""
        if isinstance(values, Mapping) and isinstance(values.get("keep"), list) and values.get("layers") is None:
            return {**values, "layers": len(values["keep"]) or None}
        return values

    @model_validator(mode="after")
    def _layers_in_order(self) -> StudentConfig:
        if isinstance(self.keep, str):
            if self.keep != "spread" and self.layers is None:
                raise ValueError("keep: says which layers are kept; write how many (layers)")
            return self
        if self.keep != sorted(set(self.keep)):
            raise ValueError(f"keep: layers are numbered from 0 and listed once, in their order (found {self.keep})")
        if len(self.keep) != self.layers:
            raise ValueError(f"keep: {len(self.keep)} layers are listed, and layers is {self.layers}; make them equal")
        return self

    @model_validator(mode="after")
    def _terms_name_its_layers(self) -> StudentConfig:
        for name, term in self.terms.items():
            if self.layers is not None and (problem := term.beyond(self.layers)):
                raise ValueError(f"losses.{name}.{problem}")
        return self

    @model_validator(mode="after")
    def _schedule_fits_the_layers(self) -> StudentConfig:
        if self.token_schedule is None:
            return self
        if self.layers is None:
            raise ValueError("token_schedule: it has a number for each layer; write how many layers there are")
        if len(self.token_schedule) != self.layers:
            raise ValueError(f"token_schedule: {len(self.token_schedule)} numbers for {self.layers} layers")
        if not is_schedule(self.token_schedule):
            raise ValueError(f"token_schedule: each has to be a multiple of the one before: {self.token_schedule}")
        return self

    @property
    def least_layers(self) -> int:
        """How many layers its source must have."""
        return self.layers or 1 if isinstance(self.keep, str) else self.keep[-1] + 1
