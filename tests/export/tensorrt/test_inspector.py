"""Layer information of the form that TensorRT's engine inspector writes, and what is read from it."""

import json

import pytest

from distill.core.errors import GateFailed, UserError
from export.tensorrt.inspector import read_layers, require_precision


def layer(name, kind, reads, writes, tactic=""):
    def side(types):
        return [
            {"Name": f"{name}_{at}", "Location": "Device", "Dimensions": [1, -1, 768], "Format/Datatype": one}
            for at, one in enumerate(types)
        ]

    return {
        "Name": name,
        "LayerType": kind,
        "Inputs": side(reads),
        "Outputs": side(writes),
        "TacticName": tactic,
        "StreamId": 0,
        "Metadata": f"[ONNX Layer: {name}]",
    }


# One encoder layer as version 10 names it: a graph compiler's kernels, products of their own, fused attention.
ENCODER = [
    layer("__myl_CastMulMinMaxRoun_myl0_0", "cast", ["Int64"], ["Int32"]),
    layer("__myl_GathAddMeanSubMulSqrt_myl0_1", "kgen", ["Half", "Int32"], ["Half"]),
    layer("bert.encoder.layer.0.attention.self.query/MatMul_myl0_2", "gemm", ["Half", "Half"], ["Half"]),
    layer("_gemm_mha_v2_myl0_3", "kgen", ["Half", "Half", "Half"], ["Half"], "_gemm_mha_v2_0x1f"),
    layer("__myl_FcAddGelu_myl0_4", "gemm", ["Half", "Half"], ["Half"]),
    layer("__myl_CastAddMeanSub_myl0_5", "kgen", ["Half", "Float"], ["Float"]),
    layer("Reformatting CopyNode for Output Tensor 0", "Reformat", ["Half"], ["Float"]),
]
CLASSIFIER = layer("classifier/Gemm", "gemm", ["Float", "Float"], ["Float"])


def text(layers):
    return json.dumps({"Layers": layers, "Bindings": ["input_ids", "attention_mask", "logits"]})


def test_layers_are_counted_by_the_precision_that_they_read():
    found = read_layers(text([*ENCODER, CLASSIFIER]))
    assert found.by_precision == {"fp16": 5, "fp32": 1}
    assert found.products == {"fp16": 3, "fp32": 1} and found.full == ("classifier/Gemm",)
    assert found.share("fp16") == 0.75 and found.share("bf16") == 0


@pytest.mark.parametrize(
    ("written", "precision"),
    [
        ("Half", "fp16"),
        ("Row major linear FP16 format", "fp16"),
        ("Channel major FP16 format where channel % 4 == 0", "fp16"),
        ("BFloat16", "bf16"),
        ("Row major linear BF16", "bf16"),
        ("Float", "fp32"),
        ("Row major linear FP32", "fp32"),
        ("Thirty-two wide channel vectorized row major Int8 format.", "int8"),
        ("FP8", "fp8"),
    ],
)
def test_types_are_known_as_the_versions_write_them(written, precision):
    found = read_layers(text([layer("encoder/MatMul", "MatrixMultiply", [written, written], [written])]))
    assert found.products == {precision: 1}


def test_an_engine_of_another_precision_than_declared_is_refused():
    layers = read_layers(text([*ENCODER, CLASSIFIER]))
    require_precision(layers, "fp16", 0.75)
    with pytest.raises(GateFailed) as caught:
        require_precision(layers, "fp16", 0.9)
    said = str(caught.value)
    assert "75% of its products, at least 90% is declared (3 in fp16, 1 in fp32" in said
    assert "the first in fp32: classifier/Gemm" in said
    # The fault that it is for: flags that TensorRT 11 no longer has, and an fp32 engine without a word.
    silent = [layer(one["Name"], one["LayerType"], ["Float", "Float"], ["Float"]) for one in ENCODER]
    with pytest.raises(GateFailed, match="the engine does not compute in fp16"):
        require_precision(read_layers(text(silent)), "fp16", 0.5)
    with pytest.raises(GateFailed, match="the engine does not compute in bf16"):
        require_precision(layers, "bf16", 0.5)
    with pytest.raises(GateFailed, match="no products"):
        require_precision(read_layers(text(ENCODER[:2])), "fp16", 0.5)


@pytest.mark.parametrize(
    ("information", "found"),
    [
        ("not json", "not JSON"),
        ("{}", "no layers"),
        ('{"Layers": []}', "no layers"),
        ('{"Layers": ["encoder/MatMul", "classifier/Gemm"]}', "names of layers only.*detailed profiling verbosity"),
    ],
)
def test_what_says_nothing_of_precision_proves_nothing(information, found):
    with pytest.raises(UserError, match=found):
        read_layers(information)


def test_layer_information_as_a_bare_list_is_read_too():
    assert read_layers(json.dumps(ENCODER)).products == {"fp16": 3}
