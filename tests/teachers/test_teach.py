"""Teachers fine-tuned here."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from distill.core.errors import UserError
from distill.core.presets import preset_names
from distill.core.record_store import read_records, write_records
from distill.core.view import View
from distill.families.copying import copy_model
from distill.inference.runner_scorer import RunnerScorer
from distill.inference.torch_runner import TorchRunner
from distill.models.encoder import labels_of, load_classifier
from distill.pipeline.entries import teacher_entry
from distill.training.learnt_rows import gold_rows
from teachers.config import TeacherConfig
from teachers.teach import teach
from tests.families.lessons import toy_lesson
from tests.training.toy import DOCUMENT, LABELS, WINDOWED, history_of, same_weights, toy_training, toy_view, write_toy


def _config(**training):
    return TeacherConfig(preset="base", training=toy_training(**training))


def _teach(encoder, records, folder, view=DOCUMENT, *, config=None, seed=3, slices=None, **training):
    lesson = toy_lesson(records, view, "document", source=encoder, seed=seed, slices=slices)
    teach(config or _config(**training), lesson, folder)
    return folder


def _last(folder):
    return history_of(folder)["history"][-1]


def _scores(folder, records, split="valid"):
    rows = read_records(records, split)
    scores = RunnerScorer(TorchRunner(folder), View.load(folder).renderer()).score([record.fields for record in rows])
    return scores.logits, np.stack([record.target for record in rows])


@pytest.mark.parametrize("pool", ["mean", "max"])
def test_windows_of_long_documents_are_read_as_they_are_scored(encoder, records, tmp_path, pool):
    view = WINDOWED.model_copy(update={"windows": WINDOWED.windows.model_copy(update={"pool": pool})})
    folder = _teach(encoder, records, tmp_path, view, epochs=4, learning_rate=1e-2, dropout=0)
    renderer = View.load(folder).renderer()
    assert any(len(renderer.encode(record.fields).windows) > 1 for record in read_records(records, "valid"))
    logits, target = _scores(folder, records)
    served = logits / _last(folder)["temperature"]
    log_softmax = served - np.log(np.exp(served).sum(1, keepdims=True))
    assert _last(folder)["log_loss"] == pytest.approx(-(log_softmax * target).sum(1).mean(), abs=1e-4)
    assert _last(folder)["accuracy"] == (logits.argmax(1) == target.argmax(1)).mean() > 0.8


def test_folder_is_a_whole_model(warm, records, tmp_path):
    folder = _teach(warm, records, tmp_path, epochs=1)
    names = {path.name for path in folder.iterdir()}
    assert {"config.json", "model.safetensors", "tokenizer.json", "view.json", "training_history.json"} <= names
    assert not {"checkpoints", "manifest.json"} & names
    assert tuple(labels_of(load_classifier(folder))) == LABELS
    view = View.load(folder)
    assert (view.name, view.config) == ("document", DOCUMENT)
    assert (folder / "tokenizer.json").read_bytes() == (warm / "tokenizer.json").read_bytes()


def test_a_copy_on_an_equal_view_is_the_teacher_under_the_other_name(warm, records, tmp_path):
    folder, copy = _teach(warm, records, tmp_path / "teacher", epochs=1), tmp_path / "copy"
    (folder / "manifest.json").write_text("{}")
    copy.mkdir()
    copy_model(folder, toy_view(folder, DOCUMENT, "card"), copy)
    assert same_weights(load_classifier(copy), load_classifier(folder))
    assert (View.load(copy).name, View.load(copy).config) == ("card", DOCUMENT)
    assert _last(copy) == _last(folder) and not (copy / "manifest.json").exists()


def test_seed_decides_the_weights(warm, records, tmp_path):
    same = [load_classifier(_teach(warm, records, tmp_path / name, max_steps=2)) for name in "ab"]
    assert same_weights(*same)
    other = _teach(warm, records, tmp_path / "c", seed=4, max_steps=2)
    assert not same_weights(same[0], load_classifier(other))


def test_only_training_rows_are_learnt_from(warm, tmp_path):
    """Other test and pool rows make the same teacher."""
    few, many = write_toy(tmp_path / "few", pool=3, test=3), write_toy(tmp_path / "many", pool=30, test=30)
    one, two = (load_classifier(_teach(warm, r, tmp_path / r.name / "t", max_steps=3)) for r in (few, many))
    assert same_weights(one, two)


def _sliced(folder, slices):
    """The toy's records with every third training row in the second slice and the first row in none."""
    write_toy(folder)
    rows = [replace(row, slice=None if number == 0 else slices[number % 3 == 0])
            for number, row in enumerate(read_records(folder, "train"))]  # fmt: skip
    write_records(folder / "train.parquet", rows)
    return folder


def test_only_rows_of_the_wanted_slices_are_learnt_from(warm, tmp_path):
    all_rows = _sliced(tmp_path / "all", ("стройка", "аптека"))
    wanted = list(gold_rows(all_rows, slices=["аптека"]).records(all_rows))
    assert {row.slice for row in wanted} == {"аптека"} and len(wanted) == 7
    assert len(gold_rows(all_rows)) == 24 and len(gold_rows(all_rows, slices=["аптека", "стройка"])) == 23
    shutil.copytree(all_rows, tmp_path / "few")
    write_records(tmp_path / "few" / "train.parquet", wanted)
    config = _config(max_steps=2, warmup=0)
    for name, records, slices in (("a", all_rows, ["аптека"]), ("b", tmp_path / "few", None), ("c", all_rows, None)):
        _teach(warm, records, tmp_path / name, config=config, slices=slices)
    one, two, three = (load_classifier(tmp_path / name) for name in "abc")
    assert same_weights(one, two) and not same_weights(one, three)


def test_unknown_slice_is_refused_with_those_there_are(warm, tmp_path):
    records = _sliced(tmp_path / "records", ("стройка", "аптека"))
    with pytest.raises(UserError, match=r"unknown slice[\s\S]*аптки[\s\S]*did you mean 'аптека'[\s\S]*стройка"):
        _teach(warm, records, tmp_path / "out", slices=["аптека", "аптки"], max_steps=2)
    assert not (tmp_path / "out").exists()


FAMILIES = {
    **{name: name for name in ("bag", "cascade", "encoder_lstm", "ensemble", "http_llm", "lora_decoder", "lstm")},
    "qlora": "lora_decoder",
    **dict.fromkeys(("words", "words_svm", "words_boosting"), "tfidf"),
    **dict.fromkeys(("words_embeddings", "embeddings"), "tfidf_embeddings"),
    "mlp": "frozen_mlp",
}
# What a preset leaves to the project.
NEEDED = {
    "ensemble": {"members": {"base": 1, "words": 1}},
    "http_llm": {"url": "http://localhost:8000/v1/chat/completions", "model": "any"},
}


@pytest.mark.parametrize("name", preset_names("teachers"))
def test_every_preset_is_a_config(name):
    config = teacher_entry(name, NEEDED.get(name, {}), "test", Path("no project"))
    assert (config.preset, config.view, config.weight) == (name, "document", 1)
    assert config.family == FAMILIES.get(name, "encoder")
    if isinstance(config, TeacherConfig):
        assert config.architecture.width % config.architecture.heads == 0
