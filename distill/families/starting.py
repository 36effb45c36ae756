"""The model that a lesson starts from: its source, by way of the students between them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from distill.core.files import Json
from distill.core.model_folder import layer_count
from distill.families.family import Lesson
from distill.models.layer_map import PROBE

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def source_model(lesson: Lesson, *, four_bit: bool = False) -> PreTrainedModel:
    """The model that a lesson starts from, cut as each student cuts that comes between.

    Args: four_bit: keep the weights of its linear layers in 4 bits, on the CUDA device.
    Raises: UserError when it cannot be loaded, or has too few layers for one of them.
    """
    from distill.models.encoder import load_classifier

    assert lesson.source is not None
    model = load_classifier(lesson.source, lesson.space.labels, lesson.space.objective, four_bit=four_bit)
    for config in lesson.through:
        cut(model, config)
    return model


def cut(model: PreTrainedModel, config: Any) -> None:
    """Keep the layers that an entry keeps, or all where it names none; embeddings, pooler and head come along.

    A student reads by its own token schedule; a teacher has none and goes on with that of what it starts from.

    Raises: UserError when there are fewer.
    """
    from distill.models.encoder import layer_stack
    from distill.models.layer_map import kept_layers, require_source
    from distill.models.token_schedule import set_schedule
    from distill.models.truncation import keep_layers

    if config.layers is None:
        return
    available = len(layer_stack(model))
    require_source(f"preset {config.preset}", available, config.layers, config.keep)
    keep_layers(model, kept_layers(available, config.layers, config.keep))
    if hasattr(config, "token_schedule"):
        set_schedule(model, config.token_schedule)


def beginning(lesson: Lesson, config: Any) -> Json:
    """What is written of a start: its folder in the run, and the layers that are kept of it, where some are."""
    from distill.models.layer_map import kept_layers

    assert lesson.source is not None
    found: Json = {"source": f"{lesson.source.parent.name}/{lesson.source.name}"}
    available = layer_count(lesson.source)
    if available is None or getattr(config, "layers", None) is None:
        return found
    kept = list(range(available))
    for one in (*lesson.through, config):
        kept = [kept[index] for index in kept_layers(len(kept), one.layers, one.keep)]
    return {**found, "layers": kept, "of": available, "keep": PROBE if lesson.measured else config.keep}
