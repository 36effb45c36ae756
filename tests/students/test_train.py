"""Students trained from stored soft labels, and the same student on gold only."""

import json
from pathlib import Path

import numpy as np
import pytest

from distill.core.errors import GateFailed, UserError
from distill.core.project import ViewConfig
from distill.core.record_store import read_records
from distill.core.soft_labels import SoftLabels, write_shard
from distill.core.view import View
from distill.models import encoder as encoder_module
from distill.models.encoder import load_classifier
from distill.training.joining import labelled_rows
from students import start as start_module
from students import train as train_module
from students.config import StudentConfig
from students.train import train
from tests.training.toy import CARD, LABELS, SIGNS, SPACE, Stop, same_weights, toy_training, toy_view


@pytest.fixture
def teacher(warm):
    """A model folder whose layers the students take."""
    return warm


def _store(records, folder: Path, *, without=(), planted=None):
    """Soft labels that know the answer; ids in `without` are not usable; `planted` replaces all logits."""
    rows = labelled_rows(records)
    answers = [next(i for i, sign in enumerate(SIGNS) if sign in row.fields["page.title"]) for _, row in rows]
    logits = np.eye(3, dtype=np.float32)[answers] * 6
    if planted is not None:
        logits[:] = planted
    ids = [row.id for _, row in rows]
    counts = np.ones(len(rows), np.int32)
    status = ["nonfinite" if name in without else "ok" for name in ids]
    write_shard(folder, 0, SoftLabels(ids, [source for source, _ in rows], logits, counts, counts, status))
    return folder


def _config(training=None, **changes):
    values = {"preset": "8L", "layers": 1, "keep": "first", "training": toy_training(**(training or {}))}
    return StudentConfig.model_validate(values | changes)


def _train(teacher, records, labels, folder, *, training=None, view=CARD, gold_only=False, **changes):
    labels = labels if isinstance(labels, dict) else {labels: 1.0}
    config = _config(training, **changes)
    train(config, SPACE, toy_view(teacher, view), records, labels, teacher, 3, 1, folder, gold_only=gold_only)
    return folder


def _history(folder):
    return json.loads((folder / "quality.json").read_text())["history"]


LEARN = {"epochs": 8, "learning_rate": 1e-2, "dropout": 0}


def test_student_learns_and_is_a_whole_model(encoder, records, tmp_path):
    folder = _train(encoder, records, _store(records, tmp_path / "labels"), tmp_path / "student", training=LEARN)
    assert _history(folder)[-1]["accuracy"] > 0.9
    names = {path.name for path in folder.iterdir()}
    assert {"config.json", "model.safetensors", "tokenizer.json", "view.json", "quality.json"} <= names
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
    monkeypatch.setattr(start_module, "load_classifier", noting)
    _train(teacher, records, _store(records, tmp_path / "labels"), tmp_path / "student", training={"max_steps": 1})
    assert loaded == [teacher]


def test_same_seed_same_student(teacher, records, tmp_path):
    labels = _store(records, tmp_path / "labels")
    models = [load_classifier(_train(teacher, records, labels, tmp_path / n, training={"max_steps": 3})) for n in "ab"]
    assert same_weights(*models)


def test_soft_labels_decide_what_is_learnt(teacher, records, tmp_path):
    """A teacher that calls everything 'точно' makes a student that does, and the gate says so."""
    labels = _store(records, tmp_path / "labels", planted=np.float32([-6, -6, 6]))
    with pytest.raises(GateFailed, match="'точно'"):
        _train(teacher, records, labels, tmp_path / "student", training=LEARN, alpha=0)


def _examples(monkeypatch, run):
    """The training examples, validation examples, config and loss that a run hands to `fit`."""
    told = []

    def stop(model, train, valid, config, run, folder):
        told.extend([train, valid, config, run])
        raise Stop

    monkeypatch.setattr(train_module, "fit", stop)
    with pytest.raises(Stop):
        run()
    return told


