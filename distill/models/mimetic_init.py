"""Mimetic initialisation: random weights whose attention finds equal tokens from the first step on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

_POSITIONS, _OTHER_HEADS, _ATTENTION_OUT, _FEED_FORWARD_OUT = 0.3, 0.5, 1.5, 0.05


def mimetic_init(model: Any, heads: int) -> None:
    """Make the first `heads` heads of each layer of a BERT attend to equal tokens, the others nearly evenly; in place.

    Query and key of such a head are the same orthonormal projection, so a token scores highest against itself and its
    equals on the other side. Positions are weakened, so that equal tokens look alike; the attention branch is
    strengthened and the feed-forward branch nearly closed, so that [CLS] reads what the heads found.

    At 12 layers x 128, on product titles, pre-training from plain random weights stayed at the loss of word
    frequencies (7.0 nats) for 500 steps; with two such heads of four it was below it after 100. 0 heads leave the model
    as it is.

    Source: Trockman & Kolter 2023, Mimetic Initialization of Self-Attention Layers, arXiv:2305.09828, which draws
    W_Q W_K^T near the identity and W_V W_O near minus it. Here W_Q W_K^T is a projection, in part of the heads, and
    W_V W_O stays random.
    """
    import torch

    if not heads:
        return
    size = model.config.hidden_size // model.config.num_attention_heads
    with torch.no_grad():
        model.embeddings.position_embeddings.weight *= _POSITIONS
        for layer in model.encoder.layer:
            _equal_query_and_key(layer.attention.self, heads, size)
            layer.attention.output.dense.weight *= _ATTENTION_OUT
            layer.output.dense.weight *= _FEED_FORWARD_OUT


def _equal_query_and_key(attention: Any, heads: int, size: int) -> None:
    import torch

    width = attention.query.weight.shape[1]
    same: Tensor = torch.cat([torch.linalg.qr(torch.randn(width, width))[0][:size] for _ in range(heads)])
    for weight in (attention.query.weight, attention.key.weight):
        weight *= _OTHER_HEADS
        weight[: heads * size] = same
