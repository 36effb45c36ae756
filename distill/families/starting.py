"""The model that a lesson starts from: its source, by way of the students between them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from distill.core.errors import UserError
from distill.families.family import Lesson

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def source_model(lesson: Lesson) -> PreTrainedModel:
    """The model that a lesson starts from, cut as each student cuts that comes between. Raises: UserError when it
    cannot be loaded, or has too few layers for one of them.
    """
    from distill.models.encoder import load_classifier

    assert lesson.source is not None
    model = load_classifier(lesson.source, lesson.space.labels, lesson.space.objective)
    for config in lesson.through:
        cut(model, config)
    return model


def cut(model: PreTrainedModel, config: Any) -> None:
    """Keep the layers that an entry keeps, under its token schedule, or all where it names none; embeddings, pooler and
    head come along.

    Raises: UserError when there are fewer.
    """
    from distill.models.encoder import layer_stack
    from distill.models.layer_map import RULES
    from distill.models.token_schedule import set_schedule
    from distill.models.truncation import keep_layers

    if config.layers is None:
        return
    available = len(layer_stack(model))
    if config.layers > available:
        raise UserError(
            "the student has more layers than its source",
            where=f"students.{config.preset}.layers",
            found=f"{config.layers} of {available}",
            do=f"choose a student with at most {available} layers (--student), or a deeper teacher",
        )
    keep_layers(model, RULES[config.keep](available, config.layers))
    set_schedule(model, config.token_schedule)
