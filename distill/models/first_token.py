"""The last layer computed for the first token only: what a classifier reads, at a fraction of the work.

A head over [CLS] looks at one position of the last layer, so queries, attention output and feed-forward of all other
positions are computed for nothing. Keys and values still come from every position: the result is exact. Measured at 8
layers × 768 on CPU: 1.08–1.12 times faster, largest logit difference 7e-8.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from distill.core.errors import UserError
from distill.models import token_schedule
from distill.models.encoder import layer_stack

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_ATTENTION = ("eager", "sdpa")
_OF_ALL_TOKENS = {"key", "value", "k_lin", "v_lin"}


def first_token_only(model: PreTrainedModel) -> bool:
    """Make the last layer compute its first position only, in place; the state dict keeps its keys.

    Supported are families whose layers are BERT's (BERT, RoBERTa, XLM-R, ELECTRA, CamemBERT, …) or DistilBERT's, with
    eager or sdpa attention and a head over the first token. The rewritten model is tried on a small batch; when its
    logits differ, as under a head that averages over tokens, the layer is put back.

    Returns: whether the model now works this way. Hidden states of the last layer are (B, 1, H) from then on.
    """
    if model.config._attn_implementation not in _ATTENTION or model.config.num_hidden_layers < 1:
        return False
    try:
        stack = layer_stack(model)
    except UserError:
        return False
    whole = stack[-1]
    if isinstance(whole, _FirstTokenLayer):
        return True
    rewritten = _rewrite(whole)
    if rewritten is None:
        return False
    before = _probe(model)
    stack[-1] = rewritten.train(whole.training)
    token_schedule.install(model)
    try:
        same = torch.allclose(before, _probe(model), rtol=1e-4, atol=1e-4)
    except Exception:  # a near relative of BERT, or a head that needs all positions, fails in its own way
        same = False
    if not same:
        stack[-1] = whole
        token_schedule.install(model)
    return same


def reading_one_token(layer: nn.Module) -> list[nn.Linear]:
    """The linear layers of a rewritten last layer that read its first position alone; none of any other layer."""
    if not isinstance(layer, _FirstTokenLayer):
        return []
    named = ((name.rpartition(".")[2], module) for name, module in layer.named_modules())
    return [module for name, module in named if isinstance(module, nn.Linear) and name not in _OF_ALL_TOKENS]


class _FirstTokenLayer(nn.Module):
    """A layer that maps hidden states (B, S, H) to (B, 1, H)."""


class _BertLayer(_FirstTokenLayer):
    """BERT's layer; the submodules are those of the layer it replaces, under the same names."""

    def __init__(self, layer: Any) -> None:
        super().__init__()
        self.attention, self.intermediate, self.output = layer.attention, layer.intermediate, layer.output

    def forward(self, hidden: torch.Tensor, mask: torch.Tensor | None = None, *_: Any, **__: Any) -> torch.Tensor:
        inner = self.attention.self
        first = hidden[:, :1]
        context = _attend(
            inner.query(first), inner.key(hidden), inner.value(hidden), mask, inner.num_attention_heads, inner.dropout
        )
        attended = self.attention.output(context, first)
        return self.output(self.intermediate(attended), attended)


class _DistilBertLayer(_FirstTokenLayer):
    """DistilBERT's layer; the submodules are those of the layer it replaces, under the same names."""

    def __init__(self, layer: Any) -> None:
        super().__init__()
        self.attention, self.sa_layer_norm = layer.attention, layer.sa_layer_norm
        self.ffn, self.output_layer_norm = layer.ffn, layer.output_layer_norm

    def forward(self, hidden: torch.Tensor, mask: torch.Tensor | None = None, *_: Any, **__: Any) -> torch.Tensor:
        inner = self.attention
        first = hidden[:, :1]
        context = _attend(
            inner.q_lin(first), inner.k_lin(hidden), inner.v_lin(hidden), mask, inner.n_heads, inner.dropout
        )
        attended = self.sa_layer_norm(inner.out_lin(context) + first)
        return self.output_layer_norm(self.ffn(attended) + attended)


def _attend(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    mask: torch.Tensor | None,
    heads: int,
    dropout: nn.Module,
) -> torch.Tensor:
    """Attention of one position over all: query (B, 1, H), key and value (B, S, H) to (B, 1, H).

    Args: mask: as transformers makes it, (B, 1, S, S): True where sdpa may look, or eager's 0 and lowest number to be
        added; None when nothing is masked.
    """
    query, key, value = (_split_heads(states, heads) for states in (query, key, value))
    scores = torch.matmul(query, key.transpose(2, 3)) * query.size(-1) ** -0.5
    if mask is not None and mask.dtype == torch.bool:
        scores = scores.masked_fill(~mask[:, :, :1], torch.finfo(scores.dtype).min)
    elif mask is not None:
        scores = scores + mask[:, :, :1]
    context = torch.matmul(dropout(scores.softmax(-1)), value)
    return context.transpose(1, 2).flatten(2)


def _split_heads(states: torch.Tensor, heads: int) -> torch.Tensor:
    """(B, S, H) to (B, heads, S, H / heads)."""
    return states.unflatten(-1, (heads, -1)).transpose(1, 2)


def _rewrite(layer: nn.Module) -> _FirstTokenLayer | None:
    """The layer's first-token form; None unless it is built exactly as BERT's or DistilBERT's.

    Exactly, because near relatives put their normalisation first or add relative positions under the same outer names.
    """
    if is_bert_layer(layer):
        return _BertLayer(layer)
    names = _children(layer)
    if names == {"attention", "sa_layer_norm", "ffn", "output_layer_norm"}:
        inner = _children(layer.get_submodule("attention"))
        return _DistilBertLayer(layer) if inner == {"q_lin", "k_lin", "v_lin", "out_lin", "dropout"} else None
    return None


def is_bert_layer(layer: nn.Module) -> bool:
    """Whether a layer has exactly the parts that BERT's has."""
    after = {"dense", "LayerNorm", "dropout"}
    return (
        _children(layer) == {"attention", "intermediate", "output"}
        and _children(layer.get_submodule("attention")) == {"self", "output"}
        and _children(layer.get_submodule("attention.self")) == {"query", "key", "value", "dropout"}
        and _children(layer.get_submodule("attention.output")) == after
        and _children(layer.get_submodule("intermediate")) == {"dense", "intermediate_act_fn"}
        and _children(layer.get_submodule("output")) == after
    )


def _children(module: nn.Module) -> set[str]:
    return {name for name, _ in module.named_children()}


@torch.no_grad()
def _probe(model: PreTrainedModel) -> torch.Tensor:
    """Logits (2, C) of two short rows, one of them padded; the training flag is kept."""
    training = model.training
    ids = torch.arange(10, device=model.device).reshape(2, 5) % model.config.vocab_size
    mask = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]], device=model.device)
    try:
        return model.eval()(input_ids=ids, attention_mask=mask).logits.float()
    finally:
        model.train(training)
