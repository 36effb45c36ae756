"""Exporters: how one is chosen, what is asked of another environment, and what becomes of what it gives back."""

import json
import shutil
import sys

import numpy as np
import onnx
import pytest
from typer.testing import CliRunner

from distill.cli.app import app
from distill.cli.options import Options
from distill.core.errors import UserError
from distill.core.files import sha256
from distill.inference.onnx_runner import OnnxRunner
from distill.models.encoder import load_classifier
from export import build, clean_process
from export.artifact import Artifact
from export.bundle import _entry
from export.config import load_target, with_exporter
from export.exporters import known_exporters, optimum
from export.plain_folder import plain_config, write_plain_folder
from tests.export.conftest import LABELS
from tests.export.tiny_bundle import classifier
from tests.pipeline.test_settings import PROJECT

VERSIONS = {"optimum-onnx": "0.1.0", "transformers": "4.57.6"}
FAKE = """#!{python}
import json, os, shutil, sys
asked = json.load(sys.stdin)
if asked.get("only") == "versions":
    print(json.dumps({{"versions": {versions}}}))
elif "folder" not in asked:
    print(json.dumps({{"versions": {{}}, "families": ["bert", "roberta"]}}))
else:
    assert os.path.exists(asked["folder"] + "/model.safetensors") and os.environ["HF_HUB_OFFLINE"] == "1"
    {export}
    print(json.dumps({{"versions": {versions}}}))
"""
COPY = "os.makedirs(asked['out']); shutil.copyfile({file!r}, asked['out'] + '/model.onnx')"


@pytest.fixture
def other_python(tmp_path):
    """`other_python(export, versions)`: a program that answers as optimum's Python does, and exports so."""
    optimum._known_families.cache_clear()

    def write(export="pass", versions=VERSIONS):
        path = tmp_path / "python"
        path.write_text(FAKE.format(python=sys.executable, export=export, versions=versions), encoding="utf-8")
        path.chmod(0o755)
        return str(path)

    yield write
    optimum._known_families.cache_clear()


@pytest.fixture
def traced(tmp_path):
    """A classifier as optimum leaves one: other names of axes and nodes, inputs in another order, no metadata."""
    proto = classifier()
    inputs = list(proto.graph.input)[::-1]
    del proto.graph.input[:]
    proto.graph.input.extend(inputs)
    for value in proto.graph.input:
        value.type.tensor_type.shape.dim[1].dim_param = "sequence_length"
    for number, node in enumerate(proto.graph.node):
        node.name = f"/bert/encoder/layer.1/{node.name or number}/{node.op_type}"
    path = tmp_path / "traced.onnx"
    onnx.save(proto, path)
    return path


def export(python, model, folder):
    target = with_exporter({"onnx": load_target("onnx")}, "optimum", python)["onnx"]
    return target.build(build.Source(model, None, lambda _: {}), folder)


