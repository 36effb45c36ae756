"""What a model learns besides gold: the labels of which rows, by which terms of the loss; the same for every role."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, model_validator

from distill.core.config import Config
from distill.training.losses.registry import Losses, parse_terms
from distill.training.ramp import Temperature, Weight

ALL, POOL, TRAIN = "all", "pool", "train"
SHORT = ("temperature", "alpha")


def _listed(names: object) -> object:
    """A single name as a list of one."""
    return [names] if isinstance(names, str) else names


Models = Annotated[list[str], Field(min_length=1)]
RowNames = Annotated[list[str], BeforeValidator(_listed), Field(min_length=1)]


class LearningConfig(Config):
    """The terms of a loss, named by `losses` or by its short forms `temperature` and `alpha`, which mean
    `losses: {soft_cross_entropy: {temperature: …}, gold: {weight: …}}`.
    """

    losses: Losses | None = Field(None, description="terms of the loss by name, each with its settings")
    temperature: Temperature = Field(2.0, description="T of the soft cross-entropy, or a ramp; larger is softer")
    alpha: Weight = Field(0.5, description="weight of the hard cross-entropy on rows with gold, or a ramp")

    @model_validator(mode="after")
    def _losses_in_one_way(self) -> LearningConfig:
        short = [name for name in SHORT if name in self.model_fields_set]
        if self.losses is not None and short:
            raise ValueError(f"losses: {' and '.join(short)} would say it a second time; give one of the two ways")
        if not any(term.counts for term in self.terms.values()):
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
        unused = SHORT if self.losses is not None else ("losses",)
        return {name: value for name, value in super().as_json().items() if name not in unused}
