"""The strongly typed graph of five families: types node by node, logits on the processor, and what half cannot hold."""

import json

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from distill.core.errors import UserError
from distill.core.rendering import Window
from distill.inference.collate import collate
from distill.inference.torch_runner import TorchRunner
from export.activations import Recorder
from export.emulation import emulated
from export.strong_types import LARGEST, is_product, node_types, plan, strongly_typed, value_types

FAMILIES = ("bert", "roberta", "distilbert", "mpnet", "xlm-roberta")
TYPES = {"fp16": TensorProto.FLOAT16, "bf16": TensorProto.BFLOAT16}
TOLERANCE = {"fp16": 0.02, "bf16": 0.15}
FLOAT = TensorProto.FLOAT


def batch_of(lengths):
    chance = np.random.default_rng(7)
    return collate([Window([2, *map(int, chance.integers(5, 100, n - 2)), 3], [0] * n) for n in lengths], pad_id=0)


def run(model, batch):
    """Logits (B, C) of a graph on the processor."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(["logits"], {item.name: batch[item.name] for item in session.get_inputs()})[0]


@pytest.fixture(scope="module")
def made(fp32):
    """`made(family, precision)`: the fp32 graph and the strongly typed one."""
    found = {}

    def get(family, precision="fp16"):
        if (family, precision) not in found:
            model = onnx.load(fp32(family))
            found[family, precision] = model, strongly_typed(model, plan(model, precision, share=0.5))
        return found[family, precision]

    return get


@pytest.mark.parametrize("precision", TYPES)
@pytest.mark.parametrize("family", FAMILIES)
def test_islands_and_products_have_their_types_node_by_node(made, family, precision):
    model, typed = made(family, precision)
    half, types, products = TYPES[precision], node_types(typed), set()
    for node in typed.graph.node:
        reads, writes = types[node.name]
        if node.op_type in ("LayerNormalization", "Softmax"):
            assert (reads, writes) == ({FLOAT}, {FLOAT}), node.name
        elif is_product(node, typed) or node.op_type == "MatMul":
            assert (reads, writes) == ({half}, {half}), node.name
            products.add(node.name)
        elif node.op_type != "Cast":
            assert len(reads | writes) < 2, f"{node.name} mixes types"
    assert products == {node.name for node in model.graph.node if node.op_type in ("MatMul", "Gemm")}
    assert [node.name for node in typed.graph.node if node.op_type != "Cast"] == [
        node.name for node in model.graph.node if node.op_type != "Cast"
    ] and len(typed.graph.node) > len(model.graph.node)


@pytest.mark.parametrize("family", FAMILIES)
def test_inputs_output_and_metadata_are_those_of_the_fp32_file(made, family):
    model, typed = made(family)
    assert list(typed.graph.input) == list(model.graph.input) and list(typed.graph.output) == list(model.graph.output)
    assert value_types(typed)["logits"] == FLOAT
    assert list(typed.metadata_props) == list(model.metadata_props)
    assert typed.ByteSize() < 0.75 * model.ByteSize()


@pytest.mark.parametrize("family", FAMILIES)
def test_logits_are_those_of_pytorch_within_the_declared_tolerance(made, model_folder, family):
    runner = TorchRunner(model_folder(family), first_token_only=False)
    graphs = {precision: emulated(made(family, precision)[1]) for precision in TYPES}
    for lengths in ([5], [13, 40, 5, 22, 31, 3, 8]):
        batch = batch_of(lengths)
        expected = runner.logits(batch)
        for precision, graph in graphs.items():
            difference = np.abs(run(graph, batch) - expected).max()
            assert 1e-5 < difference < TOLERANCE[precision], (precision, lengths, difference)


def test_onnx_runtime_computes_fp16_as_the_emulation_does(made):
    _, typed = made("bert")
    batch = batch_of([13, 40, 5])
    assert np.abs(run(typed, batch) - run(emulated(typed), batch)).max() < TOLERANCE["fp16"]


@pytest.mark.parametrize("precision", TYPES)
def test_the_emulation_rounds_as_numpy_does(precision):
    """relu(x·W + b) of a small graph, by hand: every input and every result in half precision, arithmetic in fp32."""
    chance = np.random.default_rng(3)
    arrays = {name: chance.normal(size=shape).astype(np.float32) for name, shape in (("W", (8, 8)), ("b", (8,)))}
    model = graph_of(
        [("MatMul", ["x", "W"], ["y"]), ("Add", ["y", "b"], ["z"]), ("Relu", ["z"], ["logits"])], arrays, shape=[4, 8]
    )
    typed = strongly_typed(model, plan(model, precision))
    rounded = helper.tensor_dtype_to_np_dtype(TYPES[precision])
    x = chance.normal(size=(4, 8)).astype(np.float32)

    def half(values):
        return values.astype(rounded).astype(np.float32)

    expected = half(np.maximum(half(half(half(x) @ half(arrays["W"])) + half(arrays["b"])), 0))
    session = onnxruntime.InferenceSession(emulated(typed).SerializeToString(), providers=["CPUExecutionProvider"])
    np.testing.assert_allclose(session.run(None, {"x": x})[0], expected, rtol=1e-2 if precision == "bf16" else 1e-3)
    assert np.unique(session.run(None, {"x": x})[0].astype(rounded)).size > 8
    exact = np.maximum(x @ arrays["W"] + arrays["b"], 0)
    assert np.abs(session.run(None, {"x": x})[0] - exact).max() > 1e-4


def test_the_mask_keeps_its_value_and_what_adds_it_stays_fp32(made):
    model, typed = made("bert")
    masks = [tensor for tensor in typed.graph.initializer if tensor.data_type == FLOAT]
    assert min(numpy_helper.to_array(tensor).min(initial=0) for tensor in masks) == np.finfo(np.float32).min
    chosen = plan(model, "fp16", share=0.5)
    assert sum(why == "values of 3.4e+38" for why in chosen.kept.values()) == 5  # Where, Slice and three additions
    softmax = {name for node in typed.graph.node if node.op_type == "Softmax" for name in node.input}
    types = value_types(typed)
    assert {types[name] for name in softmax} == {FLOAT}


def test_recorded_activations_are_those_of_the_graph(fp32):
    recorder, batch = Recorder(fp32("bert")), batch_of([13, 40, 5])
    logits = recorder.logits(batch)
    np.testing.assert_allclose(logits, run(onnx.load(fp32("bert")), batch), atol=1e-5)
    assert recorder.largest["logits"] == pytest.approx(np.abs(logits).max(), abs=1e-6)
    recorder.logits(batch_of([3]))
    assert recorder.largest["logits"] >= np.abs(logits).max() and recorder.lengths == {40: 3, 3: 1}


def test_a_large_activation_keeps_its_nodes_in_fp32(fp32):
    model, recorder = onnx.load(fp32("bert")), Recorder(fp32("bert"))
    recorder.logits(batch_of([13, 40]))
    gelu = next(node for node in model.graph.node if node.op_type == "Gelu")
    adds = next(node for node in model.graph.node if gelu.input[0] in node.output)
    # As of an outlier in the feed-forward layer, after its bias.
    largest = {**recorder.largest, gelu.input[0]: 40_000.0, gelu.output[0]: 4.0}
    chosen = plan(model, "fp16", largest=largest, share=0.5)
    assert chosen.kept[gelu.name] == chosen.kept[adds.name] == "values of 4e+04"
    assert gelu.name in plan(model, "fp16", largest=largest, share=0.7).halved
    assert gelu.name in plan(model, "bf16", largest=largest, share=0.5).halved
    typed = strongly_typed(model, chosen)
    assert node_types(typed)[gelu.name] == ({FLOAT}, {FLOAT})
    batch = batch_of([13, 40])
    assert np.abs(run(typed, batch) - run(model, batch)).max() < TOLERANCE["fp16"]


def test_a_product_that_would_overflow_is_refused_by_name(fp32):
    model, recorder = onnx.load(fp32("bert")), Recorder(fp32("bert"))
    recorder.logits(batch_of([13, 40]))
    name = "bert.encoder.layer.1.output.dense/MatMul"
    (output,) = next(node for node in model.graph.node if node.name == name).output
    for value in (70_000.0, float("nan"), float("inf")):
        with pytest.raises(UserError) as caught:
            plan(model, "fp16", largest={**recorder.largest, output: value}, share=0.5)
        assert name in str(caught.value) and "keep_fp32" in str(caught.value) and "65504" in str(caught.value)
    chosen = plan(model, "fp16", largest={**recorder.largest, output: 70_000.0}, share=0.5, keep_fp32=[name])
    assert chosen.kept[name] == "keep_fp32"
    assert chosen.kept["bert.encoder.layer.1.output.dense/Add"].startswith("values")


def test_an_overflow_in_half_precision_is_seen(made, fp32):
    """The fault that the limit is for: weights by which a product passes fp16's range, and logits are no numbers."""
    model = onnx.load(fp32("bert"))
    product = next(node for node in model.graph.node if node.name == "bert.encoder.layer.1.output.dense/MatMul")
    weights = next(tensor for tensor in model.graph.initializer if tensor.name == product.input[1])
    weights.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(weights) * 60_000, weights.name))
    batch = batch_of([13, 40])
    assert np.isfinite(run(model, batch)).all()
    assert not np.isfinite(run(emulated(strongly_typed(model, plan(model, "fp16"))), batch)).all()


