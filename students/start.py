"""The model that a student starts from: some layers of its source."""

from __future__ import annotations

from pathlib import Path

from transformers import PreTrainedModel

from distill.core.errors import UserError
from distill.core.label_space import LabelSpace
from distill.models.encoder import layer_stack, load_classifier
from distill.models.layer_map import evenly_spread, first
from distill.models.truncation import keep_layers
from students.config import StudentConfig

_CHOICES = {"spread": evenly_spread, "first": first}


def start(config: StudentConfig, space: LabelSpace, source: Path) -> PreTrainedModel:
    """The source with the student's layers only; embeddings, pooler and head come along.

    Raises: UserError when the source has fewer layers than the student keeps.
    """
    model = load_classifier(source, space.labels, space.kind)
    available = len(layer_stack(model))
    if config.layers > available:
        raise UserError(
            "the student has more layers than its source",
            where=f"students.{config.preset}.layers",
            found=f"{config.layers} of {available}",
            do=f"choose a student with at most {available} layers (--student), or a deeper teacher",
        )
    keep_layers(model, _CHOICES[config.keep](available, config.layers))
    return model
