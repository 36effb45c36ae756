"""What makes a student: which layers it keeps, where it starts, what it reads, what it learns from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, NonNegativeFloat, PositiveFloat, PositiveInt, model_validator

from distill.core.config import Config
from distill.training.config import TrainingConfig
from distill.training.losses.registry import Losses, parse_terms

_SHORT = ("temperature", "alpha")
_CEILING_STEPS = 30_000


def _with_own_defaults(training: object) -> object:
    """What a mapping leaves out as students have it."""
    return {"ceiling_steps": _CEILING_STEPS, **training} if isinstance(training, Mapping) else training


class StudentConfig(Config):
    """One student of a project.

    What it learns from is named by `losses`, or by its short forms `temperature` and `alpha`, which mean
    `losses: {soft_cross_entropy: {temperature: …}, gold: {weight: …}}`.
    """

    preset: str = Field(description="the preset that the other values start from")
    view: str = Field("card", description="the view it reads")
    layers: PositiveInt = Field(description="layers kept of the source")
    keep: Literal["spread", "first"] = Field(description="spread: evenly over the source; first: the source truncated")
    init: Literal["teacher", "pretrained"] = Field(
        "teacher", description="start from the fine-tuned teacher, or from the checkpoint that it started from"
    )
    source: str | None = Field(
        None, description="teacher whose layers it takes; null: the better of those that it learns from"
    )
    losses: Losses | None = Field(None, description="terms of the loss by name, each with its settings")
    temperature: PositiveFloat = Field(2.0, description="T of the soft cross-entropy; larger is softer")
    alpha: NonNegativeFloat = Field(0.5, description="weight of the hard cross-entropy on rows with gold")
    training: Annotated[TrainingConfig, BeforeValidator(_with_own_defaults)] = Field(
        TrainingConfig(ceiling_steps=_CEILING_STEPS),
        description="as for teachers, with 30,000 steps at most: a student reads the pool too",
    )

    @model_validator(mode="after")
    def _losses_in_one_way(self) -> StudentConfig:
        short = [name for name in _SHORT if name in self.model_fields_set]
        if self.losses is not None and short:
            raise ValueError(f"losses: {' and '.join(short)} would say it a second time; give one of the two ways")
        if not any(term.weight for term in self.terms.values()):
            raise ValueError("losses: at least one term with a weight above 0 is needed")
        return self

    @property
    def terms(self) -> Losses:
        """The terms of the loss by name, whichever way they are given."""
        if self.losses is not None:
            return self.losses
        return parse_terms({"soft_cross_entropy": {"temperature": self.temperature}, "gold": {"weight": self.alpha}})

    def as_json(self) -> dict[str, Any]:
        """All fields as JSON values, of the two ways to name the losses only the one that is used."""
        unused = _SHORT if self.losses is not None else ("losses",)
        return {name: value for name, value in super().as_json().items() if name not in unused}
