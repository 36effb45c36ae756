"""The least figures of a class that a project asks for."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, model_validator

from distill.core.config import Config
from distill.core.config_values import Share


class ClassFloor(Config):
    """What a class must reach on all test rows, by the lower bounds of the intervals."""

    f1: Share | None = Field(None, description="least F1 of the class; null: none is asked for")
    precision: Share | None = Field(None, description="least precision of the class; null: none is asked for")
    recall: Share | None = Field(None, description="least recall of the class; null: none is asked for")

    @model_validator(mode="after")
    def _asks_for_something(self) -> ClassFloor:
        if not self.asked:
            raise ValueError("asks for nothing; give f1, precision or recall")
        return self

    @property
    def asked(self) -> dict[str, float]:
        """What is asked for, by figure."""
        figures = {"f1": self.f1, "precision": self.precision, "recall": self.recall}
        return {name: least for name, least in figures.items() if least is not None}


def _of_f1(value: Any) -> Any:
    return value if isinstance(value, dict | ClassFloor) else {"f1": value}


Floor = Annotated[ClassFloor, BeforeValidator(_of_f1)]
"""A floor as users write it: a number is one of F1."""
