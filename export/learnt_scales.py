"""Which scale of a model folder belongs to which tensor of its ONNX file, found by the weights that read it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper
from safetensors.numpy import load_file

from distill.core.errors import UserError
from export import int8
from export.int8_static import Scale


@dataclass(frozen=True)
class LearntScales:
    """Attributes: of_tensors: scale by name of the tensor. others: the products whose layers learnt none."""

    of_tensors: Mapping[str, Scale]
    others: Sequence[str]


def learnt_scales(fp32: Path, model_folder: Path) -> LearntScales:
    """The scales that a fit with rounded layers left, for the ONNX file of its weights.

    Raises: UserError where the file lacks the weights of a layer that learnt a scale, and where its layers are wired
        otherwise than they were trained.
    """
    from distill.training.fake_quantised import SCALES

    stored, weights = load_file(model_folder / SCALES), load_file(model_folder / "model.safetensors")
    learnt = {key.removesuffix(".step") for key in stored if key.endswith(".step")}
    # Exporters transpose weights and name them anew.
    by_weights = {np.ascontiguousarray(weights[f"{name}.weight"].T).tobytes(): name for name in sorted(learnt)}
    values = {tensor.name: tensor for tensor in onnx.load(fp32).graph.initializer}
    found: dict[str, Scale] = {}
    others, met = [], set[str]()
    for product in int8.products(fp32):
        layer = by_weights.get(numpy_helper.to_array(values[product.weight]).tobytes())
        if layer is None:
            others.append(product.name)
            continue
        scale = Scale(float(stored[f"{layer}.step"]), int(stored[f"{layer}.zero"]))
        known = found.setdefault(product.reads, scale)
        if known != scale:
            raise _other_model(fp32, f"{product.reads} is read by layers of different scales, {layer} among them")
        met.add(layer)
    if lacking := sorted(set(by_weights.values()) - met):
        raise _other_model(
            fp32, f"{len(lacking)} of {len(by_weights)} layers have other weights, {lacking[0]} among them"
        )
    return LearntScales(found, others)


def _other_model(fp32: Path, found: str) -> UserError:
    what = "an exported file is not the model that was trained with rounded layers"
    return UserError(what, where=str(fp32), found=found, do="export it again")
