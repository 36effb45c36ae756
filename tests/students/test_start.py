"""What a student starts from."""

import pytest
import torch

from distill.core.errors import UserError
from distill.core.presets import resolve
from distill.models.encoder import layer_stack, load_classifier
from students.config import StudentConfig
from students.start import start
from tests.training.toy import LABELS, SPACE, toy_encoder

SPREAD = {"3L": [0, 6, 11], "4L": [0, 4, 7, 11], "6L": [0, 2, 4, 7, 9, 11], "8L": [0, 2, 3, 5, 6, 8, 9, 11]}


@pytest.fixture(scope="module")
def deep(tmp_path_factory):
    """An untouched encoder of 12 layers."""
    return toy_encoder(tmp_path_factory.mktemp("deep"), layers=12)


@pytest.fixture(scope="module")
def teacher(deep, tmp_path_factory):
    """The encoder after fine-tuning: other weights everywhere, and a head of its own."""
    folder = tmp_path_factory.mktemp("teacher")
    torch.manual_seed(8)
    model = load_classifier(deep, LABELS)
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(torch.randn_like(weight) * 0.1)
    model.save_pretrained(folder)
    return folder


def _config(name, **changes):
    return resolve("students", StudentConfig, name, changes, "test")


def _equal(module, other):
    mine, theirs = module.state_dict(), other.state_dict()
    return mine.keys() == theirs.keys() and all(torch.equal(mine[name], theirs[name]) for name in mine)


def _layers_of(student, source):
    """For each of the student's layers, the layers of the source with the same weights."""
    return [[i for i, layer in enumerate(layer_stack(source)) if _equal(own, layer)] for own in layer_stack(student)]


@pytest.mark.parametrize("name", SPREAD)
def test_layers_are_spread_over_the_source(name, teacher):
    student = start(_config(name), SPACE, teacher)
    assert _layers_of(student, load_classifier(teacher)) == [[index] for index in SPREAD[name]]
    assert student.config.num_hidden_layers == len(SPREAD[name])


@pytest.mark.parametrize("name", SPREAD)
def test_truncated_source_keeps_its_first_layers(name, teacher):
    student = start(_config(f"{name}_trunc"), SPACE, teacher)
    assert _layers_of(student, load_classifier(teacher)) == [[index] for index in range(len(SPREAD[name]))]


@pytest.mark.parametrize("name", ["8L", "8L_trunc"])
def test_embeddings_pooler_and_head_come_along(name, teacher):
    student, source = start(_config(name), SPACE, teacher), load_classifier(teacher)
    assert _equal(student.bert.embeddings, source.bert.embeddings)
    assert _equal(student.bert.pooler, source.bert.pooler)
    assert _equal(student.classifier, source.classifier)
    assert list(student.config.id2label.values()) == list(LABELS)


def test_pretrained_source_brings_its_layers_and_a_fresh_head(deep):
    heads = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        student = start(_config("8L", init="pretrained"), SPACE, deep)
        heads.append(student.classifier.weight.detach())
    assert _layers_of(student, load_classifier(deep)) == [[index] for index in SPREAD["8L"]]
    assert _equal(student.bert.embeddings, load_classifier(deep).bert.embeddings)
    assert torch.equal(heads[0], heads[1]) and not torch.equal(heads[0], heads[2])


def test_all_layers_of_the_source(teacher):
    student = start(_config("8L", layers=12), SPACE, teacher)
    assert _layers_of(student, load_classifier(teacher)) == [[index] for index in range(12)]


def test_saved_student_loads_as_a_model_of_its_depth(teacher, tmp_path):
    start(_config("3L"), SPACE, teacher).save_pretrained(tmp_path)
    assert len(layer_stack(load_classifier(tmp_path))) == 3


def test_more_layers_than_the_source_has(encoder):
    with pytest.raises(UserError, match=r"students.3L.layers(?s:.*)3 of 2(?s:.*)at most 2"):
        start(_config("3L"), SPACE, encoder)
