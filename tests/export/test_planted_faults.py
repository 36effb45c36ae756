"""Faults planted in an exported file: parity sees each, or the file does not open.

Faults of the view, the tokenizer, the labels and what was chosen for them are planted in the builder of bundles:
`test_built_wrong.py`. Int8 that saturates is in `test_parity.py`.
"""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from distill.core.errors import UserError
from distill.core.project import Gates
from distill.evaluation.gates import judged_parity
from distill.inference.onnx_runner import OnnxRunner
from export import int8, parity
from export.config import load_target
from export.evidence import Sample

FP32, INT8 = load_target("onnx"), load_target("onnx-int8")
LONGEST = 40


@pytest.fixture(scope="module")
def original(model_folder, rows):
    return parity.Original(model_folder("bert"), Sample(rows), limit=60)


def passes(original, path, target=FP32):
    return judged_parity(Gates(), [parity.measure(original, OnnxRunner(path), target)])[0]["passed"]


def change(model, name, edit):
    """Replace an initialiser's values by `edit(values)`."""
    tensor = next(tensor for tensor in model.graph.initializer if tensor.name == name)
    tensor.CopyFrom(numpy_helper.from_array(edit(numpy_helper.to_array(tensor).copy()), name))


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
        model.graph.node.append(helper.make_node(operator, [begin, *options.pop("also", [])], [end], **options))


def freeze(axis, size):
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


def ignore_the_mask(model):
    """As traced on rows that fill the view: right where nothing is padded."""
    cast = next(node for node in model.graph.node if list(node.input) == ["attention_mask"])
    cast.input[0] = "all_read"
    model.graph.node.insert(0, helper.make_node("Equal", ["input_ids", "input_ids"], ["all_read"]))


def softmax_twice(model):
    append(model, ("Softmax", {"axis": -1}))


def scaled(model):
    model.graph.initializer.append(numpy_helper.from_array(np.float32(1.01), "factor"))
    append(model, ("Mul", {"also": ["factor"]}))


def reverse_the_labels(model):
    for name in ("classifier.weight", "classifier.bias"):
        change(model, name, lambda values: values[::-1])


def overflow_in_fp16(model):
    """An activation of 70,000 fits fp32 and not fp16."""
    for name, value in (("up", 1e6), ("down", 1e-6)):
        model.graph.initializer.append(numpy_helper.from_array(np.float32(value), name))
    half, full = {"to": TensorProto.FLOAT16}, {"to": TensorProto.FLOAT}
    append(model, ("Mul", {"also": ["up"]}), ("Cast", half), ("Cast", full), ("Mul", {"also": ["down"]}))


def drop_a_layer(model):
    feed(model, "layer_norm_4", "layer_norm_2")


def perturb_an_initialiser(model):
    change(model, "bert.encoder.layer.1.output.LayerNorm.bias", lambda values: values * np.float32(1.01))


FAULTS = {
    "ids and types swapped": swap_ids_and_types,
    "batch axis frozen": freeze(0, 2),
    "sequence axis frozen at the sample": freeze(1, 7),
    "sequence axis frozen at the sample in silence": freeze_positions,
    "sequence axis frozen at max_tokens": freeze(1, LONGEST),
    "sequence axis frozen at max_tokens in silence": ignore_the_mask,
    "softmax twice": softmax_twice,
    "logits scaled": scaled,
    "labels reversed": reverse_the_labels,
    "fp16 overflow": overflow_in_fp16,
    "a layer dropped": drop_a_layer,
    "an initialiser perturbed by 1%": perturb_an_initialiser,
}


@pytest.mark.parametrize("fault", FAULTS)
def test_parity_fails(original, edited, fault):
    FAULTS[fault].__name__ = fault.replace(" ", "_")
    assert not passes(original, edited(FAULTS[fault]))


def test_without_a_fault_it_passes(original, fp32):
    assert passes(original, fp32("bert"))


def test_lost_external_data_is_named(fp32, tmp_path):
    path = tmp_path / "model.onnx"
    onnx.save(onnx.load(fp32("bert")), path, save_as_external_data=True, location="weights", size_threshold=1024)
    OnnxRunner(path)
    (tmp_path / "weights").unlink()
    with pytest.raises(UserError, match="cannot load the ONNX file") as caught:
        OnnxRunner(path)
    assert caught.value.where == str(path)


@pytest.mark.parametrize("fault", ["a layer dropped", "labels reversed", "fp16 overflow"])
def test_int8_of_a_faulty_file_fails_by_its_labels(original, edited, tmp_path, fault):
    int8.quantise(edited(FAULTS[fault]), tmp_path / "model.onnx")
    assert not passes(original, tmp_path / "model.onnx", INT8)
