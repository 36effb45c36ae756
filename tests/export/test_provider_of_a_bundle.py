"""A bundle on machines with and without a card, as `load_bundle`, `runtime.py` and the toolkit open it."""

import onnxruntime
import pytest

from distill.core.errors import UserError
from export.checked_bundle import open_bundle
from export.runtime import Unavailable, load_bundle, verify
from tests.export.test_runtime import run_alone
from tests.export.tiny_bundle import RECORDS, copy_of, reseal, shared_bundle

CPU, CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"


@pytest.fixture
def card(monkeypatch):
    """A build of ONNX Runtime with CUDA. `card(shift)` starts it: its logits are off by that; without it, it fails."""
    real = onnxruntime.InferenceSession
    started = []

    class Session:
        def __init__(self, path, options, providers, enable_fallback):
            self.inner = real(path, options, providers=[CPU])
            self.on_card = bool(started) and providers[0][0] == CUDA

        def get_providers(self):
            return [CUDA, CPU] if self.on_card else [CPU]

        def run(self, *asked):
            return [self.inner.run(*asked)[0] + (started[0] if self.on_card else 0)]

        def __getattr__(self, name):
            return getattr(self.inner, name)

    monkeypatch.setattr(onnxruntime, "InferenceSession", Session)
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [CUDA, CPU])
    return started.append


def test_the_exact_file_runs_on_the_card_within_its_tolerance_and_int8_never(card):
    card(5e-4)
    bundle = load_bundle(shared_bundle(), threads=1)
    assert (bundle.precision, bundle.provider, bundle.tolerance) == ("fp32", CUDA, 1e-3)
    assert len(bundle.predict(RECORDS)) == len(RECORDS)
    assert load_bundle(shared_bundle(), threads=1, provider="cpu").provider == CPU
    assert load_bundle(shared_bundle(), "int8", 1).provider == CPU
    with pytest.raises(Unavailable, match="int8 must not run on cuda: its integer products have no kernels on a GPU"):
        load_bundle(shared_bundle(), "int8", 1, provider="cuda")
    report = verify(shared_bundle(), 1, "cuda")
    assert report["passed"] and list(report["artifacts"]) == ["fp32"] and "int8: not replayed" in report["warnings"][0]


def test_a_card_that_is_further_off_gives_other_answers(card):
    card(2e-3)
    assert "allowed 0.001" in verify(shared_bundle(), 1)["problems"][0]


def test_a_card_that_does_not_start_is_a_warning_or_where_asked_for_an_error(card):
    with pytest.warns(UserWarning, match="did not start"):
        assert load_bundle(shared_bundle(), threads=1).provider == CPU
    with pytest.raises(UserError, match="did not start: ONNX Runtime went on with CPUExecutionProvider"):
        open_bundle(shared_bundle(), threads=1, provider="cuda")


@pytest.mark.parametrize("allowed", [{CUDA: 0.1}, {CUDA: -1}, {CUDA: "1"}])
def test_a_wider_tolerance_than_the_verifiers_is_refused(allowed, tmp_path):
    folder = copy_of(shared_bundle(), tmp_path)
    held = load_bundle(folder, threads=1, verify=False)
    entries = {"fp32": {**held.facts, "tolerances": allowed}}
    entries["int8"] = load_bundle(folder, "int8", 1, verify=False).facts
    reseal(folder, artifacts=entries)
    report = run_alone(folder, "--verify", "--threads", "1")
    assert report.returncode == 2 and "tolerance of fp32 on" in report.stderr


def test_the_bundles_own_command_names_what_to_install(tmp_path):
    if CUDA in onnxruntime.get_available_providers():
        pytest.skip("has the CUDA provider")
    (tmp_path / "one.jsonl").write_text("{}\n")
    said = run_alone(shared_bundle(), "--predict", str(tmp_path / "one.jsonl"), "--provider", "cuda")
    assert said.returncode == 2 and "pip install onnxruntime-gpu" in said.stderr
    refused = run_alone(shared_bundle(), "--predict", "x", "--precision", "int8", "--provider", "cuda")
    assert refused.returncode == 2 and "must not run on cuda: its integer products" in refused.stderr
