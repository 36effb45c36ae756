"""The faster form of an int8 graph gives equal logits, and a graph of another form keeps that."""

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import helper, numpy_helper

from export import int8, int8_graph

FAMILIES = ("bert", "roberta", "distilbert")
LEVEL = onnxruntime.GraphOptimizationLevel


@pytest.fixture(scope="module")
def as_quantised(fp32, tmp_path_factory):
    """`as_quantised(family)`: a fresh copy of the model as the quantiser leaves it."""
    made = {}

    def get(family):
        if family not in made:
            out = tmp_path_factory.mktemp(family) / "model.onnx"
            assert int8.quantise(fp32(family), out, faster=False) == {}
            made[family] = out.read_bytes()
        return onnx.load_from_string(made[family])

    return get


def session(model, level=LEVEL.ORT_DISABLE_ALL, written=None):
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level, options.log_severity_level = level, 3
    if written:
        options.optimized_model_filepath = str(written)
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def logits(model):
    """Of a batch with padding on both sides and of a row alone, operator by operator."""
    opened, ids = session(model), np.random.default_rng(1).integers(5, 100, (3, 17))
    mask = np.ones_like(ids)
    mask[1, 9:], mask[2, :4] = 0, 0
    batch = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
    names = [item.name for item in opened.get_inputs()]
    answers = [opened.run(None, {name: batch[name][:rows] for name in names})[0] for rows in (3, 1)]
    return np.concatenate(answers)


def operators(model):
    return [node.op_type for node in model.graph.node]


@pytest.mark.parametrize("family", FAMILIES)
def test_the_faster_form_has_standard_operators_and_gives_equal_logits(as_quantised, family):
    before, after = as_quantised(family), as_quantised(family)
    # Two residual additions in each of three layers, and those of the embeddings.
    assert int8_graph.speed_up(after) == {"sums": 7, "short_mask": True}
    onnx.checker.check_model(after, full_check=True)
    assert {node.domain for node in after.graph.node} <= {""}
    assert len(after.graph.node) <= len(before.graph.node) - 10
    np.testing.assert_array_equal(logits(after), logits(before))
    assert np.ptp(logits(after)) > 0.1


def test_the_last_layer_still_computes_the_first_token_only(as_quantised):
    model = as_quantised("bert")
    int8_graph.speed_up(model)
    sliced = [node for node in model.graph.node if node.op_type == "Slice" and ".layer.2/" in node.name]
    assert len(sliced) == 2  # of the hidden states and of the mask


def test_the_runtime_leaves_normalisation_apart(as_quantised, tmp_path):
    written = {}
    for name in ("before", "after"):
        model = as_quantised("bert")
        if name == "after":
            int8_graph.speed_up(model)
        session(model, LEVEL.ORT_ENABLE_EXTENDED, tmp_path / f"{name}.onnx")
        written[name] = operators(onnx.load(tmp_path / f"{name}.onnx"))
    assert "SkipLayerNormalization" in written["before"]
    assert "SkipLayerNormalization" not in written["after"]


def test_the_file_is_the_faster_form_and_says_so(fp32, tmp_path):
    assert int8.quantise(fp32("bert"), tmp_path / "model.onnx") == {"sums": 7, "short_mask": True}
    found = operators(onnx.load(tmp_path / "model.onnx"))
    assert (found.count("Sum"), found.count("GatherND")) == (7, 0)


def add_to_tokens(model):
    """The mask adds a number to the scores of tokens, as a bias of positions does."""
    where = next(node for node in model.graph.node if node.op_type == "Where")
    model.graph.initializer.append(numpy_helper.from_array(np.array(0.5, np.float32), "half"))
    where.input[1] = "half"


def look_back_only(model):
    """Attention is causal: a token does not look at those after it."""
    look_only_at(model, np.tril(np.ones((3000, 3000), bool)))


def look_near_only(model):
    """Attention is local: a token looks at 500 before and after it."""
    distance = np.subtract.outer(np.arange(3000), np.arange(3000))
    look_only_at(model, np.abs(distance) <= 500)


def look_only_at(model, which):
    graph = model.graph
    where = next(node for node in graph.node if node.op_type == "Where")
    low = which[None, None]
    for name, value in {"low": low, "from": np.array([0, 0]), "axes": np.array([2, 3]), "one": np.array([1])}.items():
        graph.initializer.append(numpy_helper.from_array(value, name))
    made = [
        helper.make_node("Shape", ["input_ids"], ["length"], start=1),
        helper.make_node("Concat", ["length", "length"], ["lengths"], axis=0),
        helper.make_node("Slice", ["low", "from", "lengths", "axes"], ["back"]),
        helper.make_node("And", [where.input[0], "back"], ["causal"]),
    ]
    where.input[0] = "causal"
    nodes = list(graph.node)
    nodes[nodes.index(where) : nodes.index(where)] = made
    del graph.node[:]
    graph.node.extend(nodes)


def multiply_by_it(model):
    """What attention adds is read by another operator, too, which might need its shape."""
    where = next(node for node in model.graph.node if node.op_type == "Where")
    model.graph.node.append(helper.make_node("Shape", [where.output[0]], ["its_shape"]))
    model.graph.output.append(helper.make_tensor_value_info("its_shape", onnx.TensorProto.INT64, [4]))


@pytest.mark.parametrize("change", [add_to_tokens, look_back_only, look_near_only, multiply_by_it])
def test_a_mask_that_says_more_stays(as_quantised, change):
    before, after = as_quantised("bert"), as_quantised("bert")
    change(before)
    change(after)
    assert int8_graph.shorten_mask(after) is False
    assert after == before


def test_a_bias_stays_an_addition(as_quantised):
    model = as_quantised("bert")
    first = next(node for node in model.graph.node if node.op_type == "LayerNormalization")
    made = next(node for node in model.graph.node if node.output[0] == first.input[0])
    weights = {tensor.name for tensor in model.graph.initializer}
    made.input[1] = first.input[2]
    assert made.op_type == "Add" and made.input[1] in weights
    assert int8_graph.sum_residuals(model.graph) == 6
    assert made.op_type == "Add"
