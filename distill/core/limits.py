"""How far an exported file may change its model's answers: what an export target declares of its files."""

from __future__ import annotations

from pydantic import Field

from distill.core.config import Config
from distill.core.config_values import Share


class Limits(Config):
    """Largest changes by a file, on validation rows that nothing of it was chosen on; null: not asked by the target.

    The project's gates hold besides: where both name a figure, the smaller one counts.
    """

    flips: Share | None = Field(None, description="share of records whose label changes")
    shift_max: Share | None = Field(None, description="largest change of a probability, after the temperature")
    decisions: Share | None = Field(
        None, description="share of records decided otherwise at an operating point of any class; one is no evidence"
    )
    class_f1: Share | None = Field(None, description="most F1 that a class loses; one record more or less is no loss")
