"""Whether a bundle's model tells the positive class alone from the rest, by its `postprocessing.json`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from distill.core.label_space import LabelSpace
from distill.evaluation.positive_alone import PositiveAlone
from distill.training.fit_objectives.one_vs_rest import OneVsRest


def positive_alone(after: Mapping[str, Any]) -> str | None:
    """The positive class where it was learnt against all others; None for a model that tells all classes apart."""
    return str(after["positive"]) if after.get("objective") == OneVsRest.name() else None


def judged(space: LabelSpace, positive: str | None) -> LabelSpace:
    """The classes as a model's probabilities are judged by them. Args: positive: of `positive_alone`."""
    return space if positive is None else replace(space, objective=PositiveAlone(space.labels.index(positive)))
