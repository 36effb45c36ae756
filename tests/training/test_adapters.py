"""Low-rank adapters: what is trained, what is kept of it, and that the merged model says the same."""

from __future__ import annotations

import json

import peft
import pytest
import torch
from safetensors import safe_open
from transformers.models.bert.modeling_bert import BertIntermediate

from distill.core.errors import UserError
from distill.models.encoder import load_classifier
from distill.models.pretrained import save_tokenizer
from distill.training.adapters import adapted_layers, take_trained
from distill.training.config import LoraConfig
from tests.training.toy import fit_toy, interrupted, same_weights

LORA = {"r": 4, "alpha": 16, "dropout": 0.0, "modules": ["query", "value"]}
FOUR_STEPS = {"epochs": 3, "max_steps": 4, "dropout": 0, "warmup": 1, "may_collapse": True, "save_steps": 2}
CHANGES = {
    "r": {"r": 2},
    "alpha": {"alpha": 32},
    "dropout": {"dropout": 0.5},
    "modules": {"modules": "all"},
}


def rows(model):
    ids = torch.arange(5, 35).reshape(5, 6)
    with torch.no_grad():
        return model.eval()(input_ids=ids, attention_mask=torch.ones_like(ids)).logits


@pytest.fixture(scope="module")
def adapted(warm, tmp_path_factory):
    """A folder fitted by adapters, and the model that was fitted in memory."""
    folder = tmp_path_factory.mktemp("adapted")
    model = fit_toy(warm, folder, lora=LORA, **FOUR_STEPS)
    save_tokenizer(warm, folder)
    return folder, model


def test_the_merged_model_is_plain_and_answers_as_the_adapters_over_the_source(warm, adapted):
    folder, model = adapted
    merged, source = load_classifier(folder), load_classifier(warm)
    assert merged.state_dict().keys() == source.state_dict().keys() and type(merged) is type(source)
    assert same_weights(model, merged)
    before = rows(source)
    unmerged = rows(peft.PeftModel.from_pretrained(source, folder / "adapters"))
    torch.testing.assert_close(rows(merged), unmerged, atol=1e-5, rtol=0)
    assert not torch.allclose(before, unmerged, atol=1e-2)


def test_only_what_has_an_adapter_and_the_head_have_changed(warm, adapted):
    before, after = load_classifier(warm).state_dict(), load_classifier(adapted[0]).state_dict()
    changed = {
        name.removesuffix(".weight").removesuffix(".bias")
        for name in before
        if not torch.equal(before[name], after[name])
    }
    layers = {f"bert.encoder.layer.{n}.attention.self.{part}" for n in (0, 1) for part in ("query", "value")}
    assert changed == {*layers, "bert.pooler.dense", "classifier"}
    with safe_open(adapted[0] / "adapters" / "adapter_model.safetensors", framework="np") as stored:
        shapes = {stored.get_tensor(name).shape for name in stored.keys() if "lora_A" in name}
    assert shapes == {(LORA["r"], 16)}


@pytest.mark.parametrize("name", CHANGES)
def test_an_option_of_the_adapters_changes_the_weights(warm, adapted, tmp_path, name):
    assert not same_weights(adapted[1], fit_toy(warm, tmp_path, lora={**LORA, **CHANGES[name]}, **FOUR_STEPS))


def test_a_killed_fit_goes_on_from_checkpoints_that_hold_what_is_trained_alone(warm, adapted, tmp_path):
    interrupted(warm, tmp_path, 3, lora=LORA, **FOUR_STEPS)
    (last,) = tmp_path.glob("checkpoints/checkpoint-*")
    with safe_open(last / "model.safetensors", framework="np") as stored:
        assert all("lora" in name or "pooler" in name or name.startswith("classifier") for name in stored.keys())
    model = fit_toy(warm, tmp_path, lora=LORA, **FOUR_STEPS)
    assert same_weights(model, adapted[1])
    assert json.loads((tmp_path / "training_history.json").read_text())["steps"] == 4


def test_a_run_that_ends_by_itself_keeps_the_average_of_the_adapters(warm, tmp_path):
    ends = {"epochs": None, "checkpoint": "best", "ceiling_steps": 4, "evaluate_steps": 2, "warmup": 1}
    fit_toy(warm, tmp_path, lora=LORA, may_collapse=True, **ends)
    save_tokenizer(warm, tmp_path)
    source = peft.PeftModel.from_pretrained(load_classifier(warm), tmp_path / "adapters")
    torch.testing.assert_close(rows(load_classifier(tmp_path)), rows(source), atol=1e-5, rtol=0)


def test_a_name_that_no_layer_has_is_told_those_there_are(warm):
    with pytest.raises(
        UserError,
        match=r"training\.lora\.modules[\s\S]*qeury; did you mean 'query'[\s\S]*known: dense, key, query, value",
    ):
        adapted_layers(load_classifier(warm), LoraConfig(modules=["qeury"]))


def test_names_are_chosen_by_architecture_and_never_the_head(warm):
    model = load_classifier(warm)
    chosen = {name: adapted_layers(model, LoraConfig(modules=name)) for name in ("auto", "all")}
    assert {name.rpartition(".")[2] for name in chosen["auto"]} == {"query", "value"}
    assert len(chosen["all"]) == 2 * 6 and not any("pooler" in name or "classifier" in name for name in chosen["all"])


def test_weights_of_other_adapters_are_not_taken(warm):
    with pytest.raises(ValueError, match="another model"):
        take_trained(load_classifier(warm), {})


def test_layers_computed_again_learn_the_same(warm, tmp_path, monkeypatch):
    runs = dict.fromkeys(("plain", "again"), 0)
    forward = BertIntermediate.forward
    found = {}
    for name in runs:

        def counted(self, states, name=name):
            runs[name] += self.training
            return forward(self, states)

        monkeypatch.setattr(BertIntermediate, "forward", counted)
        found[name] = fit_toy(warm, tmp_path / name, gradient_checkpointing=name == "again", **FOUR_STEPS)
    assert runs["again"] == 2 * runs["plain"] > 0
    assert same_weights(found["plain"], found["again"]) and not found["again"].is_activation_checkpointing


def test_what_cannot_compute_its_layers_again_says_so(warm, tmp_path, monkeypatch):
    monkeypatch.setattr("transformers.BertForSequenceClassification.supports_gradient_checkpointing", False)
    with pytest.raises(UserError, match=r"training\.gradient_checkpointing[\s\S]*model_type 'bert'"):
        fit_toy(warm, tmp_path, gradient_checkpointing=True, **FOUR_STEPS)
