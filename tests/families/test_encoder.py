"""What an encoder starts from: the layers of its source that its entry keeps."""

import numpy as np
import pytest
import torch

from distill.core.errors import UserError
from distill.core.model_folder import layer_count, parameter_count
from distill.core.presets import resolve
from distill.core.record_store import read_records
from distill.core.view import View
from distill.families.encoder import Encoder
from distill.families.family import Opening, family_of, fit, open_windows
from distill.inference import torch_runner
from distill.inference.runner_scorer import RunnerScorer
from distill.inference.torch_runner import TorchRunner
from distill.models.encoder import layer_stack, load_classifier
from distill.models.pretrained import save_tokenizer
from distill.training import fit as fit_module
from students.config import StudentConfig
from tests.families.lessons import toy_lesson
from tests.training.toy import DOCUMENT, LABELS, Stop, toy_encoder, toy_training, toy_view

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
    save_tokenizer(deep, folder)
    return folder


@pytest.fixture
def start(monkeypatch, records):
    """`start(config, source)`: the model with which training begins."""
    told = []

    def stop(model, *rest):
        told.append(model)
        raise Stop

    def started(config, source, seed=3, through=()):
        monkeypatch.setattr(fit_module, "fit", stop)
        with pytest.raises(Stop):
            lesson = toy_lesson(records, source=source, seed=seed, through=through)
            Encoder().fit(config, lesson, source / "nowhere")
        return told.pop()

    return started


def _config(name, **changes):
    return resolve("students", StudentConfig, name, changes, "test")


def _equal(module, other):
    mine, theirs = module.state_dict(), other.state_dict()
    return mine.keys() == theirs.keys() and all(torch.equal(mine[name], theirs[name]) for name in mine)


def _layers_of(student, source):
    """For each of the student's layers, the layers of the source with the same weights."""
    return [[i for i, layer in enumerate(layer_stack(source)) if _equal(own, layer)] for own in layer_stack(student)]


@pytest.mark.parametrize("name", SPREAD)
def test_layers_are_spread_over_the_source(name, teacher, start):
    student = start(_config(name), teacher)
    assert _layers_of(student, load_classifier(teacher)) == [[index] for index in SPREAD[name]]
    assert student.config.num_hidden_layers == len(SPREAD[name])


@pytest.mark.parametrize("name", SPREAD)
def test_truncated_source_keeps_its_first_layers(name, teacher, start):
    student = start(_config(f"{name}_trunc"), teacher)
    assert _layers_of(student, load_classifier(teacher)) == [[index] for index in range(len(SPREAD[name]))]


def test_layers_by_way_of_other_students_are_those_that_the_last_would_have(teacher, start):
    """12 → 8 → 6 keeps 5 and 6 of 12, where 12 → 6 keeps 4 and 7."""
    student = start(_config("6L"), teacher, through=[_config("8L")])
    assert _layers_of(student, load_classifier(teacher)) == [[0], [2], [5], [6], [9], [11]]
    same = start(_config("4L"), teacher, through=[_config("4L"), _config("4L_trunc")])
    assert _layers_of(same, load_classifier(teacher)) == [[index] for index in SPREAD["4L"]]


@pytest.mark.parametrize("name", ["8L", "8L_trunc"])
def test_embeddings_pooler_and_head_come_along(name, teacher, start):
    student, source = start(_config(name), teacher), load_classifier(teacher)
    assert _equal(student.bert.embeddings, source.bert.embeddings)
    assert _equal(student.bert.pooler, source.bert.pooler)
    assert _equal(student.classifier, source.classifier)
    assert list(student.config.id2label.values()) == list(LABELS)


def test_pretrained_source_brings_its_layers_and_a_fresh_head(deep, start):
    heads = []
    for seed in (1, 1, 2):
        student = start(_config("8L", init="pretrained"), deep, seed)
        heads.append(student.classifier.weight.detach())
    assert _layers_of(student, load_classifier(deep, LABELS)) == [[index] for index in SPREAD["8L"]]
    assert _equal(student.bert.embeddings, load_classifier(deep, LABELS).bert.embeddings)
    assert torch.equal(heads[0], heads[1]) and not torch.equal(heads[0], heads[2])


def test_all_layers_of_the_source(teacher, start):
    student = start(_config("8L", layers=12), teacher)
    assert _layers_of(student, load_classifier(teacher)) == [[index] for index in range(12)]


def test_saved_student_loads_as_a_model_of_its_depth(teacher, start, tmp_path):
    start(_config("3L"), teacher).save_pretrained(tmp_path)
    assert len(layer_stack(load_classifier(tmp_path))) == 3


def test_more_layers_than_the_source_has(encoder, records, tmp_path):
    with pytest.raises(UserError, match=r"preset 3L.layers(?s:.*)3 of 2(?s:.*)at most 2"):
        Encoder().fit(_config("3L"), toy_lesson(records, source=encoder), tmp_path / "s")


def test_it_is_opened_behind_its_own_view_or_another_and_carries_no_name(warm, records, tmp_path):
    config = _config("3L", layers=1, training=toy_training(max_steps=2).model_dump())
    fit("encoder", config, toy_lesson(records, source=warm), tmp_path)
    assert "distill" not in (tmp_path / "config.json").read_text() and type(family_of(tmp_path)) is Encoder
    facts = Encoder().facts(tmp_path)
    assert (facts.layers, facts.parameters) == (1, parameter_count(tmp_path)) and layer_count(tmp_path) == 1
    rows = [row.fields for row in read_records(records, "valid")]
    other = View("document", DOCUMENT, tmp_path / "tokenizer.json")
    for how, view in ((Opening(), View.load(tmp_path)), (Opening(view=DOCUMENT), other)):
        found = Encoder().open(tmp_path, how).score(rows)
        expected = RunnerScorer(TorchRunner(tmp_path), view.renderer()).score(rows)
        assert (found.logits == expected.logits).all() and (found.tokens == expected.tokens).all()
    assert (Encoder().open(tmp_path).score(rows).tokens != found.tokens).any()


def test_it_opens_with_faster_forms_of_its_layers_or_as_it_was_trained(warm, monkeypatch):
    opened = []

    class Watched(TorchRunner):
        def __init__(self, *arguments, **options):
            super().__init__(*arguments, **options)
            opened.append(self.first_token_only)

    monkeypatch.setattr(torch_runner, "TorchRunner", Watched)
    toy_view(warm).save(warm)
    scorers = [open_windows(warm), open_windows(warm, Opening(rewritten=False))]
    assert opened == [True, False]
    windows = scorers[0].prepare([{"page.title": "дрель купить"}])[0].windows
    faster, trained = (scorer.window_logits(windows) for scorer in scorers)
    np.testing.assert_allclose(faster, trained, atol=1e-5)
