"""What a built engine computes in, from the layer information of TensorRT's engine inspector."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from distill.core.errors import GateFailed, UserError

# How versions 8 to 11 write a tensor's type: `Half`, `Row major linear FP16`, `Thirty-two wide … Int8 format`.
_TYPES = {
    "fp16": re.compile(r"\b(half|fp16|float16)\b", re.IGNORECASE),
    "bf16": re.compile(r"\b(bf16|bfloat16)\b", re.IGNORECASE),
    "fp8": re.compile(r"\b(fp8|float8\w*)\b", re.IGNORECASE),
    "int8": re.compile(r"\bint8\b", re.IGNORECASE),
    "fp32": re.compile(r"\b(float|fp32|float32)\b", re.IGNORECASE),
}
_HALVES = ("fp16", "bf16")
# They copy, reorder or hold values, and compute nothing: their number says nothing about the arithmetic.
_IDLE = re.compile(r"reformat|shuffle|constant|reshape|cast|noop|copy|shape|slice|wait|signal|memcpy", re.IGNORECASE)
_PRODUCTS = re.compile(r"gemm|matrix_?multiply|matmul|mha|attention|einsum", re.IGNORECASE)
# A kernel that TensorRT's graph compiler wrote is named after what it computes: __myl_FcAddGelu_myl0_12.
_WRITTEN = re.compile(r"__myl_\w*?(Fc|Gemm|MatMul|Mha)", re.IGNORECASE)


@dataclass(frozen=True)
class Layers:
    """Layers of an engine that compute with floats.

    Attributes: by_precision: their number by the precision of what they read: the lowest of their float inputs.
        products: the same for matrix products and fused attention alone. full: names of products that read fp32.
    """

    by_precision: Mapping[str, int]
    products: Mapping[str, int]
    full: tuple[str, ...]

    def share(self, precision: str) -> float:
        """Share of the products that read this precision; 0 without any product."""
        every = sum(self.products.values())
        return self.products.get(precision, 0) / every if every else 0.0


def read_layers(text: str) -> Layers:
    """Count the layers of an engine's information, JSON, by precision.

    Raises: UserError when it is no such information, or was built without details, so that it says names only.
    """
    try:
        layers = json.loads(text)
    except ValueError:
        raise _unreadable("not JSON") from None
    layers = layers.get("Layers") if isinstance(layers, dict) else layers
    if not isinstance(layers, list) or not layers:
        raise _unreadable("no layers")
    if not all(isinstance(layer, dict) for layer in layers):
        raise _unreadable("names of layers only: the engine was built without detailed profiling verbosity")
    every, products, full = Counter[str](), Counter[str](), []
    for layer in layers:
        kind, name = str(layer.get("LayerType", "")), str(layer.get("Name", ""))
        found = set(_types(layer))
        if not found or _IDLE.search(kind):
            continue
        precision = next((half for half in (*_HALVES, "fp8", "int8") if half in found), "fp32")
        every[precision] += 1
        if _PRODUCTS.search(f"{kind} {layer.get('TacticName', '')}") or _WRITTEN.match(name):
            products[precision] += 1
            full += [name] if precision == "fp32" else []
    return Layers(dict(every), dict(products), tuple(full))


def require_precision(layers: Layers, precision: str, least: float) -> None:
    """Check that an engine's products read the declared precision. Raises: GateFailed with share and first others."""
    share = layers.share(precision)
    if share >= least:
        return
    counts = ", ".join(f"{number} in {name}" for name, number in sorted(layers.products.items())) or "no products"
    first = f"; the first in fp32: {', '.join(layers.full[:3])}" if layers.full else ""
    raise GateFailed(
        f"the engine does not compute in {precision}",
        found=f"{share:.0%} of its products, at least {least:.0%} is declared ({counts}{first})",
        do="look whether the ONNX file is the strongly typed one, and whether the card has this precision",
    )


def _types(layer: Mapping[str, Any]) -> Iterator[str]:
    """The float types of what a layer reads; where it says nothing of that, of what it writes."""
    for side in ("Inputs", "Outputs"):
        found = [_named(str(value.get("Format/Datatype", ""))) for value in layer.get(side) or [] if _is_tensor(value)]
        if known := [one for one in found if one]:
            yield from known
            return


def _is_tensor(value: Any) -> bool:
    return isinstance(value, dict) and "Format/Datatype" in value


def _named(text: str) -> str | None:
    return next((name for name, pattern in _TYPES.items() if pattern.search(text)), None)


def _unreadable(found: str) -> UserError:
    return UserError("the engine's layer information cannot be read", found=found)
