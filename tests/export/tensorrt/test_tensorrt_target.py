"""TensorRT targets on a machine without a card: refused before training, or made for later and measured here."""

import json
import types

import pytest

from distill.core.errors import GateFailed, UserError
from distill.core.label_space import LabelSpace
from distill.core.project import Gates
from distill.evaluation.entries import Parity
from distill.evaluation.gates import changes_gates, judged_parity, parity_gates
from distill.families.family import Opening
from distill.inference import engines
from distill.inference.providers import CPU, TENSORRT
from export import bundle as bundles
from export.artifact import Contents
from export.checked_bundle import verify
from export.config import load_target
from export.emulation import Emulated
from export.proof import Proof, Stored, prove
from export.runtime import Unavailable, load_bundle
from tests.export.conftest import LABELS, parity

HERE = {"gpu": "NVIDIA H100", "sm": "9.0", "driver": "580.65", "cuda": "13.0", "tensorrt": "10.16.1"}
COUNTS = {"fp16": 1, "fp32": 1}


def no_gpu():
    raise engines.NoGpu("there is no CUDA driver here (libcuda.so.1)")


@pytest.fixture(scope="module")
def later(export):
    """Both targets, left to the machine that serves."""
    return {name: export(name, engine="later") for name in ("tensorrt-fp16", "tensorrt-bf16")}


@pytest.mark.parametrize("name", ["tensorrt-fp16", "tensorrt-bf16"])
def test_without_a_card_it_is_refused_before_training_with_what_to_install(name, monkeypatch):
    monkeypatch.setattr(engines, "machine", no_gpu)
    with pytest.raises(UserError) as caught:
        load_target(name).require_machine()
    said = str(caught.value)
    assert f"export: {name}" in said and "no CUDA driver here" in said
    assert "[train,gpu,tensorrt]" in said and "engine: later" in said
    load_target(name, {"engine": "later"}).require_machine()
    monkeypatch.setattr(engines, "machine", lambda: HERE)
    load_target(name).require_machine()


def test_made_for_another_machine_its_engine_is_left_to_that(export):
    assert load_target("tensorrt-fp16").made_elsewhere() == load_target("tensorrt-fp16", {"engine": "later"})
    assert load_target("onnx").made_elsewhere() == load_target("onnx")


def test_an_export_alone_is_refused_in_the_same_words(export, monkeypatch):
    monkeypatch.setattr(engines, "machine", no_gpu)
    with pytest.raises(UserError, match=r"export: tensorrt-fp16[\s\S]*engine: later"):
        export("tensorrt-fp16")


@pytest.mark.parametrize(("name", "limit"), [("tensorrt-fp16", 0.02), ("tensorrt-bf16", 0.15)])
def test_a_file_for_later_is_measured_on_the_processor_in_its_own_types(later, name, limit):
    found = parity(later[name])
    assert found["engine"] is None and found["profiles"][0]["tokens"][0] == 1
    assert found["profiles"][1]["batch"] == [2, 33, 64] and found["profiles"][1]["tokens"][2] == 40
    assert 1e-4 < found["max_abs_diff"] < limit
    (check,) = map(Parity.from_json, judged_parity(Gates(), [{**found, "limits": later[name].target.declared()}]))
    (gate,) = parity_gates([check])
    assert (gate.required, gate.passed) == (limit, True)
    changes = {gate.metric: (gate.required, gate.passed) for gate in changes_gates(Gates(), [check])}
    assert changes["shift_max"] == ({"tensorrt-fp16": 0.02, "tensorrt-bf16": 0.1}[name], True)


@pytest.mark.parametrize("name", ["tensorrt-fp16", "tensorrt-bf16"])
def test_without_a_card_it_is_emulated_and_no_other_provider_gets_it(later, name, monkeypatch):
    one = later[name]
    assert isinstance(one.target.open(one.folder), Emulated)
    with pytest.raises(UserError, match="must not run on cpu: it is the graph of a TensorRT engine"):
        one.target.open(one.folder, provider="cpu")
    with pytest.raises(UserError, match=r"needs TensorrtExecutionProvider[\s\S]*tensorrt-cu13"):
        one.target.open(one.folder, provider="tensorrt")
    # onnxruntime-gpu on a machine without a card: the provider is there, and cannot start.
    monkeypatch.setattr("onnxruntime.get_available_providers", lambda: [TENSORRT, CPU])
    monkeypatch.setattr(engines, "machine", no_gpu)
    assert isinstance(one.target.open(one.folder), Emulated)


