"""A classification head with a hidden layer, on any encoder whose head is made of linear layers.

Such a model is its family's with another head. It has a `model_type` of its own, `distill_headed_bert`, so that
transformers by itself refuses the folder; as a plain BERT it would be given a head of random weights without an error.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from distill.core.errors import UserError

if TYPE_CHECKING:
    from torch import nn
    from transformers import PreTrainedModel

    from distill.models.config import HeadConfig

PREFIX = "distill_headed_"


def model_type_of(config: Any) -> str:
    """The `model_type` of a config's family, whichever head its model has."""
    return str(config.model_type).removeprefix(PREFIX)


def set_head(model: PreTrainedModel, head: HeadConfig) -> None:
    """Give a loaded classifier a head with a hidden layer, in place; its weights come from torch's global generator.

    Where the model has such a head of this size already, it stays, with this dropout.

    Raises: UserError for a family whose head is not made of one or two linear layers.
    """
    config: Any = model.config
    had = str(config.model_type).startswith(PREFIX)
    if had and config.head_hidden == head.hidden:
        config.head_dropout = head.dropout
        _set_dropout(model, head.dropout)
        return
    if not had:
        # In place: encoder and classifier share one config object, and stay as they were loaded otherwise.
        own: tuple[Any, Any] = (type(config), type(model))
        config_class, model_class = classes(*own)
        config.__class__, model.__class__ = config_class, model_class
    config.head_hidden, config.head_dropout = head.hidden, head.dropout
    for module in _build(model):
        model._init_weights(module)
        module.to(model.device)  # where weights of 4 bits already are, which no Trainer moves


@cache
def classes(config_class: type, model_class: type) -> tuple[type, type]:
    """The classes of a family's config and classifier with such a head, made known to transformers' Auto classes."""
    from transformers import MODEL_MAPPING, AutoConfig, AutoModelForSequenceClassification

    fields = {"model_type": f"{PREFIX}{config_class.model_type}", "head_hidden": 256, "head_dropout": 0.1}  # type: ignore[attr-defined]
    own = type(
        f"Headed{config_class.__name__}",
        (config_class,),
        {**fields, "__annotations__": {"head_hidden": int, "head_dropout": float}, "__module__": __name__},
    )

    def make(self: Any, config: Any, *arguments: Any, **options: Any) -> None:
        model_class.__init__(self, config, *arguments, **options)  # type: ignore[misc]
        _build(self)
        self.post_init()

    headed = type(
        f"Headed{model_class.__name__}",
        (model_class,),
        {"config_class": own, "__init__": make, "__module__": __name__},
    )
    AutoConfig.register(own.model_type, own, exist_ok=True)  # type: ignore[attr-defined]
    AutoModelForSequenceClassification.register(own, headed, exist_ok=True)
    MODEL_MAPPING.register(own, MODEL_MAPPING[config_class], exist_ok=True)  # decoders build their inner model by it
    return own, headed


def register_headed(model_type: str) -> None:
    """Make a stored `model_type` known to transformers, where it is one of a model with such a head."""
    from transformers import CONFIG_MAPPING, AutoModelForSequenceClassification

    family = model_type.removeprefix(PREFIX)
    if family == model_type or family not in CONFIG_MAPPING:
        return
    config_class: Any = CONFIG_MAPPING[family]
    if config_class in AutoModelForSequenceClassification._model_mapping:
        classes(config_class, AutoModelForSequenceClassification._model_mapping[config_class])


def _build(model: Any) -> list[nn.Linear]:
    """Put a head of the config's sizes in the place of the model's; returns its linear layers.

    Raises: UserError as `set_head`.
    """
    from torch import nn

    from distill.models.small.head import Head

    config, found = model.config, _linear_parts(model)
    hidden, outputs = config.head_hidden, config.num_labels
    if len(found) == 1:
        ((name, last),) = found.items()
        head = Head(_features(last), hidden, outputs, config.head_dropout)
        model.set_submodule(name, head)
        return [layer for layer in head if isinstance(layer, nn.Linear)]
    if len(found) == 2 and not _has_other_weights(model, found):
        (first, one), (last_name, _) = found.items()
        made = {first: nn.Linear(_features(one), hidden), last_name: nn.Linear(hidden, outputs)}
        for name, layer in made.items():
            model.set_submodule(name, layer)
        _set_dropout(model, config.head_dropout)
        return list(made.values())
    raise UserError(
        "this family's head cannot be given a hidden layer",
        where="head",
        found=f"model_type '{model_type_of(config)}', linear layers {', '.join(found) or 'none'}",
        do="leave head out: the family has a head of its own",
    )


def _linear_parts(model: Any) -> dict[str, Any]:
    """The linear layers of a model's head by name, in their order; a `Head` counts as one."""
    from torch import nn

    from distill.models.small.head import Head

    inner = {id(module) for module in model.base_model.modules()}
    heads = [name for name, module in model.named_modules() if isinstance(module, Head)]
    found = {
        name: module
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear) and id(module) not in inner and name.rpartition(".")[0] not in heads
    }
    return found | {name: model.get_submodule(name) for name in heads}


def _features(layer: Any) -> int:
    """Width of what a linear layer or a `Head` reads."""
    features: int = getattr(layer, "in_features", 0) or layer[0].in_features
    return features


def _has_other_weights(model: Any, parts: dict[str, Any]) -> bool:
    """Whether a head has weights beside its linear layers, as a norm between them has, whose width is fixed."""
    inner = {id(weight) for weight in model.base_model.parameters()}
    inner |= {id(weight) for part in parts.values() for weight in part.parameters()}
    return any(id(weight) not in inner for weight in model.parameters())


def _set_dropout(model: Any, rate: float) -> None:
    from distill.models.head import head_dropouts

    for layer in head_dropouts(model):
        layer.p = rate
