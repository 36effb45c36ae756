"""Classifiers that were fine-tuned elsewhere, taken over as they are."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from distill.core.errors import UserError
from distill.core.label_space import LabelSpace
from distill.core.objectives.multi_label import MultiLabel
from distill.core.record_store import read_records
from distill.core.view import View
from distill.families.encoder import Encoder
from distill.families.family import family, family_of
from distill.models.encoder import input_names, labels_of, load_classifier
from distill.models.pretrained import save_tokenizer
from teachers.config import TeacherConfig
from teachers.teach import teach
from tests.families.lessons import toy_lesson
from tests.models.folders import edit_config
from tests.training.toy import DOCUMENT, LABELS, SPACE, WINDOWED, same_weights, toy_view


def _adopt(place, records, folder, view=DOCUMENT, *, space=SPACE):
    config = TeacherConfig(preset="base", finished=str(place))
    teach(config, toy_lesson(records, view, "document", space=space), folder)
    return folder


@pytest.fixture
def make_finished(encoder, tmp_path):
    """`make_finished(labels)`: a classifier fine-tuned elsewhere."""

    def make(labels=LABELS):
        torch.manual_seed(8)
        folder = tmp_path / "finished"
        model = load_classifier(encoder, labels)
        model.save_pretrained(folder)
        save_tokenizer(encoder, folder)
        return folder, model

    return make


def test_finished_teacher_is_taken_over_as_it_is(make_finished, records, tmp_path):
    source, model = make_finished()
    folder = tmp_path / "adopted"
    _adopt(source, records, folder)
    assert same_weights(model, load_classifier(folder))
    assert View.load(folder).config == DOCUMENT
    assert "distill" not in json.loads((folder / "config.json").read_text())
    told = json.loads((folder / "tokenizer_config.json").read_text())
    assert told["model_max_length"] == DOCUMENT.max_tokens and told["model_input_names"] == input_names(model)


def test_it_reads_no_rows_and_opens_as_any_encoder(make_finished, records, tmp_path):
    source, _ = make_finished()
    folder = _adopt(source, tmp_path / "no records", tmp_path / "adopted")
    assert not family("finished").learns and not family("finished").starts
    assert type(family_of(folder)) is Encoder and family_of(folder).facts(folder).layers == 2
    rows = [row.fields for row in read_records(records, "valid")]
    toy_view(source, DOCUMENT, "document").save(source)
    np.testing.assert_array_equal(Encoder().open(folder).score(rows).logits, Encoder().open(source).score(rows).logits)


def test_nameless_classes_get_the_tasks_names(make_finished, records, tmp_path):
    source, model = make_finished(["LABEL_0", "LABEL_1", "LABEL_2"])
    _adopt(source, records, tmp_path / "adopted")
    adopted = load_classifier(tmp_path / "adopted")
    assert tuple(labels_of(adopted)) == LABELS and same_weights(model, adopted)
    assert adopted.config.label2id == {label: index for index, label in enumerate(LABELS)}


@pytest.mark.parametrize(
    "labels", [LABELS[::-1], LABELS[:2], ("да", "нет", "точно"), ("LABEL_1", "LABEL_0", "LABEL_2")]
)
def test_other_classes_are_refused(make_finished, records, tmp_path, labels):
    source, _ = make_finished(labels)
    with pytest.raises(UserError, match=labels[0]):
        _adopt(source, records, tmp_path / "adopted")
    assert not (tmp_path / "adopted").exists()


def test_finished_teacher_of_another_view_is_refused(make_finished, records, tmp_path):
    source, _ = make_finished()
    toy_view(source, DOCUMENT, "document").save(source)
    _adopt(source, records, tmp_path / "same")
    with pytest.raises(UserError, match="another view"):
        _adopt(source, records, tmp_path / "other", WINDOWED)
    assert not (tmp_path / "other").exists()


def test_encoder_without_a_head_is_no_finished_teacher(encoder, records, tmp_path):
    """Its two nameless classes would fit a task of two, with a head of random weights."""
    with pytest.raises(UserError, match="no classification head"):
        _adopt(encoder, records, tmp_path / "adopted", space=LabelSpace(("нет", "да")))
    assert not (tmp_path / "adopted").exists()


def test_a_head_of_random_weights_is_not_taken_over(make_finished, records, tmp_path):
    source, _ = make_finished()
    weights = load_file(source / "model.safetensors")
    save_file({**weights, "classifier.weight": torch.zeros(5, 16)}, source / "model.safetensors", {"format": "pt"})
    with pytest.raises(UserError, match=r"1 missing or of another shape, first classifier\.weight"):
        _adopt(source, records, tmp_path / "adopted")
    assert not (tmp_path / "adopted").exists()


def test_missing_folder_is_refused(records, tmp_path):
    with pytest.raises(UserError, match="does not exist"):
        _adopt(tmp_path / "absent" / "x", records, tmp_path / "adopted")


def test_a_classifier_of_another_kind_of_task_is_refused(make_finished, records, tmp_path):
    source, _ = make_finished()
    with pytest.raises(UserError, match=r"another kind of task\n.*\n.*single_label_classification\n.*multi") as caught:
        _adopt(source, records, tmp_path / "adopted", space=LabelSpace(LABELS, MultiLabel()))
    assert caught.value.where == str(source / "config.json") and not (tmp_path / "adopted").exists()


def test_kind_of_the_task_is_kept_for_the_export(make_finished, records, tmp_path):
    source, _ = make_finished()
    edit_config(source, problem_type="absent")
    space = LabelSpace(LABELS, MultiLabel())
    _adopt(source, records, tmp_path / "adopted", space=space)
    config = json.loads((tmp_path / "adopted" / "config.json").read_text())
    assert config["problem_type"] == "multi_label_classification"
