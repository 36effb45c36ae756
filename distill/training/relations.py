"""Relations between the tokens of a text inside a layer: distributions over tokens, for each token and head."""

from __future__ import annotations

import torch
from torch import Tensor


def relation_divergence(ours: Tensor, theirs: Tensor, mask: Tensor, heads: int) -> Tensor:
    """KL(teacher ‖ student) of relations, mean over heads, for every token: float (W, S).

    A relation is softmax(x_a · x_aᵀ / √(H/A)), of the part x_a of queries, keys or values that a head a has.

    Args: ours, theirs: float (W, S, H), (W, S, H'), queries, keys or values. mask: (W, S), 1 on tokens; others are no
        part of a distribution. heads: A, divides H and H'.
    """
    student, teacher = _log_relations(ours, mask, heads), _log_relations(theirs, mask, heads)
    terms = torch.where(mask[:, None, None].bool(), teacher.exp() * (teacher - student), 0.0)
    return terms.sum(-1).mean(1)


def _log_relations(states: Tensor, mask: Tensor, heads: int) -> Tensor:
    """Logarithms of relations over the tokens of `mask`, float32 (W, A, S, S), in full precision."""
    with torch.autocast(states.device.type, enabled=False):
        windows, tokens, width = states.shape
        split = states.float().view(windows, tokens, heads, width // heads).transpose(1, 2)
        scores: Tensor = split @ split.transpose(2, 3) * split.shape[-1] ** -0.5
        lowest = torch.finfo(scores.dtype).min
        return scores.masked_fill(~mask[:, None, None].bool(), lowest).log_softmax(-1)
