"""Files for GPUs as targets: exported, judged by the tolerance that they declare, and bundled, all on the processor."""

import json
from dataclasses import replace

import numpy as np
import onnx
import pytest

from distill.core.errors import GateFailed, UserError
from distill.core.label_space import LabelSpace
from distill.core.project import Gates
from distill.evaluation.entries import Parity
from distill.evaluation.gates import judged_parity, parity_gates
from export import bundle as bundles
from export import fusion
from export.artifact import Contents
from export.checked_bundle import verify
from export.runtime import load_bundle
from tests.export.conftest import LABELS, parity


@pytest.fixture(scope="module")
def fp16(export):
    return export("onnx-fp16")


def gate(artifact):
    (found,) = parity_gates(map(Parity.from_json, judged_parity(Gates(), [parity(artifact)])))
    return found


def test_fp16_is_judged_by_the_tolerance_of_its_preset(fp16, export):
    found = parity(fp16)
    assert (found["criterion"], found["precision"], found["tolerance"]) == ("tolerance", "fp16", 0.02)
    assert 1e-4 < found["max_abs_diff"] < 0.02  # a gate of fp32 would stop it
    assert (gate(fp16).required, gate(fp16).passed) == (0.02, True)
    strict = {**found, "tolerance": 1e-4}
    (failed,) = parity_gates(map(Parity.from_json, judged_parity(Gates(), [strict])))
    assert (failed.required, failed.passed) == (1e-4, False)


def test_parity_json_names_the_largest_activations_and_what_stays_fp32(fp16):
    found = parity(fp16)
    assert found["types"]["kept_fp32"]["Softmax"] == 3 and found["types"]["kept_fp32"]["LayerNormalization"] == 7
    nodes = {node.name for node in onnx.load(fp16.folder / "model.onnx").graph.node}
    largest = [one["value"] for one in found["activations"]["largest"]]
    assert {one["node"] for one in found["activations"]["largest"]} <= nodes
    assert largest == sorted(largest, reverse=True) and found["activations"]["share_of_fp16"] == largest[0] / 65504


def test_an_activation_over_the_declared_share_stops_the_export_by_name(export):
    with pytest.raises(UserError) as caught:
        export("onnx-fp16", largest_share=5e-6)  # 0.33 of 65504
    assert "fp16 cannot hold what this model computes" in str(caught.value) and "/MatMul" in str(caught.value)


def test_cuda_keeps_its_file_fused_where_logits_stay_and_plain_where_not(export, fp32, monkeypatch):
    fused = export("onnx-cuda")
    kinds = {node.op_type for node in onnx.load(fused.folder / "model.onnx").graph.node}
    assert {"BiasGelu", "SkipLayerNormalization"} <= kinds and gate(fused).passed
    assert parity(fused)["fused"]["operators"]["BiasGelu"] == 3 and parity(fused)["fused"]["difference"] < 2e-5

    def wrong(source, out, inner=fusion._fuse):
        operators, model = inner(source, out), onnx.load(out)
        for tensor in model.graph.initializer:
            if tensor.name == "classifier.bias":
                values = onnx.numpy_helper.to_array(tensor) + np.float32(0.001)
                tensor.CopyFrom(onnx.numpy_helper.from_array(values, tensor.name))
        onnx.save(model, out)
        return operators

    monkeypatch.setattr(fusion, "_fuse", wrong)
    plain = export("onnx-cuda")
    assert parity(plain)["fused"]["difference"] == pytest.approx(0.001, rel=0.01) and parity(plain)["fused"]["left"]
    assert (plain.folder / "model.onnx").read_bytes() == fp32("bert").read_bytes()
    assert parity(export("onnx-cuda", fuse=False))["fused"] is None


def test_a_graph_that_cannot_be_fused_is_left_with_the_reason(export, fp32, monkeypatch):
    def fails(source, out):
        raise RuntimeError("no such pattern\nand more")

    monkeypatch.setattr(fusion, "_fuse", fails)
    plain = export("onnx-cuda")
    assert parity(plain)["fused"] == {"operators": {}, "difference": None, "why": "no such pattern", "left": True}
    assert (plain.folder / "model.onnx").read_bytes() == fp32("bert").read_bytes()


def test_a_bundle_holds_them_and_replays_them_on_the_processor(export, fp16, model_folder, rows, tmp_path):
    contents = Contents(
        "tiny",
        model_folder("bert"),
        [export("onnx"), fp16, export("onnx-cuda")],
        LabelSpace(tuple(LABELS), positive="about_pr"),
        {},
    )
    bundles.bundle(contents, tmp_path, threads=1)
    assert verify(tmp_path, threads=1)["passed"]
    entries = json.loads((tmp_path / "manifest.json").read_text(encoding="utf-8"))["artifacts"]
    assert {name: entry["providers"][0] for name, entry in entries.items()} == {
        "fp32": "CUDAExecutionProvider",
        "fp16": "CUDAExecutionProvider",
        "onnx-cuda": "CUDAExecutionProvider",
    }
    assert entries["fp16"]["tolerance"] == 0.02 and entries["fp16"]["file"] == "model.fp16.onnx"
    fp32, half = (load_bundle(tmp_path, name, 1).logits(rows[:8]) for name in ("fp32", "fp16"))
    assert 1e-5 < np.abs(fp32 - half).max() < 0.02


def test_a_tolerance_past_a_tenth_of_the_logits_is_refused_by_the_bundle(export, fp16, model_folder, tmp_path):
    loose = replace(fp16, target=fp16.target.model_copy(update={"tolerance": 5.0}))
    space = LabelSpace(tuple(LABELS), positive="about_pr")
    with pytest.raises(GateFailed, match="tolerance of fp16: 5.0, at most"):
        bundles.bundle(Contents("tiny", model_folder("bert"), [export("onnx"), loose], space, {}), tmp_path, threads=1)
