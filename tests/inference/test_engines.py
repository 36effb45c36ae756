"""TensorRT engines with a stand-in for the provider: what is built, kept, built anew, and which one reads a batch."""

import json
import sys
import types
from pathlib import Path

import numpy as np
import pytest

from distill.inference import engines
from distill.inference.engines import FOLDER, MANIFEST, NoGpu, engine_session, engines_folder, options
from distill.inference.providers import CPU, CUDA, TENSORRT, open_session

INPUTS = ["input_ids", "attention_mask"]
ONE = {"inputs": INPUTS, "batch": [1, 1, 1], "tokens": [1, 25, 64]}
MANY = {"inputs": INPUTS, "batch": [2, 16, 32], "tokens": [1, 40, 64]}
H100 = {"gpu": "NVIDIA H100", "sm": "9.0", "driver": "580.65.06", "cuda": "13.0"}
HERE = {**H100, "tensorrt": "10.16.1", "onnxruntime": "1.31.1"}


class Session:
    """Answers the number of rows and which engine it is; `names` are its providers."""

    def __init__(self, names=(TENSORRT, CUDA)):
        self.names, self.fixed, self.shapes = list(names), False, []

    def run(self, names, feeds):
        shape = feeds["input_ids"].shape
        self.shapes.append(shape)
        return [np.full((shape[0], 3), shape[1], np.float32)]

    def get_providers(self):
        return self.names

    def disable_fallback(self):
        self.fixed = True


class Provider:
    """Builds an engine as TensorRT's provider does: into the folder that it is told, where there is none."""

    def __init__(self):
        self.built, self.loaded, self.sessions, self.killed, self.damaged = 0, 0, [], False, False

    def __call__(self, said):
        file = Path(said["trt_engine_cache_path"]) / "graph_sm90.engine"
        if file.exists():
            if self.damaged:
                self.damaged = False
                raise RuntimeError("could not deserialize engine from cache")
            self.loaded += 1
        else:
            file.write_bytes(b"half")
            if self.killed:
                raise KeyboardInterrupt
            file.write_bytes(b"an engine")
            self.built += 1
        self.sessions.append(Session())
        return self.sessions[-1]


@pytest.fixture
def model(tmp_path, monkeypatch):
    monkeypatch.setenv("DISTILL_ENGINES", str(tmp_path / "engines"))
    monkeypatch.setattr(engines, "machine", lambda: HERE)
    path = tmp_path / "model.onnx"
    path.write_bytes(b"a graph")
    return path


def test_an_engine_is_built_once_and_loaded_from_then_on(model):
    provider = Provider()
    for _ in range(3):
        engine_session(model, [ONE, MANY], provider)
    assert (provider.built, provider.loaded) == (2, 4)
    (manifest, _) = sorted(engines_folder().glob(f"*/*/{MANIFEST}"), key=lambda path: len(path.read_bytes()))
    found = json.loads(manifest.read_text())
    assert found["machine"] == HERE and found["profile"] == ONE and len(found["model_sha256"]) == 64


