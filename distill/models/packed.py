"""A batch read without padding: its rows one after the other in one sequence, each attending to itself alone.

Every layer works on tokens (T, H); only attention and the head know where rows begin. Segments and positions are those
of each row, so the logits are the padded model's up to float noise. The last layer computes the first token of each row
alone, as in `distill.models.first_token`. On CUDA in half precision attention is FlashAttention's kernel for rows of
any length (`torch.nn.attention.varlen`), where it reads heads of this width; elsewhere rows of equal length are
attended to together.

Source: Zeng et al. 2022, "Boosting Distributed Training Performance of the Unpadded BERT Model", arXiv:2208.08124.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn.functional import scaled_dot_product_attention

from distill.core.errors import UserError
from distill.models.encoder import input_names, layer_stack
from distill.models.first_token import is_bert_layer
from distill.models.token_schedule import stored_schedule

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_HALF = (torch.bfloat16, torch.float16)


# Ids, mask and segments of two short rows.
_TRIED = (np.arange(1, 11).reshape(2, 5), np.array([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]]), np.zeros((2, 5), np.int64))


@dataclass(frozen=True)
class Packing:
    """Where the rows of a packed batch begin.

    Attributes: lengths: tokens of each row. starts: int32 (B + 1), on the device: of each row, and the end.
    """

    lengths: tuple[int, ...]
    starts: torch.Tensor

    @classmethod
    def of(cls, lengths: NDArray[np.int64], device: torch.device) -> Packing:
        """That of rows of these lengths, each ≥ 1."""
        ends = torch.from_numpy(np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32))
        return cls(tuple(lengths.tolist()), ends.to(device))

    @property
    def longest(self) -> int:
        """The most tokens of a row."""
        return max(self.lengths)

    def runs(self) -> list[tuple[int, int]]:
        """(rows, tokens of each) of neighbours of equal length, in order."""
        return [(len(list(alike)), length) for length, alike in groupby(self.lengths)]


class PackedClassifier:
    """A classifier whose layers are BERT's, reading batches without padding; `model` is changed in place.

    It is tried on a small batch: a relative of BERT has its positions elsewhere, and a head may read all tokens.

    Raises: UserError for a model that cannot be read so; it is then as it was.
    """

    def __init__(self, model: PreTrainedModel) -> None:
        self._model, self._names = model, input_names(model)
        self._holder = _Holder()
        stack = _packable(model)
        encoder: Any = model.base_model
        embeddings = encoder.embeddings
        # RoBERTa numbers the tokens that are no padding, from the number of the padding token on.
        self._first = embeddings.padding_idx if hasattr(embeddings, "create_position_ids_from_input_ids") else None
        heads, whole, padded = encoder.config.num_attention_heads, list(stack), self._padded()
        for index, layer in enumerate(whole):
            stack[index] = _PackedLayer(layer, heads, self._holder, last=index == len(whole) - 1).train(layer.training)
        if not self._answers(padded):
            for index, layer in enumerate(whole):
                stack[index] = layer
            raise _refused(model, "read so it answers otherwise, or not at all")

    def logits(self, ids: NDArray[np.int64], mask: NDArray[np.int64], types: NDArray[np.int64]) -> torch.Tensor:
        """Logits (B, C) of a padded batch, each array (B, S); padding is on the right and is not read."""
        real, lengths = mask.astype(bool), mask.sum(axis=1)
        device = self._model.device
        self._holder.packing = Packing.of(lengths, device)
        arrays = {"input_ids": ids[real], "token_type_ids": types[real]}
        arrays["position_ids"] = self._positions(arrays["input_ids"], lengths)
        inputs = {name: torch.from_numpy(array)[None].to(device) for name, array in arrays.items()}
        if "token_type_ids" not in self._names:
            del inputs["token_type_ids"]
        found: torch.Tensor = self._model(**inputs).logits
        return found

    @torch.no_grad()
    def _padded(self) -> torch.Tensor:
        """The model's own logits of the batch that is tried."""
        given = zip(("input_ids", "attention_mask", "token_type_ids"), _TRIED, strict=True)
        inputs = {name: torch.from_numpy(array).to(self._model.device) for name, array in given if name in self._names}
        logits: torch.Tensor = self._model(**inputs).logits
        return logits

    @torch.no_grad()
    def _answers(self, padded: torch.Tensor) -> bool:
        """Whether the batch that is tried has these logits without padding."""
        try:
            return torch.allclose(self.logits(*_TRIED), padded, rtol=1e-4, atol=1e-4)
        except Exception:  # each family fails in its own way
            return False

    def _positions(self, ids: NDArray[np.int64], lengths: NDArray[np.int64]) -> NDArray[np.int64]:
        """The number of each token in its row (T,)."""
        starts = np.cumsum(lengths) - lengths
        if self._first is None:
            return np.arange(len(ids)) - np.repeat(starts, lengths)
        counted = (ids != self._first).astype(np.int64)
        total = np.cumsum(counted)
        before = (total - counted)[starts]
        return (total - np.repeat(before, lengths)) * counted + self._first


