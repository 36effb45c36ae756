"""TensorRT's builder with a stand-in for its library: what is asked of version 10 and of 11; and with the library."""

import json
import shutil
import sys
import types

import numpy as np
import onnx
import pytest

from distill.core.errors import MissingExtra, UserError
from export.config import load_target
from export.tensorrt import builder
from export.tensorrt.inspector import read_layers, require_precision
from export.tensorrt.profiles import profiles

INPUTS = ["input_ids", "attention_mask", "token_type_ids"]
SHAPES = profiles({9: 3, 25: 5, 40: 2}, INPUTS, most_tokens=64, most_rows=32)


def stand_in(version, *, errors=(), builds=True, flag=True):
    """A module that records what is asked of it, in place of `tensorrt`."""
    asked = {"shapes": [], "profiles": 0}

    class Config:
        profiling_verbosity = None

        def add_optimization_profile(self, shapes):
            asked["profiles"] += 1

        def create_timing_cache(self, content):
            asked["timing"] = content
            return "cache"

        def set_timing_cache(self, cache, ignore_mismatch):
            asked["mismatch"] = ignore_mismatch

        def get_timing_cache(self):
            return types.SimpleNamespace(serialize=lambda: b"timings")

    config = Config()

    class Builder:
        def __init__(self, logger):
            pass

        def create_network(self, flags):
            asked["flags"] = flags
            return "network"

        def create_builder_config(self):
            return config

        def create_optimization_profile(self):
            return types.SimpleNamespace(set_shape=lambda *one: asked["shapes"].append(one))

        def build_serialized_network(self, network, config):
            asked["verbosity"] = config.profiling_verbosity
            return b"plan" if builds else None

    parser = types.SimpleNamespace(
        parse_from_file=lambda path: not errors, num_errors=len(errors), get_error=lambda at: errors[at]
    )
    engine = types.SimpleNamespace(
        create_engine_inspector=lambda: types.SimpleNamespace(get_engine_information=lambda form: f"{form} of layers")
    )
    module = types.SimpleNamespace(
        __version__=version,
        Logger=type("Logger", (), {"WARNING": 1, "__init__": lambda self, level: None}),
        Builder=Builder,
        OnnxParser=lambda network, logger: parser,
        Runtime=lambda logger: types.SimpleNamespace(deserialize_cuda_engine=lambda plan: engine),
        NetworkDefinitionCreationFlag=types.SimpleNamespace(**({"STRONGLY_TYPED": 1} if flag else {})),
        ProfilingVerbosity=types.SimpleNamespace(DETAILED="detailed"),
        LayerInformationFormat=types.SimpleNamespace(JSON="JSON"),
    )
    return module, asked


@pytest.fixture(autouse=True)
def _forget_the_logger():
    builder._logger.cache_clear()
    yield
    builder._logger.cache_clear()


@pytest.mark.parametrize(("version", "flag", "flags"), [("10.16.1.11", True, 2), ("11.4.0.106", False, 0)])
def test_the_network_is_strongly_typed_in_either_version(monkeypatch, tmp_path, version, flag, flags):
    module, asked = stand_in(version, flag=flag)
    monkeypatch.setitem(sys.modules, "tensorrt", module)
    assert builder.layer_information(tmp_path / "model.onnx", SHAPES, tmp_path / "timing") == "JSON of layers"
    assert asked["flags"] == flags and asked["verbosity"] == "detailed"
    assert asked["profiles"] == 2 and asked["shapes"][0] == ("input_ids", (1, 1), (1, 25), (1, 64))
    assert asked["shapes"][3] == ("input_ids", (2, 1), (17, 40), (32, 64))
    assert (asked["timing"], asked["mismatch"]) == (b"", False) and (tmp_path / "timing").read_bytes() == b"timings"
    builder.layer_information(tmp_path / "model.onnx", SHAPES, tmp_path / "timing")
    assert asked["timing"] == b"timings"


def test_what_tensorrt_refuses_is_told_in_its_words(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "tensorrt", stand_in("10.16.1", errors=["no Gelu", "no mask"])[0])
    with pytest.raises(UserError, match=r"TensorRT cannot read the ONNX file[\s\S]*no Gelu; no mask"):
        builder.layer_information(tmp_path / "model.onnx", SHAPES)
    monkeypatch.setitem(sys.modules, "tensorrt", stand_in("10.16.1", builds=False)[0])
    with pytest.raises(UserError, match="TensorRT cannot build an engine"):
        builder.layer_information(tmp_path / "model.onnx", SHAPES)
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    with pytest.raises(MissingExtra, match=r"distill\[gpu,tensorrt\]"):
        builder.layer_information(tmp_path / "model.onnx", SHAPES)