def test_patterns_without_a_node_and_a_graph_without_products_are_refused(fp32):
    model = onnx.load(fp32("bert"))
    with pytest.raises(UserError, match=r"keep_fp32: no node has such a name[\s\S]*layer\.9"):
        plan(model, "fp16", keep_fp32=["*.layer.9.*"])
    with pytest.raises(UserError, match="no product with weights is left to compute in fp16"):
        plan(model, "fp16", keep_fp32=["*"])


def test_one_value_is_cast_once_for_all_that_read_it(made):
    _, typed = made("bert")
    casts = [(node.input[0], node.attribute[0].i) for node in typed.graph.node if node.op_type == "Cast"]
    assert len(casts) == len(set(casts))
    assert not {name for name, _ in casts} & {tensor.name for tensor in typed.graph.initializer}


def graph_of(nodes, arrays, shape):
    """A small fp32 graph from `x` to `logits`."""
    made = [helper.make_node(kind, reads, writes, name=f"{writes[0]}/{kind}") for kind, reads, writes in nodes]
    graph = helper.make_graph(
        made,
        "small",
        [helper.make_tensor_value_info("x", FLOAT, shape)],
        [helper.make_tensor_value_info("logits", FLOAT, shape)],
        [numpy_helper.from_array(values, name) for name, values in arrays.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


def test_the_largest_values_of_the_types_are_numpys():
    kinds = {name: helper.tensor_dtype_to_np_dtype(kind) for name, kind in TYPES.items()}
    assert LARGEST["fp16"] == np.finfo(np.float16).max
    assert np.isfinite(np.array(LARGEST["bf16"]).astype(kinds["bf16"]).astype(np.float64))
    assert json.dumps(LARGEST)
