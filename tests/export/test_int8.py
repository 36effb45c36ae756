import shutil

import numpy as np
import onnx
import pytest
from onnx import helper

from benchmarks.family_checkpoints import FAMILIES, write_checkpoint
from distill.core.errors import UserError
from distill.core.project import ViewConfig
from distill.core.view import View
from distill.inference.onnx_runner import OnnxRunner
from distill.models import to_onnx
from distill.models.encoder import load_classifier
from export import int8
from export.build import build_untried
from export.config import load_target
from export.targets.onnx_fp32 import OnnxFp32

LONG = 30


@pytest.fixture(scope="module")
def quantised(fp32, tmp_path_factory):
    path = tmp_path_factory.mktemp("int8") / "model.onnx"
    int8.quantise(fp32("bert"), path)
    return path


def a_batch():
    ids = np.random.default_rng(1).integers(5, 100, (4, LONG))
    return {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}


def operators(path):
    return {node.name: node.op_type for node in onnx.load(path).graph.node}


def test_every_product_with_weights_is_int8_and_no_other(fp32, quantised):
    before, after = operators(fp32("bert")), operators(quantised)
    weighted = {product.name for product in int8.products(fp32("bert"))}
    assert len(weighted) == 3 * 6
    # The quantiser writes each Gemm (pooler, head) as a MatMul; those must stay fp32, like attention's own products.
    fp32_before = {name for name, operator in before.items() if operator == "MatMul"} - weighted
    heads = {f"{name}_MatMul" for name, operator in before.items() if operator == "Gemm"}
    assert len(heads) == 2
    assert {name for name, operator in after.items() if operator == "MatMul"} == fp32_before | heads
    assert list(after.values()).count("MatMulInteger") == len(weighted)


def test_weights_are_signed_with_a_scale_per_channel(quantised):
    tensors = {tensor.name: tensor for tensor in onnx.load(quantised).graph.initializer}
    weights = [name.removesuffix("_quantized") for name in tensors if name.endswith("_quantized")]
    assert len(weights) == 3 * 6
    for name in weights:
        assert tensors[f"{name}_quantized"].data_type == onnx.TensorProto.INT8
        assert tensors[f"{name}_scale"].dims == tensors[f"{name}_quantized"].dims[1:]


def test_logits_stay_near_and_are_not_the_same(fp32, quantised):
    expected, found = (OnnxRunner(path).logits(a_batch()) for path in (fp32("bert"), quantised))
    assert 0 < np.abs(expected - found).max() < 0.2 * np.ptp(expected)


def test_the_file_keeps_its_notes_and_its_source_stays_alone(fp32, quantised):
    notes = {item.key: item.value for item in onnx.load(quantised).metadata_props}
    assert notes.items() >= {item.key: item.value for item in onnx.load(fp32("bert")).metadata_props}.items()
    for path in (fp32("bert"), quantised):
        assert [entry.name for entry in path.parent.iterdir()] == ["model.onnx"]


def test_equal_input_gives_equal_bytes_in_silence(fp32, quantised, tmp_path, capfd):
    int8.quantise(fp32("bert"), tmp_path / "again.onnx")
    assert (tmp_path / "again.onnx").read_bytes() == quantised.read_bytes()
    assert capfd.readouterr() == ("", "")


def test_stored_shapes_that_clash_do_not_stop_the_quantiser(edited, tmp_path):
    def clash(model):
        first = next(node for node in model.graph.node if node.op_type == "MatMul")
        shape = helper.make_tensor_value_info(first.output[0], onnx.TensorProto.FLOAT, [2, 7, 99])
        model.graph.value_info.append(shape)

    int8.quantise(edited(clash), tmp_path / "out.onnx")
    assert OnnxRunner(tmp_path / "out.onnx").logits(a_batch()).shape == (4, 3)


def test_kept_products_stay_fp32(fp32, tmp_path):
    kept = [product.name for product in int8.products(fp32("bert"))][:5]
    int8.quantise(fp32("bert"), tmp_path / "out.onnx", keep_fp32=kept)
    after = operators(tmp_path / "out.onnx")
    assert all(after[name] == "MatMul" for name in kept)
    assert list(after.values()).count("MatMulInteger") == 3 * 6 - 5