class _Holder:
    """The packing of the batch that is being read."""

    packing: Packing


class _PackedLayer(nn.Module):
    """BERT's layer over packed tokens (1, T, H); the submodules are those of the layer that it replaces.

    Args: last: return the states of each row's first token alone, (B, 1, H).
    """

    def __init__(self, layer: Any, heads: int, holder: _Holder, *, last: bool) -> None:
        super().__init__()
        self.attention, self.intermediate, self.output = layer.attention, layer.intermediate, layer.output
        self._heads, self._holder, self._last = heads, holder, last

    def forward(self, hidden: torch.Tensor, *_: Any, **__: Any) -> torch.Tensor:
        packing, inner, tokens = self._holder.packing, self.attention.self, hidden[0]
        asking = tokens[packing.starts[:-1].long()] if self._last else tokens
        query, key, value = (
            states.unflatten(-1, (self._heads, -1))
            for states in (inner.query(asking), inner.key(tokens), inner.value(tokens))
        )
        context = (_first_tokens if self._last else _all_tokens)(query, key, value, packing)
        attended = self.attention.output(context.flatten(1), asking)
        states: torch.Tensor = self.output(self.intermediate(attended), attended)
        return states[:, None] if self._last else states[None]


def _all_tokens(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, packing: Packing) -> torch.Tensor:
    """Attention of every token over its own row; each tensor (T, heads, H / heads)."""
    if _has_kernel(query):
        return _varlen(query, key, value, packing.starts, packing.starts, packing.longest, packing.longest)
    parts, start = [], 0
    for rows, length in packing.runs():
        part = slice(start, start + rows * length)
        start = part.stop
        shaped = (one[part].unflatten(0, (rows, length)).transpose(1, 2) for one in (query, key, value))
        parts.append(scaled_dot_product_attention(*shaped).transpose(1, 2).flatten(0, 1))
    return torch.cat(parts)


def _first_tokens(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, packing: Packing) -> torch.Tensor:
    """Attention of each row's first token over the row; query (B, heads, H / heads), the others (T, …)."""
    if _has_kernel(query):
        ones = torch.arange(len(packing.lengths) + 1, dtype=torch.int32, device=query.device)
        return _varlen(query, key, value, ones, packing.starts, 1, packing.longest)
    parts, start, row = [], 0, 0
    for rows, length in packing.runs():
        part = slice(start, start + rows * length)
        keys, values = (one[part].unflatten(0, (rows, length)).transpose(1, 2) for one in (key, value))
        parts.append(scaled_dot_product_attention(query[row : row + rows, :, None], keys, values)[:, :, 0])
        start, row = part.stop, row + rows
    return torch.cat(parts)


def _has_kernel(query: torch.Tensor) -> bool:
    """Whether the kernel reads this query (…, H / heads): it refuses other widths, and cards before Ampere."""
    if not query.is_cuda or query.dtype not in _HALF:
        return False
    width = query.shape[-1]
    return width % 8 == 0 and width <= 256 and torch.cuda.get_device_capability(query.device) >= (8, 0)


def _varlen(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    *where: Any,
) -> torch.Tensor:
    """FlashAttention's kernel. Args: where: starts of queries and of keys, the longest of each."""
    from torch.nn.attention.varlen import varlen_attn

    found: Any = varlen_attn(query, key, value, *where)
    return found  # type: ignore[no-any-return]


def _packable(model: PreTrainedModel) -> nn.ModuleList:
    """The layers of a model that can be read so. Raises: UserError with what stands against it."""
    reason = None
    try:
        stack = layer_stack(model)
    except UserError as error:
        raise _refused(model, error.what) from None
    if stored_schedule(model.config) is not None:
        reason = "its upper layers read several tokens as one"
    elif not all(is_bert_layer(layer) for layer in stack):
        reason = "its layers are not built as BERT's"
    elif getattr(model.config, "is_decoder", False):
        reason = "it attends to earlier tokens alone"
    elif not hasattr(model.base_model, "embeddings"):
        reason = "its embeddings are not BERT's"
    if reason:
        raise _refused(model, reason)
    return stack


def _refused(model: PreTrainedModel, reason: str) -> UserError:
    return UserError(
        "this encoder cannot be read without padding",
        where="labelling.unpadded",
        found=f"model_type '{model.config.model_type}': {reason}",
        do="set it to false",
    )
