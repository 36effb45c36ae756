"""What a student's losses say, in short or in full, and a term that reads the teacher's model."""

from typing import ClassVar

import numpy as np
import pytest
import torch
from torch.nn import functional

from distill.core.errors import UserError
from distill.models import encoder as encoder_module
from distill.models.encoder import load_classifier
from distill.training import frozen_teacher
from distill.training.joining import Share
from distill.training.learnt_rows import labelled_rows
from distill.training.losses.term import Term
from students.config import StudentConfig
from students.train import train
from tests.families.lessons import toy_labels, toy_lesson
from tests.training.toy import CARD, WINDOWED, same_weights, toy_encoder, toy_training

SEEN = []


FIRST_TOKEN, LAST_ATTENTION = (f"tests.students.test_losses:{name}" for name in ("FirstTokenMse", "LastAttention"))


class FirstTokenMse(Term):
    """Squared difference of the last layer's states of [CLS], summed over windows."""

    needs: ClassVar[frozenset[str]] = frozenset({"logits", "hidden_states"})

    def __call__(self, student, teacher, batch):
        assert not teacher.hidden_states[-1].requires_grad and teacher.logits is batch["teacher_logits"]
        ours, theirs = (outputs.hidden_states[-1][:, 0] for outputs in (student, teacher))
        assert ours.shape == theirs.shape == (len(batch["owner"]), 16)
        loss = functional.mse_loss(ours, theirs, reduction="none").mean(-1).sum()
        SEEN.append(float(loss.detach()))
        return loss


class LastAttention(Term):
    """Kullback-Leibler divergence of the last layer's attention, summed over windows."""

    needs: ClassVar[frozenset[str]] = frozenset({"attentions"})

    def __call__(self, student, teacher, batch):
        ours, theirs = (outputs.attentions[-1].clamp_min(1e-9) for outputs in (student, teacher))
        assert ours.shape == theirs.shape and ours.shape[0] == len(batch["owner"])
        assert torch.allclose(theirs.sum(-1), torch.ones_like(theirs[..., 0]), atol=1e-4)
        return (theirs * (theirs / ours).log()).sum((1, 2, 3)).sum() / theirs.shape[1]


def _config(training=None, **changes):
    training = toy_training(**{"max_steps": 4, **(training or {})})
    values = {"preset": "8L", "layers": 1, "keep": "first", "training": training}
    return StudentConfig.model_validate(values | changes)


def _train(source, records, folder, *, teacher=None, view=CARD, **changes):
    labels = {toy_labels(records, folder.with_name(f"{folder.name}-labels")): Share()}
    train(_config(**changes), toy_lesson(records, view, source=source, labels=labels, teacher=teacher), folder)
    return load_classifier(folder)


FULL = {"gold": {"weight": 0.5}, "soft_cross_entropy": {"temperature": 2}}


def test_the_short_form_means_the_same_terms():
    short, full = _config(), _config(losses=FULL)
    assert short.terms == full.terms and list(short.terms) == list(full.terms)
    assert _config(temperature=3, alpha=0).terms["soft_cross_entropy"].temperature == 3
    assert _config(temperature=3, alpha=0).terms["gold"].weight == 0


def test_each_way_is_written_down_without_the_other():
    short, full = _config(temperature=3).as_json(), _config(losses=FULL).as_json()
    assert (short["temperature"], short["alpha"]) == (3, 0.5) and "losses" not in short
    assert full["losses"]["soft_cross_entropy"] == {"weight": 1, "temperature": 2, "sources": {}}
    assert not {"temperature", "alpha"} & set(full)
    for values in (short, full):
        assert StudentConfig.model_validate(values).as_json() == values


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"losses": FULL, "alpha": 0.5}, "losses: alpha would say it a second time"),
        ({"losses": FULL, "alpha": 0.5, "temperature": 2}, "losses: temperature and alpha would"),
        ({"losses": {}}, "losses: at least one term with a weight above 0"),
        ({"losses": {"gold": {"weight": 0}}}, "losses: at least one term with a weight above 0"),
    ],
)
def test_losses_that_say_nothing_or_too_much_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        _config(**changes)


def test_both_forms_train_the_same_student(warm, records, tmp_path):
    short = _train(warm, records, tmp_path / "short", view=WINDOWED)
    full = _train(warm, records, tmp_path / "full", view=WINDOWED, losses=FULL)
    other = _train(warm, records, tmp_path / "other", view=WINDOWED, losses={**FULL, "gold": {"weight": 0.6}})
    assert same_weights(short, full) and not same_weights(short, other)


