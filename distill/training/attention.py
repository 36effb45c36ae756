"""Which attention kernel an encoder is trained with."""

from __future__ import annotations

from transformers import PreTrainedModel

from distill.training import device

PLAIN_UP_TO = 192


def choose_attention(model: PreTrainedModel, arithmetic: str, longest: int) -> None:
    """Plain operators instead of the fused kernel where these train faster: bf16 on a processor, short inputs.

    PyTorch's fused attention for processors is slow backwards in bf16. Measured, forward and backward on two cores with
    PyTorch 2.13: 32 × 4 heads × 48 tokens 9.1 ms fused, 2.4 plain; 16 × 4 × 160: 19 and 12; 16 × 12 × 256: 96 and 97;
    in fp32 the fused one is ahead.

    Args: arithmetic: as in TrainingConfig. longest: most tokens of an input.
    """
    fused = model.config._attn_implementation == "sdpa"
    if fused and longest <= PLAIN_UP_TO and device.device() == "cpu" and device.resolve(arithmetic) == "bf16":
        model.set_attn_implementation("eager")
