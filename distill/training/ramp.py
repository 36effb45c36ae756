"""A setting of the loss that changes while a model is trained: a weight or a temperature as a function of the step."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Discriminator, Field, NonNegativeFloat, PositiveFloat, PositiveInt, Tag, model_validator

from distill.core.config import Config


class Ramp(Config):
    """From `start` to `end` over the first `steps` optimiser steps, and `end` from then on.

    Counted in steps, because a run without a fixed length does not know its end. With x = min(1, t / steps):
    linear: start + (end − start)·x;  cosine: start + (end − start)·(1 − cos πx) / 2.
    """

    start: NonNegativeFloat = Field(description="the value at the first step")
    end: NonNegativeFloat = Field(description="the value from step `steps` on")
    steps: PositiveInt = Field(description="optimiser steps from start to end")
    shape: Literal["linear", "cosine"] = Field("linear", description="cosine: slow at both ends")

    @model_validator(mode="after")
    def _moves(self) -> Ramp:
        if self.start == self.end:
            raise ValueError(f"end: equals start, {self.start:g}; give the number alone")
        return self

    def at(self, step: int) -> float:
        """The value for the optimiser step after `step` steps."""
        done = min(1.0, step / self.steps)
        part = (1 - math.cos(math.pi * done)) / 2 if self.shape == "cosine" else done
        return self.start + (self.end - self.start) * part


class PositiveRamp(Ramp):
    """A ramp of a number that is never 0, as a temperature."""

    start: PositiveFloat = Field(description="the value at the first step")
    end: PositiveFloat = Field(description="the value from step `steps` on")


def _branch(value: object) -> str:
    return "[ramp]" if isinstance(value, Mapping | Ramp) else "[number]"


# In brackets, which messages about configs leave out.
_NUMBER, _RAMP, _EITHER = Tag("[number]"), Tag("[ramp]"), Discriminator(_branch)

Weight = Annotated[Annotated[NonNegativeFloat, _NUMBER] | Annotated[Ramp, _RAMP], _EITHER]
Temperature = Annotated[Annotated[PositiveFloat, _NUMBER] | Annotated[PositiveRamp, _RAMP], _EITHER]


def fixed(value: float | Ramp) -> float:
    """A value that is a number at this step: `Term.at` has put it in place of a ramp."""
    assert not isinstance(value, Ramp), "a ramp has a value at a step only"
    return value