def test_a_term_that_reads_hidden_states_pulls_the_student_towards_its_teacher(encoder, warm, records, tmp_path):
    """Cut to one layer, the teacher's states are two layers away; the term alone brings them near."""
    SEEN.clear()
    learn = {"epochs": 12, "max_steps": None, "learning_rate": 1e-2, "dropout": 0, "may_collapse": True}
    losses = {FIRST_TOKEN: {"weight": 1}}
    _train(warm, records, tmp_path / "s", teacher=warm, losses=losses, training=learn)
    start, end = sum(SEEN[:10]), sum(SEEN[-10:])
    assert end < start / 4


def test_a_feature_term_is_added_to_the_others(warm, records, tmp_path):
    plain = _train(warm, records, tmp_path / "plain")
    losses = {**FULL, FIRST_TOKEN: {"weight": 0.5}}
    one, two = (
        _train(warm, records, tmp_path / n, teacher=warm, losses=losses, view=view)
        for n, view in (("one", CARD), ("two", CARD))
    )
    assert same_weights(one, two) and not same_weights(plain, one)
    _train(warm, records, tmp_path / "windows", teacher=warm, losses=losses, view=WINDOWED)


def test_a_term_that_reads_attentions_is_given_them(warm, records, tmp_path):
    plain = _train(warm, records, tmp_path / "plain")
    losses = {**FULL, LAST_ATTENTION: {}}
    assert not same_weights(plain, _train(warm, records, tmp_path / "s", teacher=warm, losses=losses))


def test_rows_of_a_source_of_weight_0_teach_nothing(warm, records, tmp_path):
    """Other soft labels of the pool make another student, unless the pool does not count."""
    pool = [row.id for split, row in labelled_rows(records) if split != "train"]

    def trained(name, losses, values):
        labels = toy_labels(records, tmp_path / f"{name}-labels", planted=values)
        lesson = toy_lesson(records, source=warm, labels={labels: Share()})
        train(_config(losses=losses), lesson, tmp_path / name)
        return load_classifier(tmp_path / name)

    everywhere, without = (
        {"gold": {}, "soft_cross_entropy": {"sources": s}} for s in ({}, {"pool.urls": {"weight": 0}})
    )
    values = np.random.default_rng(1).normal(0, 3, (len(list(labelled_rows(records))), 3)).astype(np.float32)
    other = np.concatenate([values[: -len(pool)], -values[-len(pool) :]])
    assert not same_weights(trained("a", everywhere, values), trained("b", everywhere, other))
    assert same_weights(trained("c", without, values), trained("d", without, other))


def _loaded(monkeypatch):
    """The folders that are loaded as a teacher."""
    loaded = []

    def noting(folder, *arguments):
        loaded.append(folder)
        return encoder_module.load_classifier(folder, *arguments)

    monkeypatch.setattr(frozen_teacher, "load_classifier", noting)
    return loaded


@pytest.mark.parametrize("losses", [None, FULL, {**FULL, FIRST_TOKEN: {"weight": 0}}], ids=["short", "full", "0"])
def test_stored_logits_alone_never_load_a_teacher(warm, records, tmp_path, monkeypatch, losses):
    loaded, changes = _loaded(monkeypatch), {"losses": losses} if losses else {}
    _train(warm, records, tmp_path / "s", teacher=tmp_path / "no such folder", **changes)
    assert not loaded


def test_the_teacher_is_loaded_once_where_its_states_are_read(warm, records, tmp_path, monkeypatch):
    loaded = _loaded(monkeypatch)
    _train(warm, records, tmp_path / "s", teacher=warm, losses={**FULL, FIRST_TOKEN: {}})
    assert loaded == [warm]


def test_without_a_teacher_such_a_term_says_what_to_do(warm, records, tmp_path):
    with pytest.raises(UserError, match=r"only its labels are here[\s\S]*FirstTokenMse[\s\S]*learns_from"):
        _train(warm, records, tmp_path / "s", losses={**FULL, FIRST_TOKEN: {}})


def test_a_teacher_with_another_tokenizer_is_refused(warm, records, tmp_path):
    (tmp_path / "other").mkdir()
    other = toy_encoder(tmp_path / "other")
    (other / "tokenizer.json").write_text((other / "tokenizer.json").read_text() + " ")
    with pytest.raises(UserError, match="another tokenizer"):
        _train(warm, records, tmp_path / "s", teacher=other, losses={**FULL, FIRST_TOKEN: {}})
