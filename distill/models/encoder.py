"""Encoders with a classification head, of any family that transformers' sequence classification knows."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distill.core.errors import UserError
from distill.core.objectives.objective import Objective
from distill.core.objectives.single_label import SINGLE

if TYPE_CHECKING:
    from torch import nn
    from transformers import PreTrainedModel


def load_classifier(
    folder: Path, labels: Sequence[str] | None = None, objective: Objective = SINGLE, *, attention: str | None = None
) -> PreTrainedModel:
    """The encoder in `folder` with a head over `labels`, float32, in evaluation mode.

    The checkpoint's own head is kept when it has as many outputs; otherwise a fresh one is drawn from torch's global
    generator, so seed it before. Weights come from safetensors only, and no code of the checkpoint runs.

    Args: labels: class names in order; None keeps the checkpoint's names. objective: what the head is for.
        attention: `sdpa`, `eager` (plain operators, which ONNX Runtime's fusions recognise), or None for the fastest
        that the family has.
    Raises: UserError when transformers does not know the family, when weights of the encoder are missing or of
        another shape, or when the checkpoint's classes are these labels in another order.
    """
    import torch
    from transformers import AutoModelForSequenceClassification

    config = _config(folder)
    if labels is not None:
        _name_outputs(config, list(objective.outputs(labels)), objective, folder)
    with quiet():
        try:
            model, info = AutoModelForSequenceClassification.from_pretrained(
                folder,
                config=config,
                dtype=torch.float32,
                attn_implementation=attention,
                ignore_mismatched_sizes=True,
                use_safetensors=True,
                local_files_only=True,
                trust_remote_code=False,
                output_loading_info=True,
            )
        except Exception as error:
            raise UserError("cannot load the model", where=str(folder), found=_first_line(error)) from error
    _require_encoder_weights(model, info, folder)
    return model.eval()


def labels_of(model: PreTrainedModel) -> list[str]:
    """Class names in the order of the logits."""
    return _stored_labels(model.config)


def layer_stack(model: PreTrainedModel) -> nn.ModuleList:
    """The transformer layers: the largest `ModuleList` whose length is the config's number of layers.

    Raises: UserError when there is none, as in families whose layers share their weights (ALBERT).
    """
    from torch import nn

    depth = model.config.num_hidden_layers
    stacks = [module for module in model.modules() if isinstance(module, nn.ModuleList) and len(module) == depth]
    if not stacks:
        raise UserError(
            "the encoder has no stack of layers to choose from",
            found=f"model_type '{model.config.model_type}' with {depth} layers",
            do="take an encoder whose layers have weights of their own (BERT, RoBERTa, DeBERTa, ModernBERT, …)",
        )
    return max(stacks, key=lambda stack: sum(weight.numel() for weight in stack.parameters()))


def input_names(model: PreTrainedModel) -> list[str]:
    """Inputs that the forward pass uses, among `input_ids`, `attention_mask` and `token_type_ids`.

    Token types are left out where the family takes none or knows only one (RoBERTa), where 1 would be out of range.
    """
    accepted = inspect.signature(model.forward).parameters
    names = [name for name in ("input_ids", "attention_mask", "token_type_ids") if name in accepted]
    if getattr(model.config, "type_vocab_size", 2) < 2 and "token_type_ids" in names:
        names.remove("token_type_ids")
    return names


def position_limit(model: PreTrainedModel) -> int | None:
    """Most tokens that the position embeddings can number, special ones included; None where there are none."""
    from torch import nn

    for name, module in model.named_modules():
        if name.endswith("position_embeddings") and isinstance(module, nn.Embedding):
            # RoBERTa numbers positions from padding_idx + 1 on.
            offset = 0 if module.padding_idx is None else module.padding_idx + 1
            return module.num_embeddings - offset
    return None


@contextmanager
def quiet() -> Iterator[None]:
    """Silence transformers' load reports and weight progress bars inside the block."""
    from transformers.utils import logging

    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()


def _config(folder: Path) -> Any:
    from transformers import AutoConfig, AutoModelForSequenceClassification

    try:
        config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except Exception as error:
        raise UserError("cannot read the model's config", where=str(folder), found=_first_line(error)) from error
    if type(config) not in AutoModelForSequenceClassification._model_mapping:
        raise UserError(
            "this family has no sequence classification in transformers",
            where=str(folder / "config.json"),
            found=f"model_type '{config.model_type}'",
            do="take an encoder that AutoModelForSequenceClassification loads",
        )
    return config


def _stored_labels(config: Any) -> list[str]:
    return [config.id2label[index] for index in range(len(config.id2label))]


def _name_outputs(config: Any, labels: list[str], objective: Objective, folder: Path) -> None:
    stored = _stored_labels(config)
    if stored != labels and sorted(stored) == sorted(labels):
        raise UserError(
            "the checkpoint's classes are in another order",
            where=str(folder / "config.json"),
            found=f"{stored}, the task has {labels}",
            do="write task.labels in the checkpoint's order",
        )
    config.id2label = dict(enumerate(labels))
    config.label2id = {name: index for index, name in enumerate(labels)}
    config.problem_type = objective.problem_type


def _require_encoder_weights(model: PreTrainedModel, info: dict[str, Any], folder: Path) -> None:
    """Refuse a checkpoint whose encoder would be filled with random weights; a pooler or head may be fresh."""
    absent = [*info["missing_keys"], *(key for key, *_ in info["mismatched_keys"])]
    inside = f"{model.base_model_prefix}."
    lost = sorted(key for key in absent if key.startswith(inside) and ".pooler." not in key)
    if lost:
        raise UserError(
            "the checkpoint lacks weights of its encoder",
            where=str(folder),
            found=f"{len(lost)} missing or of another shape, first {lost[0]}",
            do="restore the weights that belong to config.json",
        )


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__
