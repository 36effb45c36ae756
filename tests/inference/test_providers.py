"""What runs a file: the choice, its refusals, and sessions of a stand-in for ONNX Runtime with cards that fail."""

import sys
import types
from pathlib import Path

import pytest

from distill.inference.providers import (
    CPU,
    CUDA,
    TENSORRT,
    ProviderError,
    candidates,
    is_out_of_memory,
    open_session,
    recorded_on,
)
from distill.inference.providers import tolerance as allowed_on

ANY = {"providers": [CUDA, CPU]}
INT8 = {"providers": [CPU], "elsewhere": "no kernels on a GPU"}
ENGINE = {"providers": [TENSORRT]}
HERE, CARD = ["AzureExecutionProvider", CPU], [TENSORRT, CUDA, CPU]


@pytest.mark.parametrize(
    ("asked", "entry", "available", "found"),
    [
        ("auto", ANY, HERE, [CPU]),
        ("auto", ANY, CARD, [CUDA, CPU]),
        ("auto", INT8, CARD, [CPU]),
        ("auto", ENGINE, CARD, [TENSORRT]),
        ("cuda", ANY, CARD, [CUDA]),
        ("cpu", ANY, CARD, [CPU]),
        ("auto", ENGINE, HERE, r"needs TensorrtExecutionProvider.*it has Azure.*onnxruntime-gpu.*tensorrt-cu13"),
        ("cuda", ANY, HERE, r"needs CUDAExecutionProvider.*pip install onnxruntime-gpu, in place of onnxruntime"),
        ("cuda", INT8, CARD, "must not run on cuda: no kernels on a GPU; it runs on cpu"),
        ("tensorrt", ANY, CARD, "must not run on tensorrt: it was not made for it; it runs on cuda, cpu"),
        ("auto", {"providers": ["NpuExecutionProvider"]}, HERE, "needs NpuExecutionProvider.*that has it"),
    ],
)
def test_the_choice_is_what_the_file_allows_and_the_machine_has(asked, entry, available, found):
    if isinstance(found, list):
        assert candidates(asked, entry, available) == found
    else:
        with pytest.raises(ProviderError, match=found):
            candidates(asked, entry, available)


def test_an_unknown_name_is_a_plain_mistake():
    with pytest.raises(ValueError, match="no provider 'gpu'; known: auto, cpu, cuda, tensorrt") as caught:
        candidates("gpu", ANY, CARD)
    assert not isinstance(caught.value, ProviderError)


def test_answers_are_recorded_on_the_processor_and_allowed_to_be_off_elsewhere():
    assert [recorded_on(entry) for entry in (ANY, INT8, ENGINE)] == ["cpu", "cpu", "auto"]
    entry = {"tolerance": 1e-4, "tolerances": {CUDA: 1e-3}}
    assert [allowed_on(entry, name) for name in (CPU, CUDA)] == [1e-4, 1e-3]


class Card:
    """A machine with CUDA and TensorRT built in; `broken` are those that do not start, `refusing` those that raise."""

    def __init__(self, broken=(), refusing=()):
        self.broken, self.refusing, self.asked = broken, refusing, []

    def install(self, monkeypatch):
        machine = self

        class Session:
            def __init__(self, path, options, providers, enable_fallback):
                assert enable_fallback == 0
                machine.asked.append(providers)
                names = [name for name, _ in providers]
                if names[0] in machine.refusing:
                    raise RuntimeError("CUDA failure 35: driver\nat a place")
                self.names, self.fixed = [name for name in names if name not in machine.broken], False

            def get_providers(self):
                return list(dict.fromkeys([*self.names, CPU]))

            def disable_fallback(self):
                self.fixed = True

        level = types.SimpleNamespace(ORT_ENABLE_ALL=99)
        fake = types.SimpleNamespace(
            SessionOptions=lambda: types.SimpleNamespace(add_session_config_entry=lambda key, value: None),
            GraphOptimizationLevel=level,
            InferenceSession=Session,
            get_available_providers=lambda: CARD,
            preload_dlls=lambda: print("cannot load"),
        )
        monkeypatch.setitem(sys.modules, "onnxruntime", fake)
        return self


def test_fp32_products_on_cuda_are_fp32_and_what_tensorrt_leaves_goes_to_cuda(monkeypatch, capsys):
    machine = Card().install(monkeypatch)
    session = open_session(Path("m.onnx"), ANY)
    assert session.fixed and session.get_providers()[0] == CUDA
    own = {**ENGINE, "provider_options": {TENSORRT: {"trt_engine_cache_enable": "1"}}}
    open_session(Path("m.onnx"), own, "tensorrt", threads=2)
    full = {"use_tf32": "0"}
    assert machine.asked == [[(CUDA, full)], [(TENSORRT, {"trt_engine_cache_enable": "1"}), (CUDA, full)]]
    assert capsys.readouterr().out == ""  # a command's output may be JSON


@pytest.mark.parametrize(
    ("machine", "why"),
    [
        (Card(broken=[CUDA]), "CUDAExecutionProvider did not start: ONNX Runtime went on with CPUExecutionProvider"),
        (Card(refusing=[CUDA]), "CUDAExecutionProvider: CUDA failure 35: driver"),
    ],
)
def test_a_silent_fallback_is_an_error_where_the_card_was_asked_for_and_a_warning_where_not(machine, why, monkeypatch):
    machine.install(monkeypatch)
    with pytest.raises(ProviderError, match=f"cannot run here: {why}: pip install onnxruntime-gpu.*nvidia-smi"):
        open_session(Path("m.onnx"), ANY, "cuda")
    with pytest.warns(UserWarning, match=f"m.onnx: {why}; CPUExecutionProvider runs it"):
        assert open_session(Path("m.onnx"), ANY).get_providers() == [CPU]


def test_an_engine_that_would_run_on_cuda_alone_is_refused(monkeypatch):
    Card(broken=[TENSORRT]).install(monkeypatch)
    with pytest.raises(ProviderError, match="TensorrtExecutionProvider did not start: .* went on with CUDA"):
        open_session(Path("m.onnx"), ENGINE)


@pytest.mark.parametrize(
    ("error", "short"),
    [
        (MemoryError(), True),
        (RuntimeError("CUDA out of memory. Tried to allocate 2 GiB"), True),
        (
            RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes"),
            True,
        ),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"), True),
        (RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"), True),
        (Exception("bfc_arena.cc Failed to allocate memory for requested buffer of size 14400000000"), True),
        (Exception("Available memory of 17 is smaller than requested bytes of 1024"), True),
        (RuntimeError("CUDA error: CUBLAS_STATUS_EXECUTION_FAILED"), False),
        (Exception("INVALID_ARGUMENT : Got invalid dimensions for input"), False),
    ],
)
def test_too_little_memory_is_known_by_the_words_of_each_library(error, short):
    assert is_out_of_memory(error) == short
