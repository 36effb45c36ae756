"""The second exporter and an independent client, in optimum's own environment: DISTILL_OPTIMUM_PYTHON names its Python.

`python3.11 -m venv OPTIMUM; OPTIMUM/bin/pip install -r requirements/optimum.txt`, then
`DISTILL_OPTIMUM_PYTHON=OPTIMUM/bin/python pytest tests/export/test_optimum.py`.
"""

import json
import os
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest

from distill.core.errors import UserError
from distill.core.label_space import LabelSpace
from distill.inference.onnx_runner import OnnxRunner
from distill.models.encoder import load_classifier
from export import bundle as bundles
from export import int8
from export.artifact import Artifact, Contents
from export.build import export_target
from export.checked_bundle import verify
from export.config import load_target, with_exporter
from export.evidence import Evidence, Sample
from tests.export.conftest import FAMILIES, LABELS
from tests.export.test_to_onnx import random_batch

PYTHON = os.environ.get("DISTILL_OPTIMUM_PYTHON")
pytestmark = pytest.mark.skipif(not PYTHON, reason="DISTILL_OPTIMUM_PYTHON names no Python that has optimum")
CLIENT = Path(__file__).with_name("optimum_client.py")


def targets():
    chosen = {name: load_target(name, {"parity_rows": 30}) for name in ("onnx", "onnx-int8")}
    return with_exporter(chosen, "optimum", PYTHON)


@pytest.fixture(scope="module")
def exported(model_folder, rows, tmp_path_factory):
    """`exported(family)`: artifacts of a tiny model, traced by optimum, and its int8 form; made once per module."""
    made = {}

    def get(family):
        if family not in made:
            found = []
            for name, target in targets().items():
                folder = tmp_path_factory.mktemp(f"{family}-{name}")
                base = found[0].folder if found else None
                export_target(target, model_folder(family), Evidence(Sample(rows)), folder, base)
                found.append(Artifact(target, folder))
            made[family] = found
        return made[family]

    return get


@pytest.fixture(scope="module")
def bundle(exported, model_folder, tmp_path_factory):
    folder = tmp_path_factory.mktemp("bundle") / "tiny"
    folder.mkdir()
    space = LabelSpace(tuple(LABELS), positive="about_pr")
    held = [
        replace(one, temperature=temperature) for one, temperature in zip(exported("bert"), (1.7, 0.6), strict=True)
    ]
    bundles.bundle(Contents("tiny", model_folder("bert"), held, space, {}), folder, threads=1)
    return folder


@pytest.mark.parametrize("family", FAMILIES)
def test_its_file_has_the_logits_and_the_products_of_ours(exported, fp32, family):
    file = exported(family)[0].folder / "model.onnx"
    for lengths in ([1], [40], [13, 40, 5, 1, 22, 31, 3]):
        batch = random_batch(lengths)
        own = OnnxRunner(fp32(family)).logits(batch)
        np.testing.assert_allclose(OnnxRunner(file).logits(batch), own, atol=1e-5)
    assert [one.name for one in onnx.load(file).graph.input] == [
        one.name for one in onnx.load(fp32(family)).graph.input
    ]
    assert {one.name for one in int8.products(file)} >= {
        one.name for one in int8.products(fp32(family)) if ".layer.0." in one.name
    }


def test_parity_int8_and_bundle_are_made_as_of_our_own(exported, bundle):
    parity = [json.loads((one.folder / "parity.json").read_text()) for one in exported("bert")]
    assert parity[0]["max_abs_diff"] < 1e-4 and parity[1]["finite"]
    assert verify(bundle, threads=1)["passed"]
    entries = json.loads((bundle / "manifest.json").read_text())["artifacts"]
    assert [one["exporter"]["name"] for one in entries.values()] == ["optimum", "optimum"]
    assert entries["int8"]["exporter"]["versions"]["optimum-onnx"].startswith("0.1.")
    assert entries["fp32"]["exporter"]["versions"]["transformers"].startswith("4.57.")


def test_a_client_with_optimum_reads_the_golden_records_alike(bundle):
    entries = json.loads((bundle / "manifest.json").read_text())["artifacts"]
    asked = {"bundle": str(bundle), "files": {name: entry["file"] for name, entry in entries.items()}}
    done = subprocess.run(
        [PYTHON, "-I", "-B", str(CLIENT)], input=json.dumps(asked), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    golden = [json.loads(line) for line in (bundle / "golden.jsonl").read_bytes().splitlines()]
    compared = [(ids, line["windows"][0]["ids"]) for ids, line in zip(said["tokens"], golden, strict=True) if ids]
    assert len(compared) > 100 and all(ids == recorded for ids, recorded in compared)
    for name, entry in entries.items():
        recorded = np.array([line["logits"][name] for line in golden])
        assert np.abs(np.array(said[name]["logits"]) - recorded).max() <= entry["tolerance"]
        assert said[name]["labels"] == [line["answers"][name]["label"] for line in golden]
        known = [list(line["answers"][name]["probabilities"].values()) for line in golden]
        pairs = [(one, other) for one, other in zip(said[name]["alone"], known, strict=True) if one]
        assert len(pairs) > 100
        np.testing.assert_allclose(*zip(*pairs, strict=True), atol=max(1e-4, entry["tolerance"]))


def test_weights_that_its_transformers_does_not_know_end_in_its_own_words(model_folder, tmp_path):
    from safetensors.numpy import load_file, save_file

    from export.exporters.optimum import ask_optimum
    from export.plain_folder import write_plain_folder

    write_plain_folder(model_folder("bert"), tmp_path / "model")
    weights = load_file(tmp_path / "model" / "model.safetensors")
    weights["bert.elsewhere"] = weights.pop("classifier.bias")
    (tmp_path / "model" / "model.safetensors").unlink()
    save_file(weights, tmp_path / "model" / "model.safetensors", {"format": "pt"})
    asked = {"folder": str(tmp_path / "model"), "out": str(tmp_path / "out"), "opset": 20}
    with pytest.raises(UserError, match="other weights for the family: bert.elsewhere, classifier.bias") as caught:
        ask_optimum(PYTHON, asked, "export: onnx")
    assert "exit code 1" in caught.value.found and not (tmp_path / "out").exists()


def test_families_that_it_does_not_know_are_named_before_training(model_folder):
    model = load_classifier(model_folder("bert"))
    target = targets()["onnx"]
    target.require(model)
    model.config.model_type = "distill_headed_bert"
    with pytest.raises(UserError, match="which is the toolkit's own") as caught:
        target.require(model)
    assert "roberta" in caught.value.do
