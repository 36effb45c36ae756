"""Every backend answers as PyTorch does, says what it lacks, and tells nobody."""

import shutil
import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pytest

from distill.core.errors import MissingExtra, UserError
from distill.core.project import ViewConfig
from distill.core.siblings import siblings
from distill.core.view import TOKENIZER_FILE, View
from distill.inference import backends
from distill.inference.backends import exported
from distill.inference.backends.backend import Backend, Running, backend
from distill.inference.collate import collate
from distill.models import to_onnx
from tests.inference.conftest import VIEW

FURTHER = [found.name for found in siblings(backends, Backend) if found.name != "torch"]


@pytest.fixture(scope="module")
def windows(folder, rows):
    renderer = View("document", ViewConfig(**VIEW), folder / TOKENIZER_FILE).renderer()
    return [item.windows[0] for item in renderer.encode_batch(rows)]


@pytest.fixture(scope="module")
def export(folder, tmp_path_factory):
    """The folder's file, exported once; a stand-in for the exporter that copies it."""
    model, path = tmp_path_factory.mktemp("onnx") / "model", tmp_path_factory.mktemp("onnx") / "model.onnx"
    shutil.copytree(folder, model)
    View("document", ViewConfig(**VIEW), model / TOKENIZER_FILE).save(model)
    to_onnx.export_fp32(model, path)
    return lambda _, out: shutil.copyfile(path, out)


@pytest.mark.parametrize("name", FURTHER)
def test_a_backend_answers_as_pytorch(name, folder, windows, export, monkeypatch):
    """Of every length and batch size; the file is made once for the same weights."""
    made = []
    monkeypatch.setattr(to_onnx, "export_fp32", lambda *given: made.append(1) or export(*given))
    exported._made.cache_clear()
    if name == "openvino" and find_spec("openvino") is None:
        pytest.skip("needs the extra openvino")
    exact, other = (backend(one).open(folder, Running(1)) for one in ("torch", name))
    backend(name).open(folder, Running(1))
    assert len(made) == 1
    for part in (windows[:1], windows[1:8], windows):
        batch = collate(part, 0)
        expected = exact.logits(batch)
        found = other.logits(batch)
        assert found.dtype == np.float32 and np.abs(expected).max() > 0.4
        np.testing.assert_allclose(found, expected, atol=1e-4)
    first = other.logits(collate(windows[:2], 0))
    kept = first.copy()
    other.logits(collate(windows[2:4], 0))
    np.testing.assert_array_equal(first, kept)


def test_openvino_computes_in_bf16_where_it_is_told_to(folder, windows, export, monkeypatch):
    pytest.importorskip("openvino")
    monkeypatch.setattr(to_onnx, "export_fp32", export)
    batch = collate(windows, 0)
    exact, mixed = (backend("openvino").open(folder, Running(1, way)) for way in ("fp32", "bf16"))
    assert (exact.precision, mixed.precision) == ("f32", "bf16")
    change = np.abs(exact.logits(batch) - mixed.logits(batch)).max()
    assert 0 < change < 0.05 * np.abs(exact.logits(batch)).max()


def test_precision_follows_what_backend_and_hardware_have():
    torch, onnx = backend("torch"), backend("onnx")
    assert [torch.precision("auto", has) for has in (True, False)] == ["bf16", "fp32"]
    assert onnx.precision("auto", True) == "fp32" and torch.precision("fp32", True) == "fp32"
    with pytest.raises(UserError, match=r"(?s)bf16, with backend onnx.*take fp32"):
        onnx.precision("bf16", True)
    assert [torch.device("cuda:1"), onnx.device("cuda:1"), onnx.device("cpu")] == ["cuda:1", "cpu", "cpu"]


def test_an_unknown_backend_is_named_with_the_nearest():
    with pytest.raises(UserError, match=r"(?s)labelling\.backend.*onnx"):
        backend("onxn")


@pytest.mark.parametrize("name", FURTHER)
def test_a_missing_package_answers_with_its_pip_line(name, monkeypatch):
    module = sys.modules[backend(name).__module__]
    monkeypatch.setattr(
        module, "find_spec", lambda package: None if package == name.replace("onnx", "onnxruntime") else 1
    )
    with pytest.raises(MissingExtra, match="pip install"):
        backend(name).require()


def test_openvino_sends_nothing():
    """Importing it would send an event through a package of its own, so it is given its stub in that one's place."""
    if find_spec("openvino") is None:
        pytest.skip("needs the extra openvino")
    asked = "import sys; from openvino.tools.ovc import telemetry_utils as used; "
    asked += "print(used.tm.__name__, sys.modules['openvino_telemetry'])"
    ours = "from distill.inference.openvino_runner import _openvino; _openvino();" + asked
    assert _printed(ours) == "openvino.tools.ovc.telemetry_stub None"


def _printed(code: str) -> str:
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()
