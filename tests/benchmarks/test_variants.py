"""Further forms of a run's models: int8 teachers, compiled models, a model beside itself."""

from dataclasses import replace

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from benchmarks import variants
from benchmarks.config import BenchConfig
from benchmarks.subjects import reference
from benchmarks.variants import against_itself, with_variants
from benchmarks.weights import file_bytes, file_weights, require_precision, weights_of
from distill.core.errors import UserError
from export.targets import target_class
from export.targets.onnx_fp32 import OnnxFp32

ALL = BenchConfig(openvino=False)
NONE = BenchConfig(trained_students=False, int8_teachers=False, openvino=False)


@pytest.fixture
def subjects(subject, tmp_path):
    """A document teacher with a file of one product, and a student with an int8 file and as it was trained."""
    folder = tmp_path / "base-onnx"
    folder.mkdir()
    weights = [np.ones((64, 64), np.float32), np.ones((64, 3), np.float32)]
    held = [numpy_helper.from_array(one, f"w{number}") for number, one in enumerate(weights)]
    nodes = [
        helper.make_node("MatMul", ["x", "w0"], ["y"], name="encoder.layer.0"),
        helper.make_node("MatMul", ["y", "w1"], ["logits"], name="classifier"),
    ]
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["B", s]) for n, s in (("x", 64), ("logits", 3))]
    graph = helper.make_graph(nodes, "tiny", ends[:1], ends[1:], held)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.save(model, folder / "model.onnx")
    teacher = subject("base@document", "document", "pytorch", "fp32", "teacher")
    file = {"runtime": "onnxruntime", "target": "onnx_fp32", "export": folder}
    int8 = subject("3L@card.onnx-int8")
    return [
        teacher,
        replace(teacher, name="base@document.onnx", **file),
        replace(int8, name="3L@card", runtime="pytorch", precision="fp32", export=None),
        int8,
    ]


def names(subjects, config, folder):
    return [one.name for one in with_variants(subjects, config, folder)[0]]


def test_document_teachers_are_timed_as_int8_where_students_are(subjects, tmp_path, monkeypatch):
    plain = ["base@document", "base@document.onnx", "3L@card", "3L@card.onnx-int8"]
    assert names(subjects, BenchConfig(int8_teachers=False, openvino=False), tmp_path) == plain
    assert names(subjects[:3], ALL, tmp_path) == plain[:3]
    found, left_out = with_variants(subjects, ALL, tmp_path)
    assert [one.name for one in found] == [*plain, "base@document.onnx-int8"] and left_out == {}
    made = found[-1]
    assert made.speed_only and made.role == "teacher" and made.target == "onnx_int8_dynamic"
    weights = weights_of(made, {})
    assert weights["int8"] == 64 * 64 and file_bytes(made) < file_bytes(found[1])
    require_precision(made, weights)
    with pytest.raises(UserError, match="not in int8, as its row would say"):
        require_precision(made, file_weights(found[1].export / "model.onnx"))


def test_students_as_they_were_trained_are_left_out_where_they_have_files(subjects, tmp_path):
    assert names(subjects, NONE, tmp_path) == ["base@document", "base@document.onnx", "3L@card.onnx-int8"]
    assert names(subjects[:3], NONE, tmp_path) == ["base@document", "base@document.onnx", "3L@card"]


def test_compiled_models_are_further_subjects(subjects, tmp_path, monkeypatch):
    config = BenchConfig(compiled=True, int8_teachers=False, openvino=False)
    monkeypatch.setattr(variants, "has_compiler", lambda: True)
    found, _ = with_variants(subjects, config, tmp_path)
    assert [one.name for one in found if one.compiled] == ["base@document.compiled", "3L@card.compiled"]
    assert reference(found).name == "base@document" and reference(found[-2:]) is None
    monkeypatch.setattr(variants, "has_compiler", lambda: False)
    _, left_out = with_variants(subjects, config, tmp_path)
    assert set(left_out) == {"base@document.compiled", "3L@card.compiled"}
    assert "no compiler" in left_out["3L@card.compiled"]


def test_fp32_files_are_timed_in_openvino_where_it_is_installed(subjects, tmp_path, monkeypatch):
    config = BenchConfig(int8_teachers=False)
    monkeypatch.setattr(variants, "find_spec", lambda name: None)
    assert not any("openvino" in name for name in names(subjects, config, tmp_path))
    monkeypatch.setattr(variants, "find_spec", lambda name: name)
    found, _ = with_variants(subjects, config, tmp_path)
    (made,) = [one for one in found if one.runtime == "openvino"]
    assert made.name == "base@document.onnx.openvino" and made.export == subjects[1].export
    assert issubclass(target_class(made.target), OnnxFp32) and weights_of(made, {})["float32"] == 64 * 64
    pytest.importorskip("openvino")
    runner = target_class(made.target).open(made.export, threads=1)
    assert runner.logits({"x": np.ones((2, 64), np.float32)}).tolist() == [[64.0 * 64] * 3] * 2


def test_a_model_beside_itself(subjects):
    assert [one.name for one in against_itself(subjects)] == ["base@document", "base@document again"]
    with pytest.raises(UserError, match="no document teacher"):
        against_itself(subjects[1:])
