"""Students that copy what a teacher's layers compute: what each term does to a fit, and what a fit leaves."""

from __future__ import annotations

import json

import pytest
from safetensors import safe_open
from safetensors.torch import load_file

from distill.core.errors import UserError
from distill.core.progress import reporting
from distill.models.encoder import load_classifier
from distill.training.distillation_loss import DistillationLoss
from distill.training.joining import Share
from distill.training.losses.registry import find_term, parse_terms
from students.train import train
from tests.families.lessons import toy_labels, toy_lesson
from tests.students.test_losses import _config
from tests.training.toy import WINDOWED, Stop, Watch, fit_toy, interrupted, same_weights, toy_encoder, toy_run

FEATURES = {
    "hidden_states": {"layers": "spread"},
    "embedding_cosine": {},
    "attention": {"layers": [[0, 1]]},
    "value_relations": {"relation_heads": 4},
    "attention_relations": {},
}
PATIENT = {"hidden_states": {"tokens": "first", "normalise": True, "layers": "spread"}}
LEARN = {"max_steps": 30, "learning_rate": 1e-2, "dropout": 0, "may_collapse": True}
NARROW = ("hidden_states", "embedding_cosine", "value_relations")


@pytest.fixture(scope="module")
def narrow(tmp_path_factory):
    """An encoder half as wide as the teacher, with its tokenizer."""
    return toy_encoder(tmp_path_factory.mktemp("narrow"), width=8)


def _lesson(records, folder, source, teacher, view=None):
    labels = {toy_labels(records, folder.with_name(f"{folder.name}-labels")): Share()}
    views = {"view": view} if view else {}
    return toy_lesson(records, **views, source=source, labels=labels, teacher=teacher)


def _noted(monkeypatch, name):
    """The values of a term, batch by batch."""
    seen, term = [], find_term(name)
    call = term.__call__

    def noting(self, student, teacher, batch):
        loss = call(self, student, teacher, batch)
        seen.append(float(loss.detach()))
        return loss

    monkeypatch.setattr(term, "__call__", noting)
    return seen


@pytest.mark.parametrize(
    ("name", "width"), [*((name, "equal") for name in FEATURES), *((name, "narrow") for name in NARROW)]
)
def test_a_fit_on_a_term_alone_lowers_it(encoder, narrow, warm, records, tmp_path, monkeypatch, name, width):
    seen = _noted(monkeypatch, name)
    source = encoder if width == "equal" else narrow
    settings = _config(training=LEARN, losses={name: FEATURES[name]})
    train(settings, _lesson(records, tmp_path / "s", source, warm, WINDOWED), tmp_path / "s")
    assert sum(seen[-5:]) < 0.8 * sum(seen[:5])


def test_a_projection_is_trained_kept_in_checkpoints_and_left_out_of_the_student(narrow, warm, records, tmp_path):
    losses = {"gold": {}, "hidden_states": {"layers": "spread"}, "embedding_cosine": {}}
    settings = _config(training={"max_steps": 8, "may_collapse": True}, losses=losses)
    watch = Watch(stop_at=6)
    with pytest.raises(Stop), reporting(watch):
        train(settings, _lesson(records, tmp_path / "s", narrow, warm), tmp_path / "s")
    kept = load_file(tmp_path / "s" / "checkpoints" / "checkpoint-4" / "model.safetensors")
    maps = {name: weight.shape for name, weight in kept.items() if "projection" in name}
    assert list(maps.values()) == [(16, 8), (16, 8)]
    train(settings, _lesson(records, tmp_path / "s", narrow, warm), tmp_path / "s")
    with safe_open(tmp_path / "s" / "model.safetensors", "pt") as saved:
        names = set(saved.keys())
    assert names == set(load_classifier(tmp_path / "s").state_dict()) and not any("projection" in n for n in names)


@pytest.mark.parametrize(
    "ends", [{}, {"checkpoint": "best"}, {"epochs": None, "ceiling_steps": 12, "evaluate_steps": 4, "warmup": 1}]
)
def test_a_run_with_a_projection_that_was_cut_off_ends_as_an_undisturbed_one(narrow, warm, tmp_path, ends):
    terms = parse_terms({"gold": {}, "hidden_states": {"layers": "spread"}, "attention_relations": {}})
    run = toy_run(DistillationLoss(tuple(terms.values())), teacher=warm)
    training = {**ends, "may_collapse": True}
    whole = fit_toy(narrow, tmp_path / "whole", run=run, **training)
    interrupted(narrow, tmp_path / "cut", 10, run=run, **training)
    watch = Watch()
    with reporting(watch):
        model = fit_toy(narrow, tmp_path / "cut", run=run, **training)
    assert watch.resumed_from in (6, 8) and same_weights(whole, model)
    figures = [json.loads((tmp_path / name / "training_history.json").read_text()) for name in ("whole", "cut")]
    assert figures[0] == figures[1]


def test_terms_are_added_and_repeat(encoder, warm, records, tmp_path):
    losses = {"gold": {}, "kl": {}, **FEATURES, **PATIENT}
    models = []
    for name in ("one", "two", "plain"):
        own = losses if name != "plain" else {"gold": {}, "kl": {}}
        train(_config(losses=own), _lesson(records, tmp_path / name, warm, warm), tmp_path / name)
        models.append(load_classifier(tmp_path / name))
    assert same_weights(models[0], models[1]) and not same_weights(models[0], models[2])


@pytest.mark.parametrize(
    ("losses", "message"),
    [
        (
            {"hidden_states": {"layers": [[0, 2]]}},
            r"layers that are not there[\s\S]*\[0, 2\] of 1 student's and 2 teacher's",
        ),
        ({"value_relations": {"relation_heads": 3}}, r"relation_heads[\s\S]*3 heads, widths 8 and 16"),
    ],
)
def test_what_cannot_be_compared_ends_before_the_first_step(narrow, warm, records, tmp_path, losses, message):
    watch = Watch()
    with reporting(watch), pytest.raises(UserError, match=message):
        train(_config(losses=losses), _lesson(records, tmp_path / "s", narrow, warm), tmp_path / "s")
    assert not watch.steps and not (tmp_path / "s" / "model.safetensors").exists()


def test_a_pair_that_names_no_layer_of_the_student_is_refused_in_the_config():
    with pytest.raises(
        ValueError, match=r"losses.attention.layers: \[1, 3\] names layer 1 of a student whose last is 0"
    ):
        _config(losses={"attention": {"layers": [[0, 1], [1, 3]]}})