def test_profiles_follow_the_lengths_of_real_records():
    one, many = profiles({5: 50, 25: 40, 60: 10}, INPUTS, most_tokens=64, most_rows=64)
    assert (one["batch"], one["tokens"]) == ([1, 1, 1], [1, 5, 64])
    assert (many["batch"], many["tokens"]) == ([2, 33, 64], [1, 25, 64])
    assert one["inputs"] == INPUTS and len(profiles({5: 1}, INPUTS, most_tokens=8, most_rows=1)) == 1
    (longer,) = profiles({90: 1}, INPUTS, most_tokens=64, most_rows=1)
    assert longer["tokens"] == [1, 90, 90]


@pytest.fixture
def typed_file(fp32, tmp_path):
    """`typed_file(precision)`: tiny BERT's strongly typed file."""
    from export.strong_types import plan, strongly_typed

    def made(precision):
        model, path = onnx.load(fp32("bert")), tmp_path / f"{precision}.onnx"
        onnx.save(strongly_typed(model, plan(model, precision, share=0.5)), path)
        return path

    return made


@pytest.mark.tensorrt
@pytest.mark.parametrize("precision", ["fp16", "bf16"])
def test_tensorrts_own_parser_reads_the_strongly_typed_graph(typed_file, precision):
    """Needs its library; the parser itself computes nothing."""
    pytest.importorskip("tensorrt")
    _, network, _parser = builder.parsed(typed_file(precision))
    assert network.num_outputs == 1 and network.num_inputs == 3


@pytest.mark.tensorrt
@pytest.mark.parametrize("precision", ["fp16", "bf16"])
def test_a_real_engine_computes_in_the_declared_precision(typed_file, precision, tmp_path):
    pytest.importorskip("tensorrt")
    shapes = profiles({9: 3, 25: 5, 40: 2}, INPUTS, most_tokens=40, most_rows=8)
    text = builder.layer_information(typed_file(precision), shapes, tmp_path / "timing")
    require_precision(read_layers(text), precision, 0.9)
    assert (tmp_path / "timing").stat().st_size > 0 and json.loads(text)["Layers"]


@pytest.mark.tensorrt
@pytest.mark.parametrize("name", ["tensorrt-fp16", "tensorrt-bf16"])
def test_a_file_is_exported_proved_and_served_on_the_card(name, fp32, model_folder, rows, tmp_path, monkeypatch):
    pytest.importorskip("tensorrt")
    from distill.models import to_onnx
    from export.build import export_target
    from export.evidence import Evidence, Sample

    monkeypatch.setenv("DISTILL_ENGINES", str(tmp_path / "engines"))
    monkeypatch.setattr(to_onnx, "export_fp32", lambda folder, out: shutil.copyfile(fp32("bert"), out))
    target, folder = load_target(name, {"parity_rows": 20}), tmp_path / name
    folder.mkdir()
    export_target(target, model_folder("bert"), Evidence(Sample(rows[:40])), folder)
    found = json.loads((folder / "parity.json").read_text(encoding="utf-8"))
    assert found["finite"] and found["max_abs_diff"] <= target.tolerance
    assert found["engine"]["share"] >= target.least_share and found["engine"]["gpu"]
    batch = {one: np.ones((3, 7), np.int64) for one in ("input_ids", "attention_mask", "token_type_ids")}
    runner = target.open(folder, provider="tensorrt")
    assert runner.provider == "TensorrtExecutionProvider" and runner.logits(batch).shape == (3, 3)


@pytest.mark.gpu
@pytest.mark.parametrize("name", ["onnx-cuda", "onnx-fp16"])
def test_a_file_for_cuda_answers_there_as_on_the_processor(name, fp32, model_folder, rows, tmp_path, monkeypatch):
    from onnxruntime import get_available_providers

    from distill.inference.providers import CUDA, tolerance
    from distill.models import to_onnx
    from export.build import export_target
    from export.evidence import Evidence, Sample

    if CUDA not in get_available_providers():
        pytest.skip("onnxruntime-gpu is not installed")
    monkeypatch.setattr(to_onnx, "export_fp32", lambda folder, out: shutil.copyfile(fp32("bert"), out))
    target, folder = load_target(name, {"parity_rows": 20}), tmp_path / name
    folder.mkdir()
    export_target(target, model_folder("bert"), Evidence(Sample(rows[:40])), folder)
    chance = np.random.default_rng(1)
    batch = {
        "input_ids": chance.integers(5, 100, (5, 19)),
        "attention_mask": np.ones((5, 19), np.int64),
        "token_type_ids": np.zeros((5, 19), np.int64),
    }
    card, processor = (target.open(folder, provider=where) for where in ("cuda", "cpu"))
    assert card.provider == CUDA
    allowed = tolerance({"tolerance": 1e-4, **target.entry(folder)}, CUDA)
    assert np.abs(card.logits(batch) - processor.logits(batch)).max() <= allowed
