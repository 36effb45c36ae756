import json
import shutil
import subprocess
import sys
import types

import numpy as np
import pytest

from export import triton
from export.checked_bundle import verify
from tests.export.tiny_bundle import LABELS, copy_of, locked, make_bundle, read_only, shared_bundle


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    """A model repository made from a copied bundle, under a path with a space."""
    base = tmp_path_factory.mktemp("with space")
    script = copy_of(shared_bundle(), base) / "triton" / "prepare.sh"
    subprocess.run(["sh", str(script), "made here"], check=True, cwd=base)
    return base / "made here"


def test_prepare_lays_out_one_version_of_each_model(repository):
    assert sorted(path.name for path in repository.iterdir()) == ["tiny_fp32", "tiny_int8", "tiny_text"]
    for precision, file in (("fp32", "model.onnx"), ("int8", "model.int8.onnx")):
        model = repository / f"tiny_{precision}" / "1" / "model.onnx"
        assert model.read_bytes() == (shared_bundle() / file).read_bytes() and not model.is_symlink()
    bundle = repository / "tiny_text" / "1" / "bundle"
    copied = {path.name for path in bundle.iterdir()}
    assert {"runtime.py", "rendering.py", "tokenizer.json", "model.int8.onnx"} <= copied


def test_prepare_runs_twice_and_asks_for_a_folder(repository):
    script = shared_bundle() / "triton" / "prepare.sh"
    before = sorted(repository.rglob("*"))
    subprocess.run(["sh", str(script), str(repository)], check=True)
    assert sorted(repository.rglob("*")) == before
    assert subprocess.run(["sh", str(script)], capture_output=True).returncode == 2


