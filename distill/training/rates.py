"""Learning rates that differ over the depth of a model, and how they come down over a run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn
from transformers import PreTrainedModel

from distill.models.encoder import layer_stack
from distill.training.config import TrainingConfig


def rate_factors(model: nn.Module, encoder: PreTrainedModel, config: TrainingConfig) -> dict[int, float]:
    """What multiplies the learning rate of each parameter, by its identity; 1 for those that are left out.

    Layer l of L has d^(L−l) with d = `layer_decay`; what the first layer reads (embeddings, with their norm and
    projection) is below it, d^L; what comes after the last layer (pooler, last norm) has 1, the head `head_rate`.

    Args: model: all that is trained; encoder: the transformer in it, or the whole classifier.
    Raises: UserError for `layer_decay` of an encoder without one stack of layers.
    Source: Howard and Ruder 2018, arXiv:1801.06146, section 3.2, discriminative fine-tuning; in this form Clark et al.
        2020, arXiv:2003.10555, appendix A.
    """
    factors: dict[int, float] = {}
    base = encoder.base_model
    if config.head_rate != 1:
        inner = {id(weight) for weight in base.parameters()}
        factors |= {id(weight): config.head_rate for weight in model.parameters() if id(weight) not in inner}
    if config.layer_decay != 1:
        stack, decay = layer_stack(encoder), config.layer_decay
        factors |= dict.fromkeys(_below(base, stack), decay ** len(stack))
        for number, layer in enumerate(stack, 1):
            factors |= {id(weight): decay ** (len(stack) - number) for weight in layer.parameters()}
    return factors


def set_rates(optimiser: torch.optim.Optimizer, factors: Mapping[int, float], rate: float) -> None:
    """Move the weights of each factor into groups of their own, at so many times `rate`; what has none stays."""
    for group in list(optimiser.param_groups):
        parts: dict[float, list[nn.Parameter]] = {}
        for weight in group["params"]:
            parts.setdefault(factors.get(id(weight), 1.0), []).append(weight)
        group["params"] = parts.pop(1.0, [])
        for factor, weights in sorted(parts.items()):
            optimiser.add_param_group({**group, "params": weights, "lr": rate * factor})


def decay(schedule: str, final: float) -> tuple[str, dict[str, Any]]:
    """The library's name of a schedule that comes down to the rate `final`, and its settings.

    Linear: r(t) = final + (r − final)·(1 − t/T) after warm-up; cosine the same along half a cosine. Groups with a rate
    of their own come down by the same share.
    """
    if not final:
        return schedule, {}
    return {
        "linear": ("polynomial", {"lr_end": final, "power": 1.0}),
        "cosine": ("cosine_with_min_lr", {"min_lr": final}),
    }[schedule]


def _below(base: nn.Module, stack: nn.Module) -> set[int]:
    """What comes before the layers, and tables that they share (relative positions), wherever these are kept."""
    inside = {id(weight) for weight in stack.parameters()}
    found, before = set(), True
    for module in base.modules():
        before = before and module is not stack
        if before or isinstance(module, nn.Embedding):
            found |= {id(weight) for weight in module.parameters(recurse=False)}
    return found - inside
