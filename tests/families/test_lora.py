"""A teacher of adapters and a head of two layers: it labels, starts students, and leaves as ONNX, like any other."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoConfig, AutoModelForSequenceClassification

from distill.core.errors import UserError
from distill.core.progress import reporting
from distill.core.record_store import read_records
from distill.families.family import family_of, fit
from distill.models.config import HeadConfig
from distill.models.encoder import layer_stack, load_classifier
from distill.models.two_layer_head import set_head
from distill.pipeline.entries import student_entry, teacher_entry
from distill.training import four_bit
from distill.training.joining import Share
from export.config import load_target
from export.evidence import Sample
from export.parity import Original, measure
from export.targets.base import Source
from tests.families.lessons import toy_labels, toy_lesson
from tests.training.toy import Watch

QUICK = {"epochs": 6, "learning_rate": 2e-2, "batch_size": 8, "checkpoint": "last", "precision": "fp32"}
LORA = {"r": 4, "alpha": 8, "dropout": 0.0, "modules": "all"}


def taught(source, records, folder, **lora):
    head = {"layers": 2, "hidden": 24, "dropout": 0.0}
    entry = {"head": head, "training": {**QUICK, "lora": {**LORA, **lora}}}
    fit("encoder", teacher_entry("lora", entry, "test", folder), toy_lesson(records, source=source), folder)
    return folder


@pytest.fixture(scope="module")
def teacher(warm, records, tmp_path_factory):
    return taught(warm, records, tmp_path_factory.mktemp("teacher"))


def scores(folder, rows):
    return family_of(folder).open(folder).score([row.fields for row in rows]).logits


def test_its_folder_is_a_plain_model_with_the_adapters_beside(teacher, records):
    rows = read_records(records, "test.seen")
    assert (scores(teacher, rows).argmax(1) == np.stack([row.target for row in rows]).argmax(1)).mean() > 0.85
    model = load_classifier(teacher)
    assert [tuple(weight.shape) for weight in model.classifier.parameters()] == [(24, 16), (24,), (3, 24), (3,)]
    assert not [name for name, _ in model.named_parameters() if "lora" in name]
    assert (teacher / "adapters" / "adapter_config.json").is_file()


def test_a_student_starts_from_it_with_a_head_of_its_own_and_leaves_as_onnx(teacher, records, tmp_path):
    labels, student = toy_labels(records, tmp_path / "labels"), tmp_path / "student"
    own = {"layers": 1, "head": {"hidden": 6}, "training": QUICK}
    config = student_entry("3L_trunc", own, "test", tmp_path)
    fit("encoder", config, toy_lesson(records, source=teacher, labels={labels: Share()}), student)
    model = load_classifier(student)
    assert len(layer_stack(model)) == 1 and model.classifier[0].weight.shape == (6, 16)
    target, rows = load_target("onnx"), [row.fields for row in read_records(records, "train")]
    original = Original(student, Sample(rows), 20)
    (tmp_path / "onnx").mkdir()
    target.build(Source(student, None, original.changes_of), tmp_path / "onnx")
    found = measure(original, target.open(tmp_path / "onnx"), target)
    assert found["finite"] and found["max_abs_diff"] < 1e-5


def test_transformers_by_itself_refuses_the_folder(teacher):
    assert json.loads((teacher / "config.json").read_text())["model_type"] == "distill_headed_bert"


def test_a_head_is_kept_where_it_has_the_size_and_fresh_where_it_has_not(teacher):
    model = load_classifier(teacher)
    before = model.classifier[0].weight.clone()
    set_head(model, HeadConfig(hidden=24, dropout=0.3))
    assert torch.equal(model.classifier[0].weight, before) and model.classifier[2].p == 0.3
    set_head(model, HeadConfig(hidden=5))
    assert model.classifier[0].weight.shape == (5, 16) and model.config.head_hidden == 5


def test_a_new_head_lies_where_the_encoder_is():
    """Weights of 4 bits are loaded on the card, and stay where they are."""
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 24}
    for family in ("bert", "roberta"):  # a head of one linear layer, and of two
        config = AutoConfig.for_model(family, vocab_size=60, **sizes)
        model = AutoModelForSequenceClassification.from_config(config).to("meta")
        set_head(model, HeadConfig(hidden=8))
        assert {weight.device.type for weight in model.parameters()} == {"meta"}


def test_without_cuda_it_learns_without_four_bits_and_says_so(warm, records, teacher, tmp_path, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with reporting(watch := Watch()):
        taught(warm, records, tmp_path, four_bit=True)
    said = "trained without 4-bit weights (lora.four_bit): PyTorch finds no CUDA device"
    assert said in watch.notes
    assert json.loads((tmp_path / "training_history.json").read_text())["remarks"] == [said]
    assert (tmp_path / "model.safetensors").read_bytes() == (teacher / "model.safetensors").read_bytes()


def test_over_four_bits_the_adapters_are_merged_into_the_whole_weights(warm, records, teacher, tmp_path, monkeypatch):
    """Coarse weights stand in for those of 4 bits: what is merged into is what the checkpoint holds."""

    def coarse(folder, labels, objective, *, four_bit=False):
        model = load_classifier(folder, labels, objective)
        if four_bit:
            for weight in model.base_model.encoder.parameters():
                weight.data = (weight.data * 8).round() / 8
        return model

    monkeypatch.setattr("distill.models.encoder.load_classifier", coarse)
    monkeypatch.setattr(four_bit, "_missing", lambda: None)
    taught(warm, records, tmp_path, four_bit=True, modules=["query"])
    before, after = load_classifier(warm).state_dict(), load_classifier(tmp_path).state_dict()
    layer = "bert.encoder.layer.1.attention.self.query"
    stored = load_file(tmp_path / "adapters" / "adapter_model.safetensors")
    a, b = (stored[f"base_model.model.{layer}.lora_{part}.weight"] for part in "AB")
    assert b.abs().max() > 1e-3
    torch.testing.assert_close(after[f"{layer}.weight"], before[f"{layer}.weight"] + LORA["alpha"] / LORA["r"] * b @ a)
    untouched = "bert.encoder.layer.1.output.dense.weight"
    assert torch.equal(after[untouched], before[untouched])


def test_a_family_whose_head_has_a_norm_keeps_its_own(tmp_path):
    from transformers import ModernBertConfig, ModernBertForSequenceClassification

    sizes = {"hidden_size": 16, "num_attention_heads": 2, "intermediate_size": 16, "num_hidden_layers": 1}
    marks = dict.fromkeys(("pad_token_id", "bos_token_id", "eos_token_id", "cls_token_id", "sep_token_id"), 0)
    model = ModernBertForSequenceClassification(ModernBertConfig(vocab_size=60, **sizes, **marks))
    with pytest.raises(UserError, match="'modernbert', linear layers head.dense, classifier"):
        set_head(model, HeadConfig())