@pytest.fixture
def card(monkeypatch, tmp_path):
    """A stand-in for card and builder: `card` holds what was asked, the engine has one product in fp16, one in fp32."""
    asked = []

    def information(model, shapes, timing):
        asked.append((model.name, [one["batch"][2] for one in shapes], timing.name))
        return json.dumps({"Layers": [product("x/MatMul", "Half"), product("classifier/Gemm", "Float")]})

    monkeypatch.setenv("DISTILL_ENGINES", str(tmp_path))
    monkeypatch.setattr(engines, "machine", lambda: HERE)
    monkeypatch.setattr("export.tensorrt.builder.layer_information", information)
    return asked


def product(name, reads):
    sides = dict.fromkeys(("Inputs", "Outputs"), [{"Format/Datatype": reads}])
    return {"Name": name, "LayerType": "gemm", **sides}


def test_profiles_and_proof_are_as_the_preset_says(export, card):
    made = export("tensorrt-fp16", least_share=0.5, most_rows=8)
    assert card == [("model.onnx", [1, 8], "TensorrtExecutionProvider_cache_sm90.timing")]
    assert parity(made)["engine"] == {**HERE, "layers": COUNTS, "products": COUNTS, "share": 0.5}
    with pytest.raises(GateFailed, match="the engine does not compute in fp16"):
        export("tensorrt-fp16")  # 0.9 is declared
    with pytest.raises(GateFailed, match="the engine does not compute in bf16"):
        export("tensorrt-bf16", least_share=0.5)


def test_a_bundle_carries_the_files_for_the_machine_that_serves(export, later, model_folder, rows, tmp_path):
    space = LabelSpace(tuple(LABELS), positive="about_pr")
    artifacts = [export("onnx"), *later.values()]
    bundles.bundle(Contents("tiny", model_folder("bert"), artifacts, space, {}), tmp_path, threads=1)
    report = verify(tmp_path, threads=1)
    assert report["passed"] and set(report["artifacts"]) == {"fp32"}
    for name in ("fp16", "bf16"):
        assert any(f"{name}: not replayed" in text and "tensorrt-cu13" in text for text in report["warnings"])
    manifest = json.loads((tmp_path / "manifest.json").read_text(encoding="utf-8"))
    entries = manifest["artifacts"]
    assert entries["fp16"]["providers"] == entries["bf16"]["providers"] == [TENSORRT]
    assert entries["bf16"]["profiles"] == parity(later["tensorrt-bf16"])["profiles"]
    assert "engines.py" in manifest["files"]
    served = (tmp_path / "triton" / "tiny_bf16" / "config.pbtxt").read_text(encoding="utf-8")
    assert "KIND_GPU" in served and 'name: "tensorrt"' in served and "precision" not in served
    assert 'key: "trt_profile_max_shapes" value: "input_ids:64x40,attention_mask:64x40,token_type_ids:64x40"' in served
    assert 'key: "trt_profile_min_shapes" value: "input_ids:1x1,' in served and served.count("{") == served.count("}")
    assert "KIND_CPU" in (tmp_path / "triton" / "tiny_fp32" / "config.pbtxt").read_text(encoding="utf-8")
    with pytest.raises(Unavailable, match="bf16 .*TensorrtExecutionProvider"):
        load_bundle(tmp_path, "bf16")

    records = rows[:6]
    how = Opening(threads=1)
    logits = [one.target.scorer(one.folder, model_folder("bert"), how).score(records).logits for one in artifacts]
    stored = {name: Stored(said, 1.0, {"f1": 0.5}) for name, said in zip(entries, logits, strict=True)}
    proof = Proof([str(at) for at in range(6)], records, stored, space, manifest["weights_sha256"])
    prove(tmp_path, proof, threads=1)


def test_the_runtime_of_a_bundle_gives_the_file_to_its_engines(later, tmp_path, monkeypatch):
    """A provider that is there: the bundle's entry leads to one engine for each profile, with no precision flag."""
    from distill.inference import providers

    asked = []

    def started(runtime, model, options, chain, more=None):
        asked.append({**dict(chain)[TENSORRT], **more})
        return types.SimpleNamespace(
            get_providers=lambda: [TENSORRT], disable_fallback=lambda: None, get_inputs=lambda: []
        )

    monkeypatch.setenv("DISTILL_ENGINES", str(tmp_path))
    monkeypatch.setattr(engines, "machine", lambda: HERE)
    monkeypatch.setattr(providers, "_start", started)
    monkeypatch.setattr("onnxruntime.get_available_providers", lambda: [TENSORRT, "CUDAExecutionProvider", CPU])
    bf16 = later["tensorrt-bf16"]
    runner = bf16.target.open(bf16.folder)
    assert runner.provider == TENSORRT and len(asked) == 2
    assert asked[0]["trt_profile_max_shapes"].startswith("input_ids:1x40")
    assert not [name for one in asked for name in one if name.endswith(("fp16_enable", "bf16_enable", "int8_enable"))]
    assert len(list(tmp_path.glob("*/*/engine.json"))) == 2