def test_rows_are_train_and_pool_with_soft_labels_or_gold(teacher, records, tmp_path, monkeypatch):
    labels = _store(records, tmp_path / "labels", without=("т3", "п5", "п6"))
    rows, valid, config, run = _examples(
        monkeypatch, lambda: _train(teacher, records, labels, tmp_path / "s", training={"epochs": 2}, temperature=3)
    )
    assert len(rows) == 24 + 16 and all(row.teacher_logits is not None or row.target is not None for row in rows)
    assert sum(row.teacher_logits is not None for row in rows) == 23 + 16
    assert sum(row.target is not None for row in rows) == 24
    assert len(valid) == 12 and all(row.target is not None for row in valid)
    assert config.max_steps == 2 * 10
    assert (run.loss.temperature, run.loss.alpha, run.pool) == (3, 0.5, "mean")


def test_gold_only_takes_as_many_steps_and_sees_train_rows_only(teacher, records, tmp_path, monkeypatch):
    labels = _store(records, tmp_path / "labels", without=("т3", "п5"))
    options = {"training": {"epochs": 2}, "gold_only": True, "temperature": 3}
    rows, _, config, run = _examples(monkeypatch, lambda: _train(teacher, records, labels, tmp_path / "s", **options))
    assert len(rows) == 24 and all(row.teacher_logits is None and row.target is not None for row in rows)
    assert config.max_steps == 2 * 11 and run.loss.alpha == 1


def test_gold_only_never_reads_the_soft_labels(teacher, records, tmp_path):
    """Not-a-number soft labels break the distilled student and leave the gold-only one as it was, to the bit."""
    good = _store(records, tmp_path / "good")
    bad = _store(records, tmp_path / "bad", planted=np.float32(np.nan))
    with pytest.raises(GateFailed, match="diverged"):
        _train(teacher, records, bad, tmp_path / "soft", training={"epochs": 1})
    folders = [
        _train(teacher, records, labels, tmp_path / f"gold-{labels.name}", training={"epochs": 3}, gold_only=True)
        for labels in (good, bad)
    ]
    assert same_weights(*map(load_classifier, folders))
    distilled = _train(teacher, records, good, tmp_path / "distilled", training={"epochs": 3})
    assert _history(folders[0])[-1]["step"] == _history(distilled)[-1]["step"] == 3 * 11


def test_several_teachers_are_joined_by_weight(teacher, records, tmp_path, monkeypatch):
    one = _store(records, tmp_path / "one", without=("т1",), planted=np.float32([2, 0, 0]))
    two = _store(records, tmp_path / "two", without=("п2",), planted=np.float32([0, 0, 3]))
    rows, *_ = _examples(monkeypatch, lambda: _train(teacher, records, {one: 3.0, two: 1.0}, tmp_path / "s"))
    assert len(rows) == 24 + 17
    first, second = (np.exp(z) / np.exp(z).sum() for z in (np.array([2.0, 0, 0]), np.array([0, 0, 3.0])))
    joined = [row.teacher_logits for row in rows if row.teacher_logits is not None]
    assert len(joined) == 24 + 18 - 2
    np.testing.assert_allclose(np.exp(joined[0]), 0.75 * first + 0.25 * second, rtol=1e-5)


def test_windows_of_the_view_reach_the_loss(teacher, records, tmp_path, monkeypatch):
    view = ViewConfig.model_validate(
        {**CARD.model_dump(), "right": ["page.title", "page.body"], "windows": {"stride": 2, "pool": "max"}}
    )
    labels = _store(records, tmp_path / "labels")
    rows, *_, run = _examples(monkeypatch, lambda: _train(teacher, records, labels, tmp_path / "s", view=view))
    assert run.pool == "max" and any(len(row.windows) > 1 for row in rows)


@pytest.mark.parametrize("gold_only", [True, False])
def test_no_usable_soft_label_is_an_error(teacher, records, tmp_path, gold_only):
    ids = [row.id for split in ("train", "pool.urls") for row in read_records(records, split)]
    labels = _store(records, tmp_path / "labels", without=ids)
    with pytest.raises(UserError, match="no usable soft labels"):
        _train(teacher, records, labels, tmp_path / "student", gold_only=gold_only)
