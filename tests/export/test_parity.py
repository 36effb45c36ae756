import json
import shutil

import numpy as np
import onnx
import pytest

from distill.core.errors import UserError
from distill.core.project import Gates
from distill.evaluation.gates import judged_parity
from distill.inference.onnx_runner import OnnxRunner
from export import int8, parity
from export.config import load_target
from export.evidence import Sample
from tests.export.faults import change, freeze, freeze_positions, weights_of

GATES = Gates()
FP32, INT8 = load_target("onnx"), load_target("onnx-int8")


@pytest.fixture(scope="module")
def original(model_folder, rows):
    return parity.Original(model_folder("bert"), Sample(rows), limit=100)


def check(original, path, target, gates=GATES):
    """What is measured on a file, judged as the report does."""
    return judged_parity(gates, [parity.measure(original, OnnxRunner(path), target)])[0]


def test_a_faithful_export_passes_on_every_cell(original, fp32):
    result = check(original, fp32("bert"), FP32)
    assert result["passed"] and result["finite"] and result["error"] is None
    assert 0 < result["max_abs_diff"] <= result["required"] == 1e-4
    assert (result["label_flips"], result["rows"], result["precision"]) == (0, 100, "fp32")
    assert result["criterion"] == "parity"
    assert json.loads(json.dumps(result, allow_nan=False)) == result


def test_the_grid_reaches_the_empty_text_odd_lengths_and_the_maximum_of_the_view(original, fp32):
    grid = check(original, fp32("bert"), FP32)["grid"]
    lengths = sorted({cell["tokens"] for cell in grid})
    assert {cell["batch"] for cell in grid} == {1, 2, 7, 8, 32}
    assert lengths[0] == 3 and lengths[-1] == 40 and any(length % 2 for length in lengths[1:-1])
    assert len(grid) == 5 * len(lengths)


def swap_mask_and_types(model):
    names = {"attention_mask": "token_type_ids", "token_type_ids": "attention_mask"}
    for node in model.graph.node:
        for index, name in enumerate(node.input):
            node.input[index] = names.get(name, name)


freeze_sequence = freeze(1, 7)


def perturb_weight(model):
    change(model, "classifier.bias", lambda bias: bias + np.float32([0.01, 0, 0]))


def spoil_with_nan(model):
    change(model, "classifier.bias", lambda bias: bias * np.float32(np.nan))


def drop_a_class(model):
    for name in ("classifier.weight", "classifier.bias"):
        change(model, name, lambda values: values[:2])
    model.graph.output[0].type.tensor_type.shape.dim[1].dim_value = 2


@pytest.mark.parametrize(
    "fault", [swap_mask_and_types, freeze_sequence, freeze_positions, perturb_weight, spoil_with_nan, drop_a_class]
)
def test_a_planted_fault_fails(original, edited, fault):
    result = check(original, edited(fault), FP32)
    assert not result["passed"]
    json.dumps(result, allow_nan=False)


def test_a_small_error_is_measured_to_its_size(original, edited):
    assert check(original, edited(perturb_weight), FP32)["max_abs_diff"] == pytest.approx(0.01, abs=1e-4)


def test_an_axis_frozen_in_silence_shows_in_the_longer_cells_only(original, edited):
    result = check(original, edited(freeze_positions), FP32)
    good = [cell for cell in result["grid"] if cell["max_abs_diff"] <= 1e-4]
    assert good and all(cell["tokens"] <= 7 for cell in good)


@pytest.mark.parametrize("target", [FP32, INT8])
def test_nan_fails_even_where_the_gate_is_off(original, edited, target):
    result = check(original, edited(spoil_with_nan), target, Gates(parity_fp32=None, int8_flips=None))
    assert (result["passed"], result["finite"], result["max_abs_diff"], result["label_flips"]) == (
        False,
        False,
        None,
        1,
    )


def test_a_refused_shape_is_told_in_the_words_of_the_runtime(original, edited):
    assert "batch of 1: " in check(original, edited(freeze_sequence), FP32)["error"]


def test_a_gate_that_is_off_passes_any_finite_difference(original, edited):
    assert check(original, edited(perturb_weight), FP32, Gates(parity_fp32=None))["passed"]


def test_int8_is_judged_by_labels_not_by_logits(original, fp32, tmp_path):
    int8.quantise(fp32("bert"), tmp_path / "model.onnx")
    result = check(original, tmp_path / "model.onnx", INT8, Gates(int8_flips=0.05))
    assert result["passed"] and result["max_abs_diff"] > 1e-3
    assert result["label_flips"] <= result["required"] == 0.05
    assert result["cpu"] and result["batch_shift"] > 0


def test_int8_with_one_scale_per_tensor_fails_on_an_outlier_channel(original, edited, tmp_path, monkeypatch):
    """Queries × 3000 and keys / 3000 leave attention as it was; one scale for all channels loses the others."""

    def spread(model):
        for layer in range(2):
            path = f"bert.encoder.layer.{layer}.attention.self"
            factor = np.where(np.arange(32) % 8 == 0, np.float32(3000), np.float32(1))
            for part, scale in (("query", factor), ("key", 1 / factor)):
                change(model, weights_of(model, f"{path}.{part}/MatMul"), lambda values, s=scale: values * s)
                change(model, f"{path}.{part}.bias", lambda values, s=scale: values * s)

    source, out = edited(spread), tmp_path / "model.onnx"
    assert check(original, source, FP32, Gates(parity_fp32=1e-3))["passed"]
    int8.quantise(source, out)
    per_channel = original.changes_of(OnnxRunner(out))["flips"]
    quantise_per_tensor(source, out)
    assert original.changes_of(OnnxRunner(out))["flips"] > max(0.1, 3 * per_channel)
    assert not check(original, out, INT8, Gates(int8_flips=0.1))["passed"]


def quantise_per_tensor(source, out):
    from onnxruntime.quantization import QuantType, quantize_dynamic

    quantize_dynamic(
        onnx.load(source), out, per_channel=False, weight_type=QuantType.QInt8, op_types_to_quantize=["MatMul"]
    )


def saturate(model):
    """What 16-bit sums of U8·S8 pairs do on processors without VNNI: large weights clip."""
    name = weights_of(model, "bert.encoder.layer.0.output.dense/MatMul")
    change(model, name, lambda values: np.clip(values, -0.15, 0.15))


def test_int8_that_saturates_fails(original, edited, tmp_path):
    int8.quantise(edited(saturate), tmp_path / "model.onnx")
    result = check(original, tmp_path / "model.onnx", INT8)
    assert not result["passed"] and result["label_flips"] > 0.01


def test_rows_are_spread_evenly_and_needed(model_folder, rows):
    assert parity.Original(model_folder("bert"), Sample(rows[:10]), limit=4).rows == [rows[i] for i in (0, 2, 5, 7)]
    with pytest.raises(UserError, match="real records"):
        parity.Original(model_folder("bert"), Sample([]), limit=4)


def test_labels_of_a_multi_label_model_flip_one_by_one(model_folder, rows, tmp_path):
    folder = shutil.copytree(model_folder("bert"), tmp_path / "multi")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "problem_type": "multi_label_classification"}))
    original = parity.Original(folder, Sample(rows[:4]), limit=4)
    other = original.logits.copy()
    other[0, 0] = -other[0, 0]
    assert (original.objective.name, original.flips(original.logits), original.flips(other)) == ("multi", 0, 0.25)
