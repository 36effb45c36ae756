"""Every option of a fit changes what it says: the weights, the length, or what is kept."""

from __future__ import annotations

import json

import pytest
import torch

from distill.core.errors import UserError
from distill.core.progress import reporting
from distill.models.encoder import layer_stack, load_classifier
from distill.models.pretrained import save_tokenizer
from distill.training.distillation_loss import DistillationLoss
from distill.training.losses.gold import Gold
from distill.training.losses.term import HIDDEN_STATES
from tests.training.toy import Watch, fit_toy, same_weights, toy_run

# Of a fixed length of four steps: each of these gives other weights.
WEIGHTS = {
    "epochs": {"epochs": 1, "max_steps": None},
    "max_steps": {"max_steps": 3},
    "batch_size": {"batch_size": 6},
    "accumulate": {"accumulate": 2},
    "optimiser": {"optimiser": "muon"},
    "learning_rate": {"learning_rate": 1e-3},
    "head_rate": {"head_rate": 5.0},
    "layer_decay": {"layer_decay": 0.5},
    "warmup": {"warmup": 3},
    "schedule": {"schedule": "constant_with_warmup"},
    "final_learning_rate": {"final_learning_rate": 1e-3},
    "weight_decay": {"weight_decay": 0.5},
    "max_grad_norm": {"max_grad_norm": 1e-3},
    "dropout": {"dropout": 0.4},
    "head_dropout": {"head_dropout": 0.4},
    "alter": {"alter": {"word_dropout": 0.3}},
    "precision": {"precision": "bf16"},
}
FOUR_STEPS = {"epochs": 3, "max_steps": 4, "dropout": 0, "warmup": 1, "may_collapse": True}
# Until log loss has stopped falling: each of these gives another number of steps or of evaluations, or other weights.
ENDLESS = {
    **{"epochs": None, "ceiling_steps": 12, "patience": 40, "evaluate_steps": 2},
    **{"warmup": 1, "dropout": 0, "may_collapse": True},
}
LENGTHS = {
    "ceiling_steps": {"ceiling_steps": 6},
    "evaluate_steps": {"evaluate_steps": 3},
    "average": {"average": 0.5},
    "ema": {"ema": 0.9},
    "patience": {"patience": 1},
}


def fitted(encoder, folder, **training):
    """The model's folder after a fit, and its history."""
    fit_toy(encoder, folder, **training)
    save_tokenizer(encoder, folder)
    return load_classifier(folder), json.loads((folder / "training_history.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def plain(encoder, tmp_path_factory):
    return fitted(encoder, tmp_path_factory.mktemp("plain"), **FOUR_STEPS)[0]


@pytest.fixture(scope="module")
def endless(warm, tmp_path_factory):
    return fitted(warm, tmp_path_factory.mktemp("endless"), **ENDLESS)


def test_without_a_change_the_fit_is_the_same(encoder, plain, tmp_path):
    assert same_weights(plain, fitted(encoder, tmp_path, **FOUR_STEPS)[0])


@pytest.mark.parametrize("name", WEIGHTS)
def test_an_option_changes_the_weights(encoder, plain, tmp_path, name):
    assert not same_weights(plain, fitted(encoder, tmp_path, **{**FOUR_STEPS, **WEIGHTS[name]})[0])


@pytest.mark.parametrize("name", LENGTHS)
def test_an_option_changes_a_run_that_ends_by_itself(warm, endless, tmp_path, name):
    model, history = fitted(warm, tmp_path, **{**ENDLESS, **LENGTHS[name]})
    other, before = endless
    steps = [one["step"] for one in history["history"]], [one["step"] for one in before["history"]]
    assert steps[0] != steps[1] or not same_weights(model, other)
    if name == "ceiling_steps":
        assert (history["steps"], before["steps"]) == (6, 12)
    if name == "evaluate_steps":
        assert steps[0] == [3, 6, 9, 12] and steps[1] == [2, 4, 6, 8, 10, 12]
    if name == "patience":
        assert history["ended"] == "converged" and history["steps"] < before["steps"]


def test_frozen_embeddings_stay_and_the_rest_learns(warm, tmp_path):
    before, table = load_classifier(warm).state_dict(), "bert.embeddings.word_embeddings.weight"
    for name, options in (("fixed", FOUR_STEPS), ("endless", ENDLESS)):
        after = fit_toy(warm, tmp_path / name, embeddings="frozen", **options).state_dict()
        assert [name for name in before if torch.equal(before[name], after[name].cpu())] == [table]


def test_a_last_layer_for_the_first_token_learns_the_same(warm, tmp_path):
    one, other = (fit_toy(warm, tmp_path / name, last_layer=name, **FOUR_STEPS) for name in ("whole", "first_token"))
    mine, theirs = one.state_dict(), load_classifier(tmp_path / "first_token").state_dict()
    assert mine.keys() == theirs.keys()
    for name, values in mine.items():
        torch.testing.assert_close(theirs[name], values.cpu(), atol=2e-5, rtol=0)
    assert layer_stack(other)[-1](torch.zeros(2, 5, 16)).shape == (2, 1, 16)


def test_a_last_layer_that_others_read_stays_whole_and_the_run_says_so(warm, tmp_path):
    class Reads(Gold):
        needs = frozenset({HIDDEN_STATES})

    (tmp_path / "run").mkdir()
    run, watch = toy_run(DistillationLoss((Reads(),)), teacher=warm), Watch()
    with reporting(watch):
        model = fit_toy(warm, tmp_path / "run", run=run, last_layer="first_token", **FOUR_STEPS)
    assert "the last layer is trained whole: a loss term reads all of its tokens" in watch.notes
    assert type(layer_stack(model)[-1]).__name__ == "BertLayer"


def test_a_model_without_embeddings_cannot_freeze_them(warm, tmp_path, monkeypatch):
    monkeypatch.setattr("transformers.BertModel.get_input_embeddings", lambda self: None)
    monkeypatch.setattr("transformers.BertForSequenceClassification.get_input_embeddings", lambda self: None)
    with pytest.raises(UserError, match=r"training\.embeddings[\s\S]*model_type 'bert'"):
        fit_toy(warm, tmp_path, embeddings="frozen", **FOUR_STEPS)