def test_seven_bit_weights_use_half_the_range(fp32, tmp_path):
    int8.quantise(fp32("bert"), tmp_path / "out.onnx", reduce_range=True)
    tensors = onnx.load(tmp_path / "out.onnx").graph.initializer
    largest = [
        np.abs(onnx.numpy_helper.to_array(t).astype(int)).max() for t in tensors if t.name.endswith("_quantized")
    ]
    assert largest and max(largest) <= 64


@pytest.mark.parametrize(
    ("family", "output", "last_of_first_layer"),
    [
        ("bert", "bert.encoder.layer.{}.output.dense/MatMul", 6),
        ("roberta", "roberta.encoder.layer.{}.output.dense/MatMul", 6),
        ("distilbert", "distilbert.transformer.layer.{}.ffn.lin2/MatMul", 6),
    ],
)
def test_rungs_keep_ever_more_of_what_is_sensitive(fp32, family, output, last_of_first_layer):
    rungs = int8.rungs(fp32(family))
    names = [product.name for product in int8.products(fp32(family))]
    outputs = {output.format(layer) for layer in range(3)}
    assert list(rungs) == ["all", "keep_first_layer", "keep_ffn_outputs", "keep_first_layer_and_ffn_outputs"]
    assert rungs["all"] == []
    assert rungs["keep_first_layer"] == names[:last_of_first_layer]
    assert set(rungs["keep_ffn_outputs"]) == outputs
    assert set(rungs["keep_first_layer_and_ffn_outputs"]) == outputs | set(names[:last_of_first_layer])


def test_a_file_to_be_timed_can_leave_in_fp32_what_a_trained_one_may_have_to(fp32, tmp_path):
    base, target = tmp_path / "fp32", load_target("onnx-int8")
    base.mkdir()
    shutil.copy(fp32("bert"), base / OnnxFp32.model)
    count = {}
    for most_exact in (False, True):
        folder = tmp_path / f"exact-{most_exact}"
        folder.mkdir()
        build_untried(target, tmp_path, [], folder, base, most_exact=most_exact)
        count[most_exact] = list(operators(folder / target.model).values()).count("MatMulInteger")
    kept = set(int8.rungs(fp32("bert"))["keep_first_layer_and_ffn_outputs"])
    assert count[False] - count[True] == len(kept) > 0


def test_patterns_stay_on_every_rung(fp32):
    rungs = int8.rungs(fp32("bert"), ["*.layer.2.*"])
    assert len(rungs["all"]) == 6
    assert all(set(rungs["all"]) <= set(kept) for kept in rungs.values())


@pytest.mark.parametrize(
    ("patterns", "message"), [(["*.layer.9.*"], "no MatMul has such a name"), (["*"], "nothing is left to quantise")]
)
def test_patterns_that_do_nothing_or_everything_are_refused(fp32, patterns, message):
    with pytest.raises(UserError, match=message):
        int8.rungs(fp32("bert"), patterns)


@pytest.mark.slow
def test_products_of_gpt2_have_a_bias_inside_and_are_int8_too(tmp_path):
    start, fp32, out = (tmp_path / name for name in ("start", "fp32.onnx", "int8.onnx"))
    write_checkpoint(FAMILIES["GPT-2"], ["дрель пила", "drill"], start)
    view = ViewConfig(left=["product.title"], max_tokens=16)
    View("card", view, start / "tokenizer.json").save(start)
    load_classifier(start, ["нет", "да"]).save_pretrained(start)
    to_onnx.export_fp32(start, fp32)
    int8.quantise(fp32, out)
    assert len(int8.products(fp32)) == 4 * 4 + 1
    assert list(operators(out).values()).count("MatMulInteger") == 4 * 4 + 1
    expected, found = (OnnxRunner(path).logits(a_batch()) for path in (fp32, out))
    assert 0 < np.abs(expected - found).max() < 0.2 * np.abs(expected).max()
