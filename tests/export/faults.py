"""Faults for an exported BERT of three layers: each takes an ONNX model and changes it in place."""

from collections.abc import Callable

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

LAYER = "bert.encoder.layer"


def change(model, name, edit):
    """Replace an initialiser's values by `edit(values)`."""
    tensor = next(tensor for tensor in model.graph.initializer if tensor.name == name)
    tensor.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(edit(numpy_helper.to_array(tensor).copy())), name))


def feed(model, old, new):
    """Let every node that reads `old` read `new`."""
    for node in model.graph.node:
        for index, name in enumerate(node.input):
            node.input[index] = new if name == old else name


def append(model, *operators):
    """Let operators of one input follow the logits."""
    last = next(node for node in model.graph.node if "logits" in node.output)
    last.output[0] = "inner"
    for index, (operator, options) in enumerate(operators):
        end = "logits" if index == len(operators) - 1 else f"inner_{index}"
        begin = "inner" if index == 0 else f"inner_{index - 1}"
        also = options.get("also", [])
        kept = {key: value for key, value in options.items() if key != "also"}
        model.graph.node.append(helper.make_node(operator, [begin, *also], [end], name=f"planted_{index}", **kept))


def constant(model, name, values):
    """Add an initialiser."""
    model.graph.initializer.append(numpy_helper.from_array(np.asarray(values), name))
    return name


def weights_of(model, node_name):
    """The name of the weights that a product multiplies by."""
    return next(node.input[1] for node in model.graph.node if node.name == node_name)


def freeze(axis, size):
    """A fault: the inputs' axis has a fixed size."""

    def frozen(model):
        for value in model.graph.input:
            value.type.tensor_type.shape.dim[axis].dim_value = size

    return frozen


def swap_ids_and_types(model):
    names = {"input_ids": "token_type_ids", "token_type_ids": "input_ids"}
    for node in model.graph.node:
        if node.op_type == "Gather":
            node.input[:] = [names.get(name, name) for name in node.input]


def freeze_positions(model):
    """As traced at seven tokens: right up to there, silently wrong beyond."""
    change(model, "bert.embeddings.position_ids", lambda positions: np.minimum(positions, 6))


def start_positions_later(model):
    """As RoBERTa counts them: from the padding's number on."""
    change(model, "bert.embeddings.position_ids", lambda positions: np.minimum(positions + 1, positions.size - 1))


def ignore_the_mask(model):
    """As traced on rows that fill the view: right where nothing is padded."""
    cast = next(node for node in model.graph.node if list(node.input) == ["attention_mask"])
    cast.input[0] = "all_read"
    model.graph.node.insert(0, helper.make_node("Equal", ["input_ids", "input_ids"], ["all_read"], name="all"))


def ignore_the_types(model):
    gather = next(node for node in model.graph.node if "token_type" in node.name and node.op_type == "Gather")
    gather.input[1] = "no_types"
    zero = constant(model, "no_type", np.int64(0))
    model.graph.node.insert(0, helper.make_node("Mul", ["token_type_ids", zero], ["no_types"], name="no_types"))


def swap_two_layers(model):
    constants = {tensor.name for tensor in model.graph.initializer}
    by_name = {node.name: node for node in model.graph.node}
    for name, node in by_name.items():
        if name.startswith(f"{LAYER}.0."):
            other = by_name.get(name.replace(f"{LAYER}.0.", f"{LAYER}.1."))
            for index, read in enumerate(node.input if other else ()):
                if read in constants:
                    node.input[index], other.input[index] = other.input[index], node.input[index]


def drop_a_layer(model):
    feed(model, "layer_norm_4", "layer_norm_2")


def reverse_the_labels(model):
    for name in ("classifier.weight", "classifier.bias"):
        change(model, name, lambda values: values[::-1])


def pool_the_second_token(model):
    node = next(node for node in model.graph.node if node.name == f"{LAYER}.2/Slice")
    node.input[1], node.input[2] = constant(model, "from_1", np.array([1])), constant(model, "to_2", np.array([2]))


def shift_the_vocabulary(model):
    change(model, "bert.embeddings.word_embeddings.weight", lambda rows: np.roll(rows, 1, axis=0))


def cut_the_vocabulary(model):
    change(model, "bert.embeddings.word_embeddings.weight", lambda rows: rows[: len(rows) // 2])


def one_weight_nan(model):
    def spoil(values):
        values[3, 5] = np.nan
        return values

    change(model, weights_of(model, f"{LAYER}.1.output.dense/MatMul"), spoil)


def forget_the_attention_scale(model):
    name = next(node.input[1] for node in model.graph.node if node.op_type == "Mul" and "attention" in node.name)
    change(model, name, np.ones_like)


def relu_for_gelu(model):
    for node in model.graph.node:
        if node.op_type == "Gelu":
            node.op_type = "Relu"
            del node.attribute[:]


def epsilon(value):
    """A fault: another epsilon in every LayerNormalization."""

    def planted(model):
        for node in model.graph.node:
            if node.op_type == "LayerNormalization":
                next(item for item in node.attribute if item.name == "epsilon").f = value

    return planted


def softmax_inside(model):
    append(model, ("Softmax", {"axis": -1}))


def factor(value):
    """A fault: the logits are scaled."""

    def scaled(model):
        append(model, ("Mul", {"also": [constant(model, "factor", np.float32(value))]}))

    return scaled


def other_weights(model):
    """Another model of the same shape."""
    chance = np.random.default_rng(9)
    for tensor in list(model.graph.initializer):
        if tensor.data_type == TensorProto.FLOAT and len(tensor.dims) == 2:
            change(model, tensor.name, lambda values: chance.permutation(values.ravel()).reshape(values.shape))


def overflow_in_fp16(model):
    """An activation of 70,000 fits fp32 and not fp16."""
    up, down = (constant(model, name, np.float32(value)) for name, value in (("up", 1e6), ("down", 1e-6)))
    half, full = {"to": TensorProto.FLOAT16}, {"to": TensorProto.FLOAT}
    append(model, ("Mul", {"also": [up]}), ("Cast", half), ("Cast", full), ("Mul", {"also": [down]}))


def perturb_an_initialiser(model):
    change(model, f"{LAYER}.1.output.LayerNorm.bias", lambda values: values * np.float32(1.01))


def _scales(model, kinds):
    """Names of the float scales that nodes of these kinds read."""
    return sorted({node.input[1] for node in model.graph.node if node.op_type in kinds})


def saturate(model):
    """Activations beyond an eighth of their range are clipped, as by scales of other records."""
    for name in _scales(model, {"QuantizeLinear"}):
        change(model, name, lambda step: step / 8)


def swap_channel_scales(model):
    """Each product's weights have the scales of the opposite channels."""
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    for tensor in constants.values():
        if tensor.name.endswith("_scale") and len(tensor.dims) == 1 and tensor.dims[0] > 1:
            change(model, tensor.name, lambda steps: np.sort(steps)[::-1][np.argsort(np.argsort(steps))])


def move_zero_points(model):
    """Activations are read as if 0 were elsewhere."""
    for node in [node for node in model.graph.node if node.op_type == "DequantizeLinear"]:
        tensor = next(one for one in model.graph.initializer if one.name == node.input[2])
        if tensor.data_type == TensorProto.UINT8:
            moved = constant(model, f"{node.name}_zero", (numpy_helper.to_array(tensor) ^ 16).astype(np.uint8))
            node.input[2] = moved


def planted(source, out, fault: Callable[[onnx.ModelProto], None]) -> None:
    """Write a copy of an ONNX file with a fault."""
    model = onnx.load(source)
    fault(model)
    onnx.save(model, out)
