"""The rates of a model's dropout: read and replaced."""

from __future__ import annotations

from torch import nn
from transformers import PreTrainedModel

from distill.models.head import head_dropouts


def set_dropout(model: PreTrainedModel, rate: float | None) -> None:
    """Replace the rate of all dropout layers, and the rates that some attention layers keep as plain numbers."""
    if rate is None:
        return
    for module in model.modules():
        for name in _rates(module):
            setattr(module, name, rate)


def set_head_dropout(model: PreTrainedModel, rate: float | None) -> None:
    """Replace the rate of the head's dropout layers alone. Raises: UserError where the head has none."""
    if rate is None:
        return
    for layer in head_dropouts(model):
        layer.p = rate


def has_dropout(model: PreTrainedModel) -> bool:
    """Whether two passes over a row differ in training; a part that is not trained drops nothing."""
    mode = model.training
    model.train()
    found = any(rate > 0 for one in model.modules() if one.training for rate in _rates(one).values())
    model.train(mode)
    return found


def _rates(module: nn.Module) -> dict[str, float]:
    """The rates that a module keeps itself, by the name of the attribute."""
    if isinstance(module, nn.Dropout):
        return {"p": module.p}
    return {
        name: value for name, value in vars(module).items() if name.endswith("dropout") and isinstance(value, float)
    }
