"""Low-rank adapters: put beside an encoder's weights before a fit, merged into them after it."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import PreTrainedModel

from distill.core.errors import MissingExtra, UserError, nearest
from distill.models.encoder import layer_stack
from distill.models.two_layer_head import model_type_of
from distill.training.config import LoraConfig

FOLDER = "adapters"
WEIGHTS = "model.safetensors"
_ADAPTERS = "adapter_model.safetensors"
_FIELD = "training.lora.modules"


class Adapters:
    """The adapters of one model, which train in it, with its head; everything else in it stays as it is.

    Args: model: a classifier, changed in place: its state dict has other keys until the adapters are merged.
    Raises: MissingExtra without peft; UserError for layers that the model has not.
    """

    def __init__(self, model: PreTrainedModel, config: LoraConfig) -> None:
        try:
            import peft
        except ImportError:
            raise MissingExtra("training with low-rank adapters (lora)", "llm") from None
        chosen = adapted_layers(model, config)
        fresh = [name for name, weight in model.named_parameters() if _is_head(name, model)]
        self._config = peft.LoraConfig(
            r=config.r,
            lora_alpha=config.alpha,  # type: ignore[arg-type]
            lora_dropout=config.dropout,
            target_modules=chosen,
            # GPT-2 keeps the weights of its layers the other way round.
            fan_in_fan_out=any(type(model.get_submodule(name)).__name__ == "Conv1D" for name in chosen),
        )
        with _without_warnings():
            self._model, self._peft = model, peft.get_peft_model(model, self._config)
        model._hf_peft_config_loaded = bool(getattr(model, "is_quantized", False))  # or the Trainer refuses it
        for name in fresh:
            model.get_parameter(name).requires_grad_(True)

    def save(self, folder: Path) -> None:
        """Write the adapters as peft reads them: `adapter_config.json` and safetensors, with the head's weights."""
        from peft import get_peft_model_state_dict

        head = {name: weight for name, weight in self._model.named_parameters() if _is_head(name, self._model)}
        parts = sorted({_part(name, self._model) for name in head})
        folder.mkdir(parents=True, exist_ok=True)
        replace(self._config, modules_to_save=parts, inference_mode=True).save_pretrained(str(folder))
        weights = {f"base_model.model.{name}": weight for name, weight in head.items()}
        weights |= get_peft_model_state_dict(self._peft)
        save_file({name: _stored(weight) for name, weight in weights.items()}, folder / _ADAPTERS)

    def merge(self) -> None:
        """Add what the adapters have learned to the weights and take them out: the model is of its own class again.

        Raises: UserError when a merged weight is not finite.
        """
        try:
            self._peft.merge_and_unload(safe_merge=True)
        except ValueError as error:
            raise UserError(
                "the adapters cannot be merged", found=error, do="lower training.learning_rate or lora.alpha"
            ) from None


@contextmanager
def _without_warnings() -> Iterator[None]:
    """Keep quiet that peft asks transformers for what has another name by now."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        yield


def adapted_layers(model: PreTrainedModel, config: LoraConfig) -> list[str]:
    """The names in `model` of the linear layers that get adapters: those of the encoder that `modules` chooses.

    Raises: UserError for a name that no linear layer has, with those that there are, and for a model without any.
    """
    there = _linear_layers(model)
    known = sorted({name.rpartition(".")[2] for name in there})
    if not known:
        raise _refusal(
            "the encoder has no linear layers for adapters", f"model_type '{model.config.model_type}'", known
        )
    wanted = config.modules
    if wanted == "auto":
        wanted = _of_architecture(model, known)
    if wanted == "all":
        wanted = known
    for name in wanted:
        if name not in known:
            guess = nearest(name, known)
            hint = f"{name}; did you mean '{guess}'?" if guess else name
            raise _refusal("the encoder has no linear layers of this name", hint, known)
    return [name for name in there if name.rpartition(".")[2] in wanted]


def trained(model: nn.Module) -> dict[str, Tensor]:
    """The weights that are trained, by name."""
    return {name: weight.detach() for name, weight in model.named_parameters() if weight.requires_grad}


def save_trained(model: nn.Module, folder: Path) -> None:
    """Write the weights that are trained, and no others, into a checkpoint."""
    folder.mkdir(parents=True, exist_ok=True)
    save_file({name: _stored(weight) for name, weight in trained(model).items()}, folder / WEIGHTS)


def load_trained(model: nn.Module, folder: Path) -> None:
    """Give the model the trained weights of a checkpoint."""
    take_trained(model, load_file(folder / WEIGHTS))


@torch.no_grad()
def take_trained(model: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Give the model these trained weights; it has the same adapters. Raises: ValueError when it has not."""
    own = trained(model)
    if own.keys() != weights.keys():
        raise ValueError(f"trained weights of another model: {sorted(own.keys() ^ weights.keys())[:3]}")
    for name, weight in own.items():
        weight.copy_(weights[name])


def _stored(weight: Tensor) -> Tensor:
    return weight.detach().cpu().contiguous()


def _linear_layers(model: PreTrainedModel) -> list[str]:
    """Names of the linear layers inside the transformer's layers, or, where these are not one list, in the encoder."""
    from transformers.pytorch_utils import Conv1D

    try:
        inside: nn.Module = layer_stack(model)
    except UserError:
        inside = model.base_model
    own = {id(module) for module in inside.modules() if isinstance(module, nn.Linear | Conv1D)}
    return [name for name, module in model.named_modules() if id(module) in own and not _is_head(name, model)]


def _of_architecture(model: PreTrainedModel, known: list[str]) -> list[str]:
    """What peft adapts in this architecture; all linear layers of one that it does not know."""
    from peft.utils.constants import TRANSFORMERS_MODELS_TO_LORA_TARGET_MODULES_MAPPING as TABLE

    names: Any = TABLE.get(model_type_of(model.config))
    return list(names) if isinstance(names, list) and set(names) <= set(known) else known


def _is_head(name: str, model: PreTrainedModel) -> bool:
    """Whether what has this name in a model may be fresh: the head, and the pooler before it."""
    return not name.startswith(f"{model.base_model_prefix}.") or ".pooler" in name


def _part(name: str, model: PreTrainedModel) -> str:
    """The part of the head that has a weight of this name, as peft calls it: `classifier`, `bert.pooler`."""
    return f"{name.partition('.pooler.')[0]}.pooler" if ".pooler." in name else name.partition(".")[0]


def _refusal(what: str, found: object, known: list[str]) -> UserError:
    return UserError(what, where=_FIELD, found=found, do=f"known: {', '.join(known) or 'none'}; auto chooses by itself")
