import sys

import numpy as np
import pytest

from distill.core.errors import MissingExtra, UserError
from distill.inference.onnx_runner import OnnxRunner

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

BATCH = {
    "input_ids": np.array([[2, 5, 3]]),
    "attention_mask": np.array([[1, 1, 1]]),
    "token_type_ids": np.array([[0, 0, 1]]),
}


def _graph(path, names, kind=onnx.TensorProto.INT64):
    """logits = Σ over inputs of their values as floats, so that a swapped or missing input would show."""
    helper = onnx.helper
    weights = {"input_ids": 1.0, "attention_mask": 10.0, "token_type_ids": 100.0}
    nodes, terms = [], []
    for name in names:
        nodes += [
            helper.make_node("Cast", [name], [f"{name}_f"], to=onnx.TensorProto.FLOAT),
            helper.make_node("Mul", [f"{name}_f", f"{name}_w"], [f"{name}_t"]),
        ]
        terms.append(f"{name}_t")
    nodes.append(helper.make_node("Sum", terms, ["logits"]))
    shaped = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        "g",
        [shaped(name, kind, ["B", "S"]) for name in names],
        [shaped("logits", onnx.TensorProto.FLOAT, ["B", "S"])],
        [helper.make_tensor(f"{name}_w", onnx.TensorProto.FLOAT, [], [weights[name]]) for name in names],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10), path)
    return path


def test_inputs_go_by_name(tmp_path):
    path = _graph(tmp_path / "m.onnx", ["token_type_ids", "input_ids", "attention_mask"])
    logits = OnnxRunner(path, threads=1).logits(BATCH)
    assert logits.dtype == np.float32 and logits.tolist() == [[12.0, 15.0, 113.0]]


def test_only_inputs_of_the_graph_are_fed(tmp_path):
    path = _graph(tmp_path / "m.onnx", ["input_ids", "attention_mask"], kind=onnx.TensorProto.INT32)
    assert OnnxRunner(path).logits(BATCH).tolist() == [[12.0, 15.0, 13.0]]


@pytest.mark.parametrize("content", [b"", b"not a graph", None])
def test_unreadable_file_is_named(content, tmp_path):
    if content is not None:
        (tmp_path / "m.onnx").write_bytes(content)
    with pytest.raises(UserError, match="m.onnx"):
        OnnxRunner(tmp_path / "m.onnx")


def test_too_little_memory_is_no_fault_of_the_file(tmp_path, monkeypatch):
    def fails(*arguments, **options):
        raise Exception("Failed to allocate memory for requested buffer of size 144")

    monkeypatch.setattr("distill.inference.onnx_runner.open_session", fails)
    with pytest.raises(Exception, match="Failed to allocate") as caught:
        OnnxRunner(tmp_path / "m.onnx")
    assert not isinstance(caught.value, UserError)


def test_absent_provider_is_not_replaced_in_silence(tmp_path):
    path = _graph(tmp_path / "m.onnx", ["input_ids"])
    import onnxruntime

    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("has the CUDA provider")
    allowed = {"providers": ("CUDAExecutionProvider", "CPUExecutionProvider")}
    with pytest.raises(UserError, match="needs CUDAExecutionProvider.*pip install onnxruntime-gpu"):
        OnnxRunner(path, facts=allowed, provider="cuda")
    assert OnnxRunner(path, facts=allowed).provider == "CPUExecutionProvider"


def test_missing_runtime_names_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(MissingExtra, match=r"distill\[cpu\]"):
        OnnxRunner(_graph(tmp_path / "m.onnx", ["input_ids"]))
