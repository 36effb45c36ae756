"""What numbers a subject computes with and how large its files are: a row must not say fp32 of a model in half of it.

transformers 5 loads a checkpoint in the type that it is stored in, so that an fp16 baseline may pass for fp32.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from benchmarks.subjects import Subject
from distill.core.errors import UserError
from export.targets import target_class

_STORED = ("*.safetensors", "*.npz")
_TYPES = {
    "fp32": {"float32"},
    "fp16": {"float16"},
    "bf16": {"bfloat16"},
    "int8": {"int8", "uint8"},
}
_FLOATS = {"float64", "float32", "float16", "bfloat16"}
_SMALL = 1024
"""Numbers of a tensor up to which it is a scale, a bound or an epsilon, whatever its type."""


def file_bytes(subject: Subject) -> int:
    """The bytes of an exported file with its weights beside it, or of a model's stored weights."""
    if subject.target is not None and subject.export is not None:
        name = target_class(subject.target).model
        return sum(path.stat().st_size for path in subject.export.glob(f"{name}*"))
    return sum(path.stat().st_size for kind in _STORED for path in subject.model_folder.glob(kind))


def file_weights(path: Path) -> dict[str, int]:
    """How many numbers of each type the weights of an ONNX file have, scales and the like left out."""
    import onnx

    found: Counter[str] = Counter()
    for one in onnx.load(path, load_external_data=False).graph.initializer:
        size = 1
        for extent in one.dims:
            size *= extent
        if size > _SMALL:
            found[onnx.helper.tensor_dtype_to_np_dtype(one.data_type).name] += size
    return dict(found)


def weights_of(subject: Subject, told: Mapping[str, int]) -> dict[str, int]:
    """Those of an exported file, or what the opened model told of itself; empty where neither is known."""
    if subject.target is None or subject.export is None:
        return dict(told)
    path = subject.export / target_class(subject.target).model
    return file_weights(path) if path.exists() else {}


def require_precision(subject: Subject, weights: Mapping[str, int]) -> None:
    """Check that a subject has numbers of the precision that its row names, and where that is fp32 no other fractions.

    Raises: UserError with what was found. Nothing is known of a model that does not tell its weights.
    """
    wanted = _TYPES.get(subject.precision)
    if wanted is None or not weights:
        return
    others = _FLOATS & set(weights) - wanted if subject.precision == "fp32" else set()
    if others or not wanted & set(weights):
        raise UserError(
            f"{subject.name} is not in {subject.precision}, as its row would say",
            where=str(subject.export or subject.model_folder),
            found=", ".join(f"{count:,} weights in {name}" for name, count in weights.items()),
            do="save the checkpoint in float32, or export the model again",
        )
