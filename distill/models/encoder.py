"""Encoders with a classification head, of any family that transformers' sequence classification knows."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distill.core.errors import UserError
from distill.core.objectives.objective import Objective
from distill.core.objectives.single_label import SINGLE
from distill.models.encoder_config import first_line, name_outputs, read_config, require_labels
from distill.models.quiet_transformers import quiet_transformers

if TYPE_CHECKING:
    from torch import nn
    from transformers import PreTrainedModel


def load_classifier(
    folder: Path,
    labels: Sequence[str] | None = None,
    objective: Objective = SINGLE,
    *,
    attention: str | None = None,
    four_bit: bool = False,
    fresh_head: bool = True,
) -> PreTrainedModel:
    """The encoder in `folder` with a head over `labels`, float32, in evaluation mode.

    The checkpoint's own head is kept when it has as many outputs; otherwise a fresh one is drawn from torch's global
    generator, so seed it before, unless the checkpoint is to be taken as it is. Weights come from safetensors only, and
    no code of the checkpoint runs. Its layers follow the token schedule that its config has.

    Args: labels: class names in order; None keeps the checkpoint's names. objective: what the head is for.
        attention: `sdpa`, `eager` (plain operators, which ONNX Runtime's fusions recognise), or None for the fastest
        that the family has. four_bit: keep the weights of linear layers in 4 bits, by bitsandbytes on a CUDA device.
        fresh_head: whether head and pooler may be fresh; without labels they never are.
    Raises: UserError when transformers does not know the family, when weights of the encoder, or of a head that may not
        be fresh, are missing or of another shape, when the layers are more than the config's, when the checkpoint's
        classes are these labels in another order, or when its names are to be kept and are in no order.
    """
    import torch
    from transformers import AutoModelForSequenceClassification

    from distill.models import token_schedule

    config = read_config(folder)
    if labels is None:
        require_labels(folder)
    else:
        name_outputs(config, list(objective.outputs(labels)), objective, folder)
    with quiet_transformers():
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
                **(_four_bits(config) if four_bit else {}),
            )
        except Exception as error:
            raise UserError("cannot load the model", where=str(folder), found=first_line(error)) from error
    _require_weights(model, info, folder, fresh_head=fresh_head and labels is not None)
    token_schedule.install(model)
    return model.eval()


def labels_of(model: PreTrainedModel) -> list[str]:
    """Class names in the order of the logits."""
    names: Any = model.config.id2label
    return [names[index] for index in range(len(names))]


def layer_stack(model: PreTrainedModel) -> nn.ModuleList:
    """The transformer layers: the `ModuleList` whose length is the config's number of layers.

    Raises: UserError when there is none, as in families whose layers share their weights (ALBERT), or several side by
        side, as in families that keep the parts of their layers apart (XLM, FlauBERT).
    """
    from torch import nn

    depth = model.config.num_hidden_layers
    stacks = {
        name: module
        for name, module in model.named_modules()
        if isinstance(module, nn.ModuleList) and len(module) == depth
    }
    # A layer may have a list of its own with as many parts.
    found = [name for name in stacks if not any(name.startswith(f"{other}.") for other in stacks)]
    if len(found) != 1:
        raise UserError(
            f"the encoder keeps its layers in {len(found)} lists side by side"
            if found
            else "the encoder has no stack of layers to choose from",
            found=f"model_type '{model.config.model_type}' with {depth} layers"
            + "".join(f", {name}" for name in found),
            do="take an encoder whose layers have weights of their own in one list (BERT, RoBERTa, DeBERTa, …)",
        )
    return stacks[found[0]]


def input_names(model: PreTrainedModel) -> list[str]:
    """Inputs that the forward pass uses, among `input_ids`, `attention_mask` and `token_type_ids`.

    Token types are passed where the family has embeddings of at least two segments. RoBERTa has one, so that 1 would be
    out of range; GPT-2, XLM and FlauBERT have none and take segments for words.
    """
    accepted = inspect.signature(model.forward).parameters
    segments = getattr(model.config, "type_vocab_size", 0) if hasattr(type(model.config), "type_vocab_size") else 0
    used = {"input_ids": True, "attention_mask": True, "token_type_ids": segments >= 2}
    return [name for name, wanted in used.items() if wanted and name in accepted]


def position_limit(model: PreTrainedModel) -> int | None:
    """Most tokens that the position embeddings can number, special ones included; None where there are none."""
    from torch import nn

    for name, module in model.named_modules():
        if name.endswith("position_embeddings") and isinstance(module, nn.Embedding):
            # RoBERTa numbers positions from padding_idx + 1 on.
            offset = 0 if module.padding_idx is None else module.padding_idx + 1
            return module.num_embeddings - offset
    return None


def _four_bits(config: Any) -> dict[str, Any]:
    """How transformers is told to keep the encoder's weights in 4 bits; head and pooler, which are trained, stay whole.

    Source: Dettmers et al. 2023, arXiv:2305.14314: 4-bit NormalFloat, quantised constants, products in bf16.
    """
    import torch
    from transformers import AutoModelForSequenceClassification, BitsAndBytesConfig

    classifier: Any = AutoModelForSequenceClassification._model_mapping[type(config)]
    inside = classifier.base_model_prefix
    own = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16,
        llm_int8_skip_modules=[rf"(?!{inside}\.).*", r".*\.pooler"],
    )
    return {"quantization_config": own, "device_map": {"": torch.cuda.current_device()}}


def _require_weights(model: PreTrainedModel, info: dict[str, Any], folder: Path, *, fresh_head: bool) -> None:
    """Refuse a checkpoint that would be filled with random weights, or whose layers would be without some.

    What stands beside the layers may be left out: other heads, a decoder. Args: fresh_head: so may head and pooler.
    """
    absent = [*info["missing_keys"], *(key for key, *_ in info["mismatched_keys"])]
    inside = f"{model.base_model_prefix}."
    if fresh_head:
        absent = [key for key in absent if key.startswith(inside) and ".pooler." not in key]
    if lost := sorted(absent):
        raise UserError(
            f"the checkpoint lacks weights of its {'encoder' if fresh_head else 'classifier'}",
            where=str(folder),
            found=f"{len(lost)} missing or of another shape, first {lost[0]}",
            do="restore the weights that belong to config.json",
        )
    # Constants that older versions of transformers stored, such as GPT-2's masked_bias, are neither.
    layers = tuple(_lists(model))
    extra = sorted(key for key in info["unexpected_keys"] if key.startswith(layers) and _is_weight(key))
    if extra:
        raise UserError(
            "the checkpoint has weights that its encoder's layers have no place for",
            where=str(folder),
            found=f"{len(extra)} left over, first {extra[0]}",
            do="restore the config.json that belongs to the weights, or make the model again",
        )


def _lists(model: PreTrainedModel) -> Iterator[str]:
    """The names of all lists of modules, as layers stand in, in the classifier and in its encoder alone, with a dot."""
    from torch import nn

    for name, module in model.named_modules():
        if isinstance(module, nn.ModuleList):
            yield f"{name}."
            yield f"{name.removeprefix(f'{model.base_model_prefix}.')}."


def _is_weight(key: str) -> bool:
    return key.rpartition(".")[2] in ("weight", "bias")