def test_prepare_takes_the_place_of_an_older_bundle_of_the_name(tmp_path):
    """No file of it stays, such as the bands that a retuned bundle lacks; other models do."""
    script = shared_bundle() / "triton" / "prepare.sh"
    for path in ("tiny_text/1/bundle/sending.py", "tiny_text/2/model.py", "other/config.pbtxt"):
        (tmp_path / path).parent.mkdir(parents=True)
        (tmp_path / path).touch()
    subprocess.run(["sh", str(script), str(tmp_path)], check=True)
    assert verify(tmp_path / "tiny_text" / "1" / "bundle", 1)["passed"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["other", "tiny_fp32", "tiny_int8", "tiny_text"]
    assert [path.name for path in (tmp_path / "other").iterdir()] == ["config.pbtxt"]
    assert not (tmp_path / "tiny_text" / "2").exists()


def test_a_model_that_only_the_older_bundle_has_is_served_no_more(tmp_path):
    """Nor does it go on as another bundle's, whose name begins alike."""
    repository, old = tmp_path / "repository", shared_bundle()
    subprocess.run(["sh", str(old / "triton" / "prepare.sh"), str(repository)], check=True)
    (repository / "tiny_int8_text").mkdir()
    new = make_bundle(tmp_path, precisions=("fp32",))
    subprocess.run(["sh", str(new / "triton" / "prepare.sh"), str(repository)], check=True)
    assert sorted(path.name for path in repository.iterdir()) == ["tiny_fp32", "tiny_int8_text", "tiny_text"]
    assert verify(repository / "tiny_text" / "1" / "bundle", 1)["passed"]


def test_a_read_only_bundle_is_laid_out_so_that_it_can_be_replaced(tmp_path):
    """An artifact store hands it over so; a user without root's rights writes into no read-only folder."""
    script = read_only(copy_of(shared_bundle(), tmp_path)) / "triton" / "prepare.sh"
    unprivileged = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"] if shutil.which("setpriv") else []
    for _ in range(2):
        subprocess.run([*unprivileged, "sh", str(script), str(tmp_path / "repository")], check=True)
    found = sorted(path.name for path in (tmp_path / "repository").iterdir())
    assert found == ["tiny_fp32", "tiny_int8", "tiny_text"] and not locked(tmp_path / "repository")


def test_the_onnx_config_says_what_the_model_takes(repository):
    text = (repository / "tiny_fp32" / "config.pbtxt").read_text(encoding="utf-8")
    for name in ("input_ids", "attention_mask", "token_type_ids"):
        assert f'name: "{name}" data_type: TYPE_INT64 dims: [ -1 ]' in text
    assert 'name: "logits" data_type: TYPE_FP32 dims: [ 3 ]' in text
    assert 'backend: "onnxruntime"' in text and "KIND_CPU" in text and 'name: "tiny_fp32"' in text


def test_only_fp32_requests_are_batched(repository):
    fp32, int8 = ((repository / f"tiny_{p}" / "config.pbtxt").read_text(encoding="utf-8") for p in ("fp32", "int8"))
    assert "dynamic_batching" in fp32 and "max_batch_size: 64" in fp32
    assert "dynamic_batching" not in int8 and "max_batch_size: 1\n" in int8


def test_models_without_token_types_have_no_such_input():
    text = triton.onnx_config("m", ["input_ids", "attention_mask"], 2, batched=True)
    assert "token_type_ids" not in text


@pytest.mark.parametrize("name", ["tiny_fp32", "tiny_int8", "tiny_text"])
def test_brackets_are_balanced(repository, name):
    text = (repository / name / "config.pbtxt").read_text(encoding="utf-8")
    for opened, closed in ("[]", "{}"):
        assert text.count(opened) == text.count(closed) > 0
    assert text.count('"') % 2 == 0


@pytest.fixture
def text_model(repository, monkeypatch):
    """`text_model(parameter=value)`: the Python model of the repository, initialised by a backend of its few names."""
    monkeypatch.setitem(sys.modules, "triton_python_backend_utils", fake_backend())
    monkeypatch.setattr(sys, "path", list(sys.path))

    def opened(**chosen):
        for name in ("runtime", "rendering"):
            monkeypatch.delitem(sys.modules, name, raising=False)
        path = repository / "tiny_text" / "1" / "model.py"
        module = types.ModuleType("model")
        module.__file__ = str(path)
        exec(compile(path.read_text(encoding="utf-8"), str(path), "exec"), module.__dict__)
        model = module.TritonPythonModel()
        model.initialize({"model_config": json.dumps({"parameters": parameters(**chosen)})})
        return model

    yield opened
    monkeypatch.delitem(sys.modules, "runtime", raising=False)


def request(*texts):
    """A request of the model: the array that Triton gives, bytes of one column."""
    return np.array([[text] for text in texts], np.object_)


def test_the_text_model_answers_records_and_names_bad_ones(text_model):
    model = text_model(operating_point="f1")
    good, bad, not_text = model.execute(
        [request(b'{"page": {"title": "\xd0\xb4"}}', b"{}"), request(b"[1"), request(b'{"page": "\xff"}')]
    )
    assert good.error is None and good.output_tensors[0].values.shape == (2, 1)
    answers = [json.loads(item) for item in good.output_tensors[0].values.ravel()]
    assert all(answer["label"] in LABELS and "positive" in answer for answer in answers)
    assert bad.output_tensors == [] and "delimiter" in bad.error
    assert not_text.output_tensors == [] and "utf-8" in not_text.error


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_the_text_model_gives_the_recorded_answers_in_batches_of_any_size(text_model, precision):
    """Triton hands over several requests at once, each with several records, and wants a response for each."""
    model = text_model(precision=precision, operating_point="f1")
    lines = [json.loads(line) for line in (shared_bundle() / "golden.jsonl").read_bytes().splitlines()]
    texts = [json.dumps(line["record"], ensure_ascii=False).encode() for line in lines]
    requests, start = [], 0
    while start < len(texts):
        requests.append(request(*texts[start : start + len(requests) % 7 + 1]))
        start += len(requests[-1])
    responses = model.execute(requests)
    assert [one.output_tensors[0].values.shape for one in responses] == [one.shape for one in requests]
    said = [json.loads(text) for one in responses for text in one.output_tensors[0].values.ravel()]
    for answer, line in zip(said, lines, strict=True):
        known = line["answers"][precision]
        assert answer["label"] == known["label"] and answer["positive"] == known["positive"]["f1"]
        assert answer["probabilities"] == pytest.approx(known["probabilities"], abs=1e-5)


def test_a_request_without_records_gets_an_empty_answer(text_model):
    (response,) = text_model().execute([np.empty((0, 1), np.object_)])
    assert response.error is None and response.output_tensors[0].values.shape == (0, 1)


def parameters(**changes):
    values = {"precision": "fp32", "operating_point": "", "threads": "1"} | changes
    return {key: {"string_value": value} for key, value in values.items()}


def fake_backend():
    """The few names of Triton's Python backend that the model uses; a request is its input array."""

    class Input:
        def __init__(self, values):
            self.values = values

        def as_numpy(self):
            return self.values

    module = types.ModuleType("triton_python_backend_utils")
    module.get_input_tensor_by_name = lambda request, name: Input(request)
    module.Tensor = lambda name, values: types.SimpleNamespace(name=name, values=values)
    module.TritonError = str
    module.InferenceResponse = lambda output_tensors, error=None: types.SimpleNamespace(
        output_tensors=output_tensors, error=error
    )
    return module


def test_names_stay_inside_their_quotes():
    text = triton.text_config('a"b\\c\n\x1b', 'x" }')
    assert r'name: "a\042b\134c\012\033"' in text and r'string_value: "x\042 \175"' in text
