import json

import numpy as np
import onnx
import pytest

from benchmarks.family_checkpoints import FAMILIES as TINY
from benchmarks.family_checkpoints import write_checkpoint
from distill.core.errors import UserError
from distill.core.files import sha256
from distill.core.rendering import Window
from distill.core.view import View
from distill.inference.collate import collate
from distill.inference.onnx_runner import OnnxRunner
from distill.inference.torch_runner import TorchRunner
from distill.models import to_onnx
from distill.models.encoder import load_classifier
from export.config import load_target
from export.exporters.transformers import UNTRACEABLE

FAMILIES = ("bert", "roberta", "distilbert")


def random_batch(lengths, seed=0):
    chance = np.random.default_rng(seed)
    windows = [Window(list(chance.integers(5, 100, n)), [0] * (n // 2) + [1] * (n - n // 2)) for n in lengths]
    return collate(windows, pad_id=0)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("lengths", [[1], [40], [2, 1, 7], [13, 40, 5, 1, 22, 31, 3]])
def test_logits_are_those_of_pytorch_at_shapes_never_traced(fp32, model_folder, family, lengths):
    batch = random_batch(lengths)
    expected = TorchRunner(model_folder(family), first_token_only=False).logits(batch)
    np.testing.assert_allclose(OnnxRunner(fp32(family)).logits(batch), expected, atol=1e-5)
    assert np.ptp(expected) > 0.1


@pytest.mark.parametrize("family", FAMILIES)
def test_inputs_axes_and_output(fp32, family):
    graph = onnx.load(fp32(family)).graph
    inputs = [value.name for value in graph.input]
    assert inputs == ["input_ids", "attention_mask", *(["token_type_ids"] if family == "bert" else [])]
    for value in graph.input:
        assert value.type.tensor_type.elem_type == onnx.TensorProto.INT64
        assert [dim.dim_param for dim in value.type.tensor_type.shape.dim] == ["batch", "sequence"]
    (output,) = graph.output
    batch, classes = output.type.tensor_type.shape.dim
    assert (output.name, output.type.tensor_type.elem_type) == ("logits", onnx.TensorProto.FLOAT)
    assert (batch.dim_param, classes.dim_value) == ("batch", 3)


@pytest.mark.parametrize("family", FAMILIES)
def test_one_file_of_standard_operators_without_paths_of_this_machine(fp32, family):
    path = fp32(family)
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    assert {node.domain for node in model.graph.node} == {""} and not model.functions
    assert [entry.name for entry in path.parent.iterdir()] == ["model.onnx"]
    content = path.read_bytes()
    assert not [word for word in (b"site-packages", b'File "', str(path.parents[2]).encode()) if word in content]


def test_the_file_says_what_it_was_made_from(fp32, model_folder):
    folder = model_folder("bert")
    notes = {item.key: item.value for item in onnx.load(fp32("bert")).metadata_props}
    assert json.loads(notes["labels"]) == ["not_about_pr", "ment_pr", "about_pr"]
    assert notes["view_hash"] == View.load(folder).hash
    assert notes["source_sha256"] == sha256(folder / "model.safetensors")


def test_nodes_are_named_after_their_modules(fp32):
    names = [node.name for node in onnx.load(fp32("bert")).graph.node]
    assert "bert.encoder.layer.1.output.dense/MatMul" in names
    assert len(set(names)) == len(names)


def test_the_last_layer_computes_the_first_token_only(fp32):
    sliced = [node.name for node in onnx.load(fp32("bert")).graph.node if node.op_type == "Slice"]
    assert any(name.startswith("bert.encoder.layer.2/") for name in sliced)


def test_a_second_export_is_silent_and_gives_equal_bytes(fp32, model_folder, tmp_path, capfd):
    to_onnx.export_fp32(model_folder("bert"), tmp_path / "again.onnx")
    assert (tmp_path / "again.onnx").read_bytes() == fp32("bert").read_bytes()
    assert capfd.readouterr() == ("", "")


def test_a_family_that_cannot_be_traced_is_named(model_folder, tmp_path, monkeypatch):
    from transformers.exporters import OnnxExporter

    def fail(*_, **__):
        raise NotImplementedError("aten.unheard_of has no translation\nlong trace")

    monkeypatch.setattr(OnnxExporter, "export", fail)
    with pytest.raises(UserError, match="family 'bert'") as caught:
        to_onnx.export_fp32(model_folder("bert"), tmp_path / "model.onnx")
    assert caught.value.found == "aten.unheard_of has no translation"
    assert list(tmp_path.iterdir()) == []


def test_families_that_are_refused_before_training_cannot_be_traced(tmp_path):
    write_checkpoint(TINY["Longformer"], ["дрель пила", "drill"], tmp_path / "longformer")
    for family in UNTRACEABLE:
        model = load_classifier(tmp_path / family, ["нет", "да"], attention="eager")
        with pytest.raises(UserError, match=f"cannot export the family '{family}'"):
            to_onnx._convert(model, tmp_path)
        with pytest.raises(UserError, match="cannot export this family"):
            load_target("onnx").require(model)


def freeze_sequence(model):
    model.graph.input[1].type.tensor_type.shape.dim[1].dim_value = 7


def use_contrib_operator(model):
    model.graph.node[0].domain = "com.microsoft"


def give_hidden_states(model):
    model.graph.output.append(onnx.helper.make_tensor_value_info("hidden_states.0", onnx.TensorProto.FLOAT, None))


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (freeze_sequence, "fixed batch or sequence axis in attention_mask"),
        (use_contrib_operator, "com.microsoft"),
        (give_hidden_states, r"outputs other than logits: logits, hidden_states\.0"),
    ],
)
def test_a_graph_that_only_fits_here_is_refused(fp32, tmp_path, fault, message):
    model = onnx.load(fp32("bert"))
    to_onnx._require_portable(model, tmp_path)
    fault(model)
    with pytest.raises(UserError, match=message):
        to_onnx._require_portable(model, tmp_path)


def test_a_model_over_the_limit_of_one_file_is_refused(fp32, tmp_path, monkeypatch):
    monkeypatch.setattr(to_onnx, "MOST_BYTES", 1000)
    with pytest.raises(UserError, match="2 GB of one ONNX file"):
        to_onnx._require_portable(onnx.load(fp32("bert")), tmp_path)
