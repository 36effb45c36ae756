import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from distill.core.errors import UserError
from distill.core.files import read_json
from distill.inference.onnx_runner import OnnxRunner
from distill.inference.runner_scorer import RunnerScorer
from distill.inference.token_budget import NO_LIMIT
from export import calibration, int8, int8_graph, int8_static
from export.build import export_target
from export.config import load_target
from export.evidence import Evidence, Sample
from export.int8_static import Scale
from export.parity import Original
from tests.export.conftest import make_rows


@pytest.fixture(scope="module")
def original(model_folder, rows):
    return Original(model_folder("bert"), Sample(rows), 60)


@pytest.fixture(scope="module")
def ranges(fp32, original):
    found = calibration.Ranges(fp32("bert"), sorted({product.reads for product in int8.products(fp32("bert"))}))
    original.read(found, make_rows(40))
    return found


@pytest.fixture(scope="module")
def static(fp32, ranges, tmp_path_factory):
    path = tmp_path_factory.mktemp("static") / "model.onnx"
    int8_static.quantise(fp32("bert"), path, ranges.scales("minmax", 100.0))
    return path


def batches(original, path, size):
    reader = RunnerScorer(OnnxRunner(path, threads=1), original.scorer.renderer, batch_tokens=NO_LIMIT, max_rows=size)
    return reader.score(original.rows).logits


def test_a_records_logits_do_not_depend_on_its_batch(original, static, fp32, tmp_path):
    """The promise of `batch_invariant`; dynamic int8 breaks it on the same rows, so the test can fail."""
    alone = batches(original, static, 1)
    for size in (2, 7, 32):  # rows of 4 to 40 tokens: padded, too
        np.testing.assert_allclose(batches(original, static, size), alone, atol=1e-6)
    dynamic = tmp_path / "dynamic.onnx"
    int8.quantise(fp32("bert"), dynamic)
    assert np.abs(batches(original, dynamic, 32) - batches(original, dynamic, 1)).max() > 1e-4


def test_every_product_is_u8_by_s8_with_a_scale_per_channel_and_no_other(fp32, static, ranges):
    graph = onnx.load(static).graph
    tensors = {tensor.name: tensor for tensor in graph.initializer}
    made = {output: node for node in graph.node for output in node.output}
    kinds = set()
    for node in (node for node in graph.node if node.op_type == "MatMul"):
        sides = [made[name] if name in made else None for name in node.input]
        if all(side is not None and side.op_type == "DequantizeLinear" for side in sides):
            active, weights = (tensors[side.input[2]] for side in sides)
            assert (active.data_type, weights.data_type) == (onnx.TensorProto.UINT8, onnx.TensorProto.INT8)
            assert list(active.dims) in ([], [1])
            assert len(tensors[sides[1].input[1]].dims) == 1
            kinds.add(node.name)
    assert kinds == {product.name for product in int8.products(fp32("bert"))}
    stored = {node.input[0]: tensors[node.input[1]] for node in graph.node if node.op_type == "QuantizeLinear"}
    for name, scale in ranges.scales("minmax", 100.0).items():
        assert float(numpy_helper.to_array(stored[name])) == scale.step


def test_the_residual_sums_are_not_rounded(static):
    graph = onnx.load(static).graph
    rounded = {node.output[0] for node in graph.node if node.op_type == "DequantizeLinear"}
    readers = {node.op_type for node in graph.node if rounded & set(node.input)}
    assert readers == {"MatMul"}


def test_the_faster_form_answers_the_same(static, fp32, ranges, original, tmp_path, monkeypatch):
    monkeypatch.setattr(int8_graph, "speed_up", lambda model: {})
    int8_static.quantise(fp32("bert"), tmp_path / "plain.onnx", ranges.scales("minmax", 100.0))
    assert len(onnx.load(static).graph.node) <= len(onnx.load(tmp_path / "plain.onnx").graph.node) - 10
    np.testing.assert_allclose(batches(original, static, 7), batches(original, tmp_path / "plain.onnx", 7), atol=1e-5)


def test_answers_stay_near_and_are_not_the_same(original, static):
    difference = np.abs(batches(original, static, 1) - original.logits).max()
    assert 0 < difference < 0.2 * np.ptp(original.logits)


@pytest.mark.parametrize(("low", "high", "zero"), [(-1.0, 3.0, 64), (0.5, 2.0, 0), (-4.0, -1.0, 255), (0.0, 0.0, 0)])
def test_a_scale_covers_the_range_and_holds_zero(low, high, zero):
    found = Scale.of_range(low, high)
    assert found.zero == zero
    ends = [(level - found.zero) * found.step for level in (0, 255)]
    assert ends[0] <= min(low, 0) + found.step and ends[1] >= max(high, 0) - found.step


def test_ranges_hold_every_value_and_methods_cut_the_outermost(ranges):
    whole, cut = (ranges.scales(*how) for how in (("minmax", 100.0), ("percentile", 99.0)))
    assert whole.keys() == cut.keys()
    assert all(cut[name].step <= whole[name].step for name in whole)
    assert sum(cut[name].step for name in cut) < 0.95 * sum(whole[name].step for name in whole)


def test_memory_does_not_grow_with_the_records(fp32, original):
    found = calibration.Ranges(fp32("bert"), [int8.products(fp32("bert"))[0].reads])

    def held():
        return sum(part.nbytes for one in found._collector.get_histogram_dict().values() for part in one[:2])

    original.read(found, make_rows(30))
    before = held()
    original.read(found, make_rows(30) * 4)
    assert held() == before > 0


def test_activations_that_are_not_finite_are_named(edited, original):
    def infinite(model):
        bias = next(one for one in model.graph.initializer if one.name == "bert.embeddings.LayerNorm.bias")
        values = numpy_helper.to_array(bias).copy()
        values[3] = np.inf
        bias.CopyFrom(numpy_helper.from_array(values, bias.name))

    path = edited(infinite)
    found = calibration.Ranges(path, [int8.products(path)[0].reads])
    with pytest.raises(UserError, match="an activation is NaN or infinite"):
        original.read(found, make_rows(2))


def test_the_target_calibrates_on_other_records_than_judge_and_says_what_it_took(fp32, model_folder, rows, tmp_path):
    asked = []
    evidence = Evidence(Sample(rows[:20]), Sample(rows[20:40]), lambda: asked.append(1) or rows[40:60])
    target = load_target("onnx-int8-static", {"max_flips": 1, "calibration_rows": 7})
    export_target(target, model_folder("bert"), evidence, tmp_path, fp32("bert").parent)
    assert asked == [1]
    parity = read_json(tmp_path / "parity.json")
    assert (parity["rung"], parity["calibration_rows"], parity["chosen_on"]["apart"]) == ("all, minmax", 7, True)
    assert parity["graph"]["short_mask"] and parity["graph"]["sums"] > 0  # the form that ONNX Runtime runs faster
    assert parity["batch_shift"] < 1e-6
    assert set(parity["changes"]) == {"flips", "shift_max", "decisions", "class_f1"}


def test_without_records_to_calibrate_on_it_is_refused(fp32, model_folder, rows, tmp_path):
    target = load_target("onnx-int8-static", {"parity_rows": 5})
    with pytest.raises(UserError, match="needs records to calibrate on"):
        export_target(target, model_folder("bert"), Evidence(Sample(rows)), tmp_path, fp32("bert").parent)
