"""Students trained from stored soft labels, and their twins on gold only."""

from dataclasses import replace

import numpy as np
import pytest

from distill.core.errors import GateFailed, UserError
from distill.core.project import ViewConfig
from distill.core.record_store import read_records
from distill.core.view import View
from distill.models import encoder as encoder_module
from distill.models.encoder import load_classifier
from distill.training import fit as fit_module
from distill.training import learnt_rows
from distill.training.distillation_loss import DistillationLoss
from distill.training.joining import Share
from distill.training.losses.gold import Gold
from students.config import StudentConfig
from students.train import train, train_twin
from tests.families.lessons import toy_labels, toy_lesson
from tests.training.toy import CARD, LABELS, Stop, history_of, same_weights, toy_loss, toy_training


@pytest.fixture
def teacher(warm):
    """A model folder whose layers the students take."""
    return warm


def _config(training=None, **changes):
    values = {"preset": "8L", "layers": 1, "keep": "first", "training": toy_training(**(training or {}))}
    return StudentConfig.model_validate(values | changes)


def _train(teacher, records, labels, folder, *, training=None, view=CARD, **changes):
    labels = labels if isinstance(labels, dict) else {labels: Share()}
    lesson = toy_lesson(records, view, source=teacher, labels=labels)
    train(_config(training, **changes), lesson, folder)
    return folder


def _twin(teacher, records, folder, *, steps=None, labels=None, training=None, **changes):
    lesson = toy_lesson(records, source=teacher, steps=steps, labels={labels: Share()} if labels else {})
    train_twin(_config(training, **changes), lesson, folder)
    return folder


def _history(folder):
    return history_of(folder)["history"]


LEARN = {"epochs": 8, "learning_rate": 1e-2, "dropout": 0}


def test_student_learns_and_is_a_whole_model(encoder, records, tmp_path):
    folder = _train(encoder, records, toy_labels(records, tmp_path / "labels"), tmp_path / "student", training=LEARN)
    assert _history(folder)[-1]["accuracy"] > 0.9
    names = {path.name for path in folder.iterdir()}
    assert {"config.json", "model.safetensors", "tokenizer.json", "view.json", "training_history.json"} <= names
    model = load_classifier(folder)
    assert model.config.num_hidden_layers == 1 and tuple(model.config.id2label.values()) == LABELS
    assert View.load(folder).config == CARD
    assert (folder / "tokenizer.json").read_bytes() == (encoder / "tokenizer.json").read_bytes()


def test_no_teacher_is_in_memory(teacher, records, tmp_path, monkeypatch):
    """The only model loaded is the student's own source."""
    load, loaded = encoder_module.load_classifier, []

    def noting(folder, *arguments, **options):
        loaded.append(folder)
        return load(folder, *arguments, **options)

    monkeypatch.setattr(encoder_module, "load_classifier", noting)
    _train(teacher, records, toy_labels(records, tmp_path / "labels"), tmp_path / "student", training={"max_steps": 1})
    assert loaded == [teacher]


def test_same_seed_same_student(teacher, records, tmp_path):
    labels = toy_labels(records, tmp_path / "labels")
    models = [load_classifier(_train(teacher, records, labels, tmp_path / n, training={"max_steps": 3})) for n in "ab"]
    assert same_weights(*models)


def test_soft_labels_decide_what_is_learnt(teacher, records, tmp_path):
    """A teacher that calls everything 'точно' makes a student that does, and the gate says so."""
    labels = toy_labels(records, tmp_path / "labels", planted=np.float32([-6, -6, 6]))
    with pytest.raises(GateFailed, match="'точно'"):
        _train(teacher, records, labels, tmp_path / "student", training=LEARN, alpha=0)


def _examples(monkeypatch, run):
    """The training examples, validation examples, config and loss that a run hands to `fit`."""
    told = []

    def stop(model, train, valid, config, run, folder):
        told.extend([train, valid, config, run])
        raise Stop

    monkeypatch.setattr(fit_module, "fit", stop)
    with pytest.raises(Stop):
        run()
    return told


