"""Whether weights that are not trained can be kept in 4 bits here."""

from __future__ import annotations

from importlib.util import find_spec

from distill.core.progress import note
from distill.training import device
from distill.training.config import LoraConfig


def four_bits(config: LoraConfig | None) -> tuple[bool, list[str]]:
    """Whether the weights are kept in 4 bits, and what the report says where that was asked for and is not so."""
    if config is None or not config.four_bit:
        return False, []
    missing = _missing()
    if missing is None:
        return True, []
    remark = f"trained without 4-bit weights (lora.four_bit): {missing}"
    note(remark)
    return False, [remark]


def _missing() -> str | None:
    """What 4 bits need and this machine has not."""
    if device.device() == "cpu":
        return "PyTorch finds no CUDA device"
    return None if find_spec("bitsandbytes") else "bitsandbytes is not installed (pip install 'distill[llm]')"
