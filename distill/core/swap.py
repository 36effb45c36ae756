"""The symmetry of a task that compares: which fields may trade places, and which labels then trade places too."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Annotated

from pydantic import Field, NonNegativeInt, model_validator

from distill.core.config import Config
from distill.core.config_values import Names

FieldPair = Annotated[list[str], Field(min_length=2, max_length=2)]
LabelPair = Annotated[Names, Field(min_length=2, max_length=2)]


class Swap(Config):
    """What `task.swap` declares: a record with these fields exchanged is right with these labels exchanged."""

    fields: Annotated[list[FieldPair], Field(min_length=1)] = Field(description="pairs of fields that may trade places")
    labels: list[LabelPair] = Field(
        default_factory=list, description="pairs of labels that trade places with them; the others stay"
    )
    average: bool = Field(
        True, description="models answer both orders and the mean of the logits counts; false: the order of the record"
    )

    @model_validator(mode="after")
    def _pairs(self) -> Swap:
        for key, pairs in (("fields", self.fields), ("labels", self.labels)):
            named = [name for pair in pairs for name in pair]
            if twice := next((name for name in named if named.count(name) > 1), None):
                raise ValueError(f"{key}: '{twice}' is named twice, so that two exchanges would not undo each other")
        return self

    def unknown_labels(self, labels: Collection[str]) -> list[str]:
        """The labels named here that the task does not have."""
        return [name for pair in self.labels for name in pair if name not in labels]

    def of_view(self, labels: Sequence[str]) -> ViewSwap:
        """What a view carries of it. Args: labels: of the task, in the order of the logits, all that are named here."""
        partner = dict(two for a, b in self.labels for two in ((a, b), (b, a)))
        order = [labels.index(partner.get(label, label)) for label in labels]
        return ViewSwap(fields=self.fields, order=order, average=self.average)


class ViewSwap(Config):
    """The symmetry as models, their folders and bundles know it."""

    fields: list[FieldPair] = Field(description="pairs of fields that trade places")
    order: list[NonNegativeInt] = Field(
        description="for each class the one that takes its place: `logits[:, order]` are those of the record as it was"
    )
    average: bool = Field(True, description="models answer both orders")