def test_rows_are_train_and_pool_with_soft_labels_or_gold(teacher, records, tmp_path, monkeypatch):
    labels = toy_labels(records, tmp_path / "labels", without=("т3", "п5", "п6"))
    rows, valid, config, run = _examples(
        monkeypatch, lambda: _train(teacher, records, labels, tmp_path / "s", training={"epochs": 2}, temperature=3)
    )
    assert len(rows) == 24 + 16 and all(row.teacher_logits is not None or row.target is not None for row in rows)
    assert sum(row.teacher_logits is not None for row in rows) == 23 + 16
    assert sum(row.target is not None for row in rows) == 24
    assert len(valid) == 12 and all(row.target is not None for row in valid)
    assert config == toy_training(epochs=2)
    assert replace(run.loss, aim=None) == replace(toy_loss(3, 0.5), sources=["train", "pool.urls"])
    assert (run.pool, run.teacher) == ("mean", None)


def test_rows_are_those_of_the_lessons_splits(teacher, records, tmp_path, monkeypatch):
    labels = {toy_labels(records, tmp_path / "labels", without=("п5", "т1")): Share()}
    for splits, count in ((["pool.urls"], 17), (["train"], 24)):
        lesson = toy_lesson(records, source=teacher, labels=labels, splits=splits)
        rows, *_ = _examples(monkeypatch, lambda lesson=lesson: train(_config(), lesson, tmp_path / "s"))
        assert len(rows) == count


def test_without_a_soft_label_on_the_rows_that_are_learnt_there_is_an_error(teacher, records, tmp_path):
    """Though others have some."""
    pool = [row.id for row in read_records(records, "pool.urls")]
    labels = {toy_labels(records, tmp_path / "labels", without=pool): Share()}
    with pytest.raises(UserError, match="no usable soft labels"):
        train(_config(), toy_lesson(records, source=teacher, labels=labels, splits=["pool.urls"]), tmp_path / "s")


def test_soft_labels_that_are_no_numbers_never_reach_the_training(teacher, records, tmp_path):
    bad = toy_labels(records, tmp_path / "bad", planted=np.float32(np.nan))
    with pytest.raises(UserError, match=r"no usable soft labels[\s\S]*rows: 42 nonfinite"):
        _train(teacher, records, bad, tmp_path / "soft", training={"epochs": 1})


def test_several_teachers_are_joined_by_weight(teacher, records, tmp_path, monkeypatch):
    one = toy_labels(records, tmp_path / "one", without=("т1",), planted=np.float32([2, 0, 0]))
    two = toy_labels(records, tmp_path / "two", without=("п2",), planted=np.float32([0, 0, 3]))
    rows, *_ = _examples(monkeypatch, lambda: _train(teacher, records, {one: Share(3), two: Share(1)}, tmp_path / "s"))
    assert len(rows) == 24 + 17
    first, second = (np.exp(z) / np.exp(z).sum() for z in (np.array([2.0, 0, 0]), np.array([0, 0, 3.0])))
    joined = [row.teacher_logits for row in rows if row.teacher_logits is not None]
    assert len(joined) == 24 + 18 - 2
    np.testing.assert_allclose(np.exp(joined[0]), 0.75 * first + 0.25 * second, rtol=1e-5)


def test_windows_of_the_view_reach_the_loss(teacher, records, tmp_path, monkeypatch):
    view = ViewConfig.model_validate(
        {**CARD.model_dump(), "right": ["page.title", "page.body"], "windows": {"stride": 2, "pool": "max"}}
    )
    labels = toy_labels(records, tmp_path / "labels")
    rows, *_, run = _examples(monkeypatch, lambda: _train(teacher, records, labels, tmp_path / "s", view=view))
    assert run.pool == "max" and any(len(row.windows) > 1 for row in rows)


