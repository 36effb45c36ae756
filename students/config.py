"""What makes a student: which layers it keeps, where it starts, what it reads, what it learns from."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt

from distill.core.config import Config
from distill.training.config import TrainingConfig


class StudentConfig(Config):
    """One student of a project."""

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
    temperature: PositiveFloat = Field(2.0, description="T of the soft cross-entropy; larger is softer")
    alpha: NonNegativeFloat = Field(0.5, description="weight of the hard cross-entropy on rows with gold")
    training: TrainingConfig = Field(default_factory=TrainingConfig)
