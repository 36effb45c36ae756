"""The student's folder and the bundle of a whole run, opened as clients of Hugging Face's libraries open them."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from tokenizers import Tokenizer

from distill.core.rendering import Renderer
from tests.clients import folder_rules
from tests.clients.environments import golden


@pytest.fixture(scope="module")
def student(run):
    return run / "students" / "3L_trunc"


@pytest.fixture(scope="module")
def bundle(run):
    return run / "bundles" / "3L_trunc"


@pytest.fixture(scope="module")
def sides(bundle):
    """Both texts of each golden record, rendered by the bundle's view."""
    before = json.loads((bundle / "preprocessing.json").read_bytes())
    renderer = Renderer(before, Tokenizer.from_file(str(bundle / "tokenizer.json")))
    return [renderer.text(line["record"]) for line in golden(bundle)]


def recorded(bundle):
    return np.array([line["logits"]["fp32"] for line in golden(bundle)])


def probabilities(logits, temperature):
    powers = np.exp(logits / temperature - (logits / temperature).max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def test_pipeline_over_the_students_folder_gives_the_bundles_answers(student, bundle, sides):
    from transformers import pipeline

    classify = pipeline("text-classification", model=str(student), truncation=True, top_k=None)
    after, lines = json.loads((bundle / "postprocessing.json").read_bytes()), golden(bundle)
    said = [classify({"text": [a], "text_pair": [b]}, function_to_apply="none") for a, b in sides]
    assert [one[0]["label"] for one in said] == [line["answers"]["fp32"]["label"] for line in lines]
    logits = np.array(
        [[{one["label"]: one["score"] for one in row}[label] for label in after["labels"]] for row in said]
    )
    np.testing.assert_allclose(logits, recorded(bundle), atol=1e-4)
    known = [list(line["answers"]["fp32"]["probabilities"].values()) for line in lines]
    np.testing.assert_allclose(probabilities(logits, after["temperature"]["fp32"]), known, atol=1e-4)
    plain = [max(one["score"] for one in classify({"text": [a], "text_pair": [b]})) for a, b in sides[:5]]
    np.testing.assert_allclose(plain, probabilities(logits[:5], 1).max(axis=1), atol=1e-5)


def test_the_code_of_the_page_gives_the_logits(student, bundle, sides, tmp_path, monkeypatch):
    page = (Path(__file__).parents[2] / "docs" / "serving.md").read_text("utf-8")
    (block,) = [one for one in re.findall(r"```python\n(.*?)```", page, re.DOTALL) if "import pipeline" in one]
    (tmp_path / "runs" / "project" / "students").mkdir(parents=True)
    (tmp_path / "runs" / "project" / "students" / "8L_trunc").symlink_to(student)
    monkeypatch.chdir(tmp_path)
    number = max(range(len(sides)), key=lambda index: len(sides[index][1]))
    found = dict(zip(("left", "right"), sides[number], strict=True))
    exec(block, found)
    logits = sorted((one["score"] for one in found["logits"]), reverse=True)
    np.testing.assert_allclose(logits, sorted(recorded(bundle)[number], reverse=True), atol=1e-4)


def test_the_folders_have_what_each_server_looks_for(student, bundle):
    assert folder_rules.tei_onnx(bundle) == []
    assert folder_rules.tei_safetensors(student) == []
    assert folder_rules.kserve(student) == []
    assert folder_rules.kserve(bundle) == ["model.safetensors"]


def test_the_cut_that_text_embeddings_inference_makes_is_the_bundles(student, bundle, sides):
    """It takes padding off, and cuts the longer side first at the length of `sentence_bert_config.json`."""
    for folder in (student, bundle):
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        tokenizer.no_padding()
        length = json.loads((folder / "sentence_bert_config.json").read_bytes())["max_seq_length"]
        tokenizer.enable_truncation(length, stride=0, strategy="longest_first", direction="right")
        for line, (left, right) in zip(golden(bundle), sides, strict=True):
            found, window = tokenizer.encode(left, right), line["windows"][0]
            assert (found.ids, found.type_ids) == (window["ids"], window["type_ids"]), line["id"]


def test_onnx_as_text_embeddings_inference_runs_it_gives_the_bundles_logits(bundle, sides):
    """Two records a run, filled up on the right, with the ids and token types of its tokenizer."""
    session = onnxruntime.InferenceSession(str(bundle / "model.onnx"), providers=["CPUExecutionProvider"])
    pad, names = folder_rules.config_of(bundle)["pad_token_id"], [one.name for one in session.get_inputs()]
    windows = [line["windows"][0] for line in golden(bundle)]
    found = []
    for start in range(0, len(windows), 2):
        batch = windows[start : start + 2]
        most = max(len(one["ids"]) for one in batch)
        filled = {
            "input_ids": [one["ids"] + [pad] * (most - len(one["ids"])) for one in batch],
            "token_type_ids": [one["type_ids"] + [0] * (most - len(one["ids"])) for one in batch],
            "attention_mask": [[1] * len(one["ids"]) + [0] * (most - len(one["ids"])) for one in batch],
        }
        found += session.run(["logits"], {name: np.array(filled[name], np.int64) for name in names})[0].tolist()
    np.testing.assert_allclose(found, recorded(bundle), atol=1e-4)


def test_kserves_server_reads_pairs_and_cuts_where_it_is_told(student, bundle, sides):
    """With the calls of its `encoder_model.py`, which asks tokenizers for lower case; it needs `--max_model_len`."""
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(str(student), do_lower_case=True)
    model = AutoModelForSequenceClassification.from_pretrained(student).eval()
    length = json.loads((bundle / "preprocessing.json").read_bytes())["max_tokens"]
    assert folder_rules.kserve_length(folder_rules.config_of(student)) > length
    told = {"max_length": length, "add_special_tokens": True, "return_token_type_ids": None}
    found = []
    for start in range(0, len(sides), 8):
        instances = [list(pair) for pair in sides[start : start + 8]]
        inputs = tokenizer(instances, return_tensors="pt", padding=True, truncation=True, **told)
        with torch.no_grad():
            found += model(**inputs).logits.tolist()
    np.testing.assert_allclose(found, recorded(bundle), atol=1e-4)


@pytest.mark.parametrize(
    ("spoil", "found"),
    [
        (lambda config: config.pop("label2id"), "config.json: label2id"),
        (lambda config: config.update(architectures=["BertModel"]), "config.json: an architecture that ends with"),
        (lambda config: config.update(model_type="mpnet"), "classifiers of the family mpnet"),
        (lambda config: config.pop("hidden_act"), "config.json: hidden_act"),
    ],
)
def test_a_folder_that_breaks_a_rule_is_told(student, tmp_path, spoil, found):
    folder = shutil.copytree(student, tmp_path / "student")
    config = folder_rules.config_of(folder)
    spoil(config)
    (folder / "config.json").write_text(json.dumps(config))
    assert [one for one in folder_rules.tei_safetensors(folder) if one.startswith(found)]


def test_without_its_length_text_embeddings_inference_would_cut_elsewhere(student, tmp_path):
    folder = shutil.copytree(student, tmp_path / "student")
    (folder / "sentence_bert_config.json").unlink()
    assert folder_rules.tei(folder) == ["sentence_bert_config.json: max_seq_length"]