def test_no_usable_soft_label_is_an_error(teacher, records, tmp_path):
    ids = [row.id for split in ("train", "pool.urls") for row in read_records(records, split)]
    labels = toy_labels(records, tmp_path / "labels", without=ids)
    with pytest.raises(UserError, match="no usable soft labels"):
        _train(teacher, records, labels, tmp_path / "student")


CONVERGE = {"epochs": None, "checkpoint": "best", "patience": 2, "learning_rate": 1e-2, "dropout": 0}


@pytest.mark.parametrize("training", [{"epochs": 2}, {"max_steps": 3}, CONVERGE], ids=["epochs", "steps", "converging"])
def test_a_twin_of_its_own_convergence_ends_by_itself_and_keeps_the_best(encoder, records, tmp_path, training):
    """However long the student is to train."""
    config = {**training, "learning_rate": 1e-2, "dropout": 0, "patience": 6, "ceiling_steps": 5000}
    twin = history_of(_twin(encoder, records, tmp_path / "gold", training=config))
    assert twin["ended"] == "converged" and 3 < twin["steps"] < 5000
    losses = {point["step"]: point["log_loss"] for point in twin["history"]}
    assert losses[twin["step"]] == min(losses.values())
    assert load_classifier(tmp_path / "gold").config.num_hidden_layers == 1


def test_a_twin_of_the_students_steps_takes_exactly_them(teacher, records, tmp_path):
    """No more and no less, however soon its log loss stops falling."""
    labels = toy_labels(records, tmp_path / "labels")
    for name, training in (("epochs", {"epochs": 2}), ("converging", CONVERGE)):
        student = _train(teacher, records, labels, tmp_path / name, training=training)
        steps = history_of(student)["steps"]
        twin = history_of(_twin(teacher, records, tmp_path / f"{name}-gold", steps=steps, training=training))
        assert twin["steps"] == twin["history"][-1]["step"] == steps
        losses = {point["step"]: point["log_loss"] for point in twin["history"]}
        assert twin["ended"] == "fixed" and losses[twin["step"]] == min(losses.values())
    assert history_of(tmp_path / "epochs")["steps"] == 2 * 11


@pytest.mark.parametrize(("steps", "converges"), [(7, False), (None, True)], ids=["student's steps", "convergence"])
def test_a_twin_learns_from_gold_alone(teacher, records, tmp_path, monkeypatch, steps, converges):
    monkeypatch.setattr(learnt_rows, "LabelStore", None)
    options = {"steps": steps, "labels": tmp_path / "labels", "training": {"epochs": 2}, "temperature": 3, "alpha": 0}
    rows, valid, config, run = _examples(monkeypatch, lambda: _twin(teacher, records, tmp_path / "s", **options))
    assert len(rows) == 24 and all(row.teacher_logits is None and row.target is not None for row in rows)
    assert len(valid) == 12 and run.seed == 3
    assert replace(run.loss, aim=None) == DistillationLoss((Gold(),), sources=["train"])
    assert (config.max_steps, config.converges) == (steps, converges)
    assert config == toy_training(epochs=None, max_steps=steps, checkpoint="best", may_collapse=True)


def test_a_twin_is_the_same_with_any_soft_labels(teacher, records, tmp_path):
    """To the bit: the student counts by its number of steps alone."""
    twins = []
    for name, planted in (("right", None), ("wrong", np.float32([0, 3, 0]))):
        labels, options = toy_labels(records, tmp_path / name, planted=planted), {"training": {"max_steps": 4}}
        steps = history_of(_train(teacher, records, labels, tmp_path / f"s-{name}", alpha=0.9, **options))["steps"]
        twin = _twin(teacher, records, tmp_path / f"t-{name}", steps=steps, labels=labels, **options)
        twins.append(load_classifier(twin))
    assert same_weights(*twins)
