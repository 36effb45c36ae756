"""Teachers fine-tuned here, and teachers taken over from elsewhere."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch

from distill.core.errors import UserError
from distill.core.label_space import LabelSpace
from distill.core.presets import preset_names, resolve
from distill.core.record_store import read_records, write_records
from distill.core.view import View
from distill.inference.score import score
from distill.inference.torch_runner import TorchRunner
from distill.models.encoder import labels_of, load_classifier
from distill.models.pretrained import save_tokenizer
from teachers.config import TeacherConfig
from teachers.teach import adopt_finished, copy_teacher, teach, training_rows
from tests.training.toy import DOCUMENT, LABELS, SPACE, WINDOWED, same_weights, toy_training, toy_view, write_toy


def _config(**training):
    return TeacherConfig(preset="base", training=toy_training(**training))


def _teach(encoder, records, folder, view=DOCUMENT, space=SPACE, **training):
    teach(_config(**training), space, toy_view(encoder, view, "document"), records, encoder, 3, 1, folder)
    return folder


def _quality(folder):
    return json.loads((folder / "training_history.json").read_text())["history"][-1]


def _scores(folder, records, split="valid"):
    rows = read_records(records, split)
    scores = score(TorchRunner(folder), View.load(folder).renderer(), [record.fields for record in rows])
    return scores.logits, np.stack([record.target for record in rows])


@pytest.mark.parametrize("pool", ["mean", "max"])
def test_windows_of_long_documents_are_read_as_they_are_scored(encoder, records, tmp_path, pool):
    view = WINDOWED.model_copy(update={"windows": WINDOWED.windows.model_copy(update={"pool": pool})})
    folder = _teach(encoder, records, tmp_path, view, epochs=4, learning_rate=1e-2, dropout=0)
    renderer = View.load(folder).renderer()
    assert any(len(renderer.encode(record.fields).windows) > 1 for record in read_records(records, "valid"))
    logits, target = _scores(folder, records)
    served = logits / _quality(folder)["temperature"]
    log_softmax = served - np.log(np.exp(served).sum(1, keepdims=True))
    assert _quality(folder)["log_loss"] == pytest.approx(-(log_softmax * target).sum(1).mean(), abs=1e-4)
    assert _quality(folder)["accuracy"] == (logits.argmax(1) == target.argmax(1)).mean() > 0.8


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
    copy_teacher(folder, toy_view(folder, DOCUMENT, "card"), copy)
    assert same_weights(load_classifier(copy), load_classifier(folder))
    assert (View.load(copy).name, View.load(copy).config) == ("card", DOCUMENT)
    assert _quality(copy) == _quality(folder) and not (copy / "manifest.json").exists()


def test_seed_decides_the_weights(warm, records, tmp_path):
    same = [load_classifier(_teach(warm, records, tmp_path / name, max_steps=2)) for name in "ab"]
    assert same_weights(*same)
    config, view = _config(max_steps=2), toy_view(warm, DOCUMENT)
    teach(config, SPACE, view, records, warm, 4, 1, tmp_path / "c")
    assert not same_weights(same[0], load_classifier(tmp_path / "c"))


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
    wanted = training_rows(all_rows, ["аптека"])
    assert {row.slice for row in wanted} == {"аптека"} and len(wanted) == 7
    assert len(training_rows(all_rows, None)) == 24 and len(training_rows(all_rows, ["аптека", "стройка"])) == 23
    shutil.copytree(all_rows, tmp_path / "few")
    write_records(tmp_path / "few" / "train.parquet", wanted)
    config = _config(max_steps=2, warmup=0)
    for name, records, slices in (("a", all_rows, ["аптека"]), ("b", tmp_path / "few", None), ("c", all_rows, None)):
        sliced = config.model_copy(update={"slices": slices})
        teach(sliced, SPACE, toy_view(warm, DOCUMENT), records, warm, 3, 1, tmp_path / name)
    one, two, three = (load_classifier(tmp_path / name) for name in "abc")
    assert same_weights(one, two) and not same_weights(one, three)


def test_unknown_slice_is_refused_with_those_there_are(warm, tmp_path):
    records = _sliced(tmp_path / "records", ("стройка", "аптека"))
    config = _config(max_steps=2).model_copy(update={"slices": ["аптека", "аптки"]})
    with pytest.raises(UserError, match=r"unknown slice[\s\S]*аптки[\s\S]*did you mean 'аптека'[\s\S]*стройка"):
        teach(config, SPACE, toy_view(warm, DOCUMENT), records, warm, 3, 1, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", preset_names("teachers"))
def test_every_preset_is_a_config(name):
    config = resolve("teachers", TeacherConfig, name, {}, "test")
    assert config.preset == name and config.architecture.width % config.architecture.heads == 0


@pytest.fixture
def make_finished(encoder, tmp_path):
    """`make_finished(labels)`: a classifier fine-tuned elsewhere."""

    def make(labels=LABELS, kind="single"):
        torch.manual_seed(8)
        folder = tmp_path / "finished"
        model = load_classifier(encoder, labels, kind)
        model.save_pretrained(folder)
        save_tokenizer(encoder, folder)
        return folder, model

    return make


def test_finished_teacher_is_taken_over_as_it_is(make_finished, tmp_path):
    source, model = make_finished()
    folder = tmp_path / "adopted"
    adopt_finished(str(source), SPACE, toy_view(source, DOCUMENT, "document"), folder)
    assert same_weights(model, load_classifier(folder))
    assert View.load(folder).config == DOCUMENT


def test_nameless_classes_get_the_tasks_names(make_finished, tmp_path):
    source, model = make_finished(["LABEL_0", "LABEL_1", "LABEL_2"])
    adopt_finished(str(source), SPACE, toy_view(source, DOCUMENT), tmp_path / "adopted")
    adopted = load_classifier(tmp_path / "adopted")
    assert tuple(labels_of(adopted)) == LABELS and same_weights(model, adopted)
    assert adopted.config.label2id == {label: index for index, label in enumerate(LABELS)}


@pytest.mark.parametrize(
    "labels", [LABELS[::-1], LABELS[:2], ("да", "нет", "точно"), ("LABEL_1", "LABEL_0", "LABEL_2")]
)
def test_other_classes_are_refused(make_finished, tmp_path, labels):
    source, _ = make_finished(labels)
    with pytest.raises(UserError, match=labels[0]):
        adopt_finished(str(source), SPACE, toy_view(source, DOCUMENT), tmp_path / "adopted")
    assert not (tmp_path / "adopted").exists()


def test_finished_teacher_of_another_view_is_refused(make_finished, tmp_path):
    source, _ = make_finished()
    toy_view(source, DOCUMENT, "document").save(source)
    adopt_finished(str(source), SPACE, toy_view(source, DOCUMENT), tmp_path / "same")
    with pytest.raises(UserError, match="another view"):
        adopt_finished(str(source), SPACE, toy_view(source, WINDOWED), tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_encoder_without_a_head_is_no_finished_teacher(encoder, tmp_path):
    """Its two nameless classes would fit a task of two, with a head of random weights."""
    view = toy_view(encoder, DOCUMENT)
    with pytest.raises(UserError, match="no classification head"):
        adopt_finished(str(encoder), LabelSpace(("нет", "да")), view, tmp_path / "adopted")
    assert not (tmp_path / "adopted").exists()


def test_missing_folder_is_refused(encoder, tmp_path):
    with pytest.raises(UserError, match="does not exist"):
        adopt_finished(str(tmp_path / "absent" / "x"), SPACE, toy_view(encoder), tmp_path / "adopted")


def test_kind_of_the_task_is_kept_for_the_export(make_finished, tmp_path):
    source, _ = make_finished(kind="single")
    space = LabelSpace(LABELS, kind="multi")
    adopt_finished(str(source), space, toy_view(source, DOCUMENT), tmp_path / "adopted")
    config = json.loads((tmp_path / "adopted" / "config.json").read_text())
    assert config["problem_type"] == "multi_label_classification"