@pytest.mark.parametrize(
    "change",
    [
        {"gpu": "NVIDIA H200"},
        {"sm": "8.9"},
        {"driver": "590.1"},
        {"cuda": "13.1"},
        {"tensorrt": "10.16.2"},
        {"onnxruntime": "1.32.0"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_another_card_driver_or_version_gets_an_engine_of_its_own(model, monkeypatch, change):
    provider = Provider()
    engine_session(model, [ONE], provider)
    monkeypatch.setattr(engines, "machine", lambda: {**HERE, **change})
    engine_session(model, [ONE], provider)
    assert (provider.built, provider.loaded) == (2, 0)


def test_another_file_or_profile_gets_an_engine_of_its_own(model):
    provider = Provider()
    engine_session(model, [ONE], provider)
    engine_session(model, [{**ONE, "tokens": [1, 25, 80]}], provider)
    model.write_bytes(b"another graph")
    engine_session(model, [ONE], provider)
    assert (provider.built, provider.loaded) == (3, 0)


@pytest.mark.parametrize("fault", ["manifest of another machine", "no manifest", "damaged engine"])
def test_what_does_not_fit_is_built_anew_from_the_file(model, fault):
    provider = Provider()
    engine_session(model, [ONE], provider)
    (manifest,) = engines_folder().glob(f"*/*/{MANIFEST}")
    if fault == "no manifest":
        manifest.unlink()
    elif fault == "damaged engine":
        provider.damaged = True
    else:  # as after a folder was copied from another machine
        found = json.loads(manifest.read_text())
        manifest.write_text(json.dumps({**found, "machine": {**HERE, "gpu": "NVIDIA A100"}}))
    engine_session(model, [ONE], provider)
    assert (provider.built, provider.loaded) == (2, 0)
    engine_session(model, [ONE], provider)
    assert (provider.built, provider.loaded) == (2, 1)


def test_a_build_that_is_killed_leaves_nothing_that_is_loaded(model):
    provider = Provider()
    provider.killed = True
    with pytest.raises(KeyboardInterrupt):
        engine_session(model, [ONE], provider)
    assert not list(engines_folder().glob(f"*/*/{MANIFEST}"))
    provider.killed = False
    engine_session(model, [ONE], provider)
    assert (provider.built, provider.loaded) == (1, 0)


def test_a_batch_is_read_by_the_engine_of_its_shapes_and_a_large_one_in_parts(model):
    provider = Provider()
    session = engine_session(model, [ONE, MANY], provider)
    one, many = provider.sessions
    for rows, tokens in ((1, 64), (2, 7), (32, 64), (70, 9), (33, 1)):
        feeds = {name: np.zeros((rows, tokens), np.int64) for name in INPUTS}
        (logits,) = session.run(["logits"], feeds)
        assert logits.shape == (rows, 3) and (logits == tokens).all()
    assert one.shapes == [(1, 64), (1, 1)]
    assert many.shapes == [(2, 7), (32, 64), (32, 9), (32, 9), (6, 9), (32, 1)]
    for shape in ((1, 65), (40, 65)):
        with pytest.raises(ValueError, match=f"a batch of {shape[0]} × 65 tokens fits no shape profile"):
            session.run(["logits"], {name: np.zeros(shape, np.int64) for name in INPUTS})
    session.disable_fallback()
    assert one.fixed and many.fixed and session.get_providers() == [TENSORRT, CUDA]


def test_the_provider_is_told_shapes_and_folders_and_no_precision(tmp_path):
    said = options(MANY, tmp_path / "engine", tmp_path / "timing")
    assert said["trt_profile_min_shapes"] == "input_ids:2x1,attention_mask:2x1"
    assert said["trt_profile_opt_shapes"] == "input_ids:16x40,attention_mask:16x40"
    assert said["trt_profile_max_shapes"] == "input_ids:32x64,attention_mask:32x64"
    assert said["trt_engine_cache_path"] == str(tmp_path / "engine")
    assert said["trt_timing_cache_path"] == str(tmp_path / "timing")
    # Any of them would make the network weakly typed.
    assert not [name for name in said if "fp16" in name or "bf16" in name or "int8" in name]


def test_one_machine_has_one_timing_cache(model):
    assert engines.timing_folder(HERE) == engines.timing_folder(dict(reversed(HERE.items())))
    assert engines.timing_folder(HERE) != engines.timing_folder({**HERE, "tensorrt": "11.0.0"})


def test_open_session_gives_a_file_with_profiles_its_engines(model, monkeypatch):
    asked = []

    def session(path, options, providers, enable_fallback):
        asked.append(providers)
        return Session([name for name, _ in providers])

    runtime = types.SimpleNamespace(
        SessionOptions=lambda: types.SimpleNamespace(add_session_config_entry=lambda key, value: None),
        GraphOptimizationLevel=types.SimpleNamespace(ORT_ENABLE_ALL=99),
        InferenceSession=session,
        get_available_providers=lambda: [TENSORRT, CUDA, CPU],
        preload_dlls=lambda: None,
        __version__="1.31.1",
    )
    monkeypatch.setitem(sys.modules, "onnxruntime", runtime)
    found = open_session(model, {"providers": [TENSORRT, CPU], "profiles": [ONE, MANY]})
    assert isinstance(found, engines.Engines) and len(asked) == 2
    for (first, *_), profile in zip(asked, (ONE, MANY), strict=True):
        assert first[0] == TENSORRT and first[1]["trt_profile_max_shapes"].startswith(
            f"input_ids:{profile['batch'][2]}x64"
        )
    assert not isinstance(open_session(model, {"providers": [CPU], "profiles": [ONE]}), engines.Engines)


def test_a_machine_without_a_card_is_told_what_is_missing(monkeypatch):
    def none(name):
        raise OSError(name)

    monkeypatch.setattr(engines.ctypes, "CDLL", none)
    with pytest.raises(NoGpu, match=r"no CUDA driver here \(libcuda.so.1\)"):
        engines.machine()
    with pytest.raises(NoGpu, match="TensorRT's library libnvinfer.so is not here"):
        engines.tensorrt_version()


def test_a_card_is_described_by_name_capability_driver_and_cuda(monkeypatch, tmp_path):
    def capability(target, attribute, device):
        target._obj.value = {75: 9, 76: 0}[attribute]

    def version(target):
        target._obj.value = 13020

    def name(buffer, size, device):
        buffer.value = b"NVIDIA H100 80GB HBM3"

    card = types.SimpleNamespace(
        cuInit=lambda flags: 0,
        cuDeviceGet=lambda device, number: 0,
        cuDeviceGetName=name,
        cuDeviceGetAttribute=capability,
        cuDriverGetVersion=version,
        getInferLibVersion=lambda: 101601,
    )
    monkeypatch.setattr(engines.ctypes, "CDLL", lambda name: card)
    found = engines.machine()
    assert (found["gpu"], found["sm"], found["cuda"]) == ("NVIDIA H100 80GB HBM3", "9.0", "13.2")
    assert found["tensorrt"] == "10.16.1"
    text = tmp_path / "version"
    text.write_text("NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.65.06  Release Build\n")
    assert (engines._driver(text), engines._driver(tmp_path / "none")) == ("580.65.06", "unknown")


def test_the_timing_cache_has_the_name_that_the_provider_gives_it():
    assert engines.timing_file(HERE).name == "TensorrtExecutionProvider_cache_sm90.timing"
    assert engines.timing_file(HERE).parent == engines.timing_folder(HERE)


def test_a_folder_that_is_named_needs_no_home(monkeypatch):
    def nowhere():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", nowhere)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv(FOLDER, "/srv/engines")
    assert engines_folder() == Path("/srv/engines")