def test_the_exporter_is_chosen_for_targets_that_trace_a_model(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    plain = {name: load_target(name) for name in ("onnx", "onnx-int8")}
    assert with_exporter(plain, None, None) == plain
    chosen = with_exporter(plain, "optimum", "env/bin/python")
    assert (chosen["onnx"].exporter, chosen["onnx"].exporter_python) == ("optimum", str(tmp_path / "env/bin/python"))
    assert chosen["onnx-int8"] == plain["onnx-int8"]
    assert sorted(known_exporters()) == ["optimum", "transformers"]


def test_an_export_is_made_anew_for_another_exporter_and_not_when_its_environment_has_moved():
    plain = {"onnx": load_target("onnx")}
    one, other = (with_exporter(plain, "optimum", python)["onnx"].as_fingerprint() for python in ("/a", "/b"))
    assert one == other == {**plain["onnx"].as_fingerprint(), "exporter": "optimum"}


@pytest.mark.parametrize(
    ("exporter", "python", "message"),
    [
        ("optimun", None, "exporter: unknown 'optimun', known: optimum, transformers"),
        ("optimum", None, "exporter_python: optimum runs in an environment of its own; name its Python"),
        (None, "/env/bin/python", "exporter_python: transformers runs in this environment; remove it"),
    ],
)
def test_an_exporter_and_its_python_belong_together(exporter, python, message):
    with pytest.raises(UserError) as caught:
        with_exporter({"onnx": load_target("onnx")}, exporter, python)
    assert message in str(caught.value) and caught.value.exit_code == 2


def test_an_exporter_without_a_target_that_traces_is_refused():
    with pytest.raises(UserError, match="no export target traces a model"):
        with_exporter({"onnx-int8": load_target("onnx-int8")}, "optimum", "/env/bin/python")


def test_the_command_line_names_the_exporter_of_a_run(tmp_path):
    config = tmp_path / "project.yaml"
    config.write_text(PROJECT, encoding="utf-8")
    settings = Options(config=config, exporter="optimum", exporter_python="/opt/python").settings()
    assert settings.targets["onnx"].exporter == settings.as_json()["export"]["onnx"]["exporter"] == "optimum"
    found = CliRunner().invoke(app, ["export", f"--config={config}", "--exporter=optimum"])
    assert isinstance(found.exception, UserError) and "exporter_python: optimum runs in" in str(found.exception)
    found = CliRunner().invoke(app, ["export", f"--config={config}", "--exporter-python=python"])
    assert "exporter_python: transformers runs in this environment" in str(found.exception)


def test_what_comes_back_is_named_and_checked_as_our_own(traced, model_folder, other_python, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    said = export(other_python(COPY.format(file=str(traced))), model_folder("bert"), out)
    assert said == {"exporter": {"name": "optimum", "versions": VERSIONS}}
    assert [path.name for path in out.iterdir()] == ["model.onnx"]
    found = onnx.load(out / "model.onnx")
    assert [one.name for one in found.graph.input] == ["input_ids", "attention_mask", "token_type_ids"]
    assert {dim.dim_param for one in found.graph.input for dim in one.type.tensor_type.shape.dim} == {
        "batch",
        "sequence",
    }
    notes = {one.key: one.value for one in found.metadata_props}
    assert json.loads(notes["labels"]) == LABELS
    assert notes["source_sha256"] == sha256(model_folder("bert") / "model.safetensors")
    assert "bert.encoder.layer.1.dense/MatMul" in [node.name for node in found.graph.node]
    batch = {name: np.array([[5, 9, 1], [1, 0, 1]], np.int64) % 2 for name in [one.name for one in found.graph.input]}
    logits = OnnxRunner(out / "model.onnx").logits(batch)
    np.testing.assert_array_equal(logits, OnnxRunner(traced).logits(batch))

    (out / "parity.json").write_text(json.dumps(said), encoding="utf-8")
    assert _entry(Artifact(load_target("onnx"), out))["exporter"] == said["exporter"]
    assert build.made_by(out) == said and build.made_by(tmp_path) == {}


def test_a_file_with_other_inputs_is_refused(traced, model_folder, other_python, tmp_path):
    proto = onnx.load(traced)
    proto.graph.input[0].name = "token_types"
    onnx.save(proto, traced)
    with pytest.raises(UserError, match="other inputs or outputs") as caught:
        export(other_python(COPY.format(file=str(traced))), model_folder("bert"), tmp_path)
    assert "token_types" in caught.value.found and not (tmp_path / "model.onnx").exists()


def test_an_environment_that_is_missing_old_or_fails_is_named_with_what_to_do(other_python, model_folder, tmp_path):
    with pytest.raises(UserError, match="Python does not start") as caught:
        export(str(tmp_path / "none"), model_folder("bert"), tmp_path)
    assert "No such file" in caught.value.found and "requirements/optimum.txt" in caught.value.do

    with pytest.raises(UserError, match="other packages than the exporter needs") as caught:
        export(other_python(versions={"transformers": "5.23.0"}), model_folder("bert"), tmp_path)
    assert "optimum-onnx is not installed, transformers 5.23.0" in caught.value.found

    fails = "print('half', flush=True); [print(f'line {i}', file=sys.stderr) for i in range(9)]; os._exit(139)"
    with pytest.raises(UserError, match="the other environment failed") as caught:
        export(other_python(fails), model_folder("bert"), tmp_path)
    assert "exit code 139" in caught.value.found and "line 8" in caught.value.found
    assert "line 3" not in caught.value.found and caught.value.exit_code == 2
    assert [path.name for path in tmp_path.iterdir()] == ["python"]

    with pytest.raises(UserError, match="the other environment failed") as caught:
        clean_process.ask_other_python(shutil.which("echo"), tmp_path / "script.py", {}, "export: onnx", "pip")
    assert "exit code 0" in caught.value.found


@pytest.mark.parametrize("change", [{"model_type": "distill_headed_bert"}, {"distill": {"token_schedule": [1, 2]}}])
def test_a_model_of_the_toolkits_own_is_refused_before_training(other_python, model_folder, change):
    target = with_exporter({"onnx": load_target("onnx")}, "optimum", other_python())["onnx"]
    model = load_classifier(model_folder("bert"))
    target.require(model)
    for name, value in change.items():
        setattr(model.config, name, value)
    with pytest.raises(UserError, match="optimum cannot export this model") as caught:
        target.require(model)
    assert "which is the toolkit's own" in caught.value.found and "bert, roberta" in caught.value.do


def test_rotary_positions_are_named_as_both_versions_read_them():
    both = {"rope_theta": 10_000.0, "rope_type": "default"}
    scaled = {"rope_theta": 5.0, "rope_type": "linear", "factor": 2.0}
    assert plain_config({"a": 1, "transformers_version": "5.23.0"}) == {"a": 1}
    assert plain_config({"rope_parameters": both}) == {"rope_theta": 10_000.0, "rope_scaling": None}
    assert plain_config({"rope_parameters": scaled}) == {
        "rope_theta": 5.0,
        "rope_scaling": {"rope_type": "linear", "factor": 2.0},
    }
    kinds = {"full_attention": {**both, "rope_theta": 160_000.0}, "sliding_attention": both}
    assert plain_config({"rope_parameters": kinds}) == {"global_rope_theta": 160_000.0, "local_rope_theta": 10_000.0}


def test_the_folder_that_is_handed_over_has_the_weights_and_a_tokenizer_of_its_own(model_folder, tmp_path):
    write_plain_folder(model_folder("bert"), tmp_path / "plain")
    names = sorted(path.name for path in (tmp_path / "plain").iterdir())
    settings = ["sentence_bert_config.json", "tokenizer.json", "tokenizer_config.json"]
    assert names == ["config.json", "model.safetensors", *settings]
    given, own = (folder / "model.safetensors" for folder in (tmp_path / "plain", model_folder("bert")))
    assert given.is_symlink() and given.read_bytes() == own.read_bytes()
