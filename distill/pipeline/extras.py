"""Missing libraries, named by the extra that brings them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from distill.core.errors import MissingExtra

_TRAINING = ("torch", "transformers", "accelerate", "safetensors")
_MODULE_EXTRAS = {**dict.fromkeys(_TRAINING, "train"), "onnxruntime": "cpu", "onnx": "cpu", "peft": "llm"}


@contextmanager
def naming_extras(feature: str) -> Iterator[None]:
    """Turn the absence of a library inside the block into MissingExtra. Args: feature: what needs the library."""
    try:
        yield
    except ModuleNotFoundError as error:
        extra = _MODULE_EXTRAS.get((error.name or "").split(".")[0])
        if extra is None:
            raise
        raise MissingExtra(feature, extra) from error
