"""Layers chosen by what their removal costs."""

import numpy as np
import pytest
import torch
from transformers import ModernBertConfig, ModernBertForSequenceClassification

from distill.core.errors import UserError
from distill.core.rendering import Window
from distill.inference import trial
from distill.models.encoder import layer_stack, load_classifier
from distill.models.pretrained import save_tokenizer
from distill.training.layer_probe import OfAnswers, choose_layers, probe_layers
from tests.training.toy import LABELS, SPACE, toy_encoder, toy_records, toy_view

IDLE = (1, 4)


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    """A classifier of six layers, of which two do next to nothing."""
    folder = tmp_path_factory.mktemp("planted")
    encoder = toy_encoder(folder / "encoder", layers=6)
    torch.manual_seed(4)
    model = load_classifier(encoder, LABELS)
    with torch.no_grad():
        for number, layer in enumerate(layer_stack(model)):
            scale = 1e-4 if number in IDLE else 2.0
            for linear in (layer.attention.output.dense, layer.output.dense):
                linear.weight.normal_(0, scale)
                linear.bias.zero_()
    model.save_pretrained(folder / "model")
    save_tokenizer(encoder, folder / "model")
    return folder / "model"


def rows(count=12):
    return [record.fields for record in toy_records("т", count)]


def test_the_layers_that_do_least_go_first(planted):
    found = choose_layers(planted, SPACE, toy_view(planted), rows(), kept=4, student="4L")
    assert found["layers"] == [0, 2, 3, 5] and {one["layer"] for one in found["removed"]} == set(IDLE)
    assert found["measured_by"] == "answers" and found["rows"] == 12
    assert choose_layers(planted, SPACE, toy_view(planted), rows(), kept=4, student="4L") == found


def test_an_encoder_without_a_head_of_the_task_is_measured_by_its_states(planted, tmp_path):
    load_classifier(planted).base_model.save_pretrained(tmp_path)
    save_tokenizer(planted, tmp_path)
    torch.manual_seed(1)
    found = choose_layers(tmp_path, SPACE, toy_view(tmp_path), rows(), kept=4, student="4L")
    assert found["layers"] == [0, 2, 3, 5] and found["measured_by"] == "hidden states"
    torch.manual_seed(2)  # of the head, which is not asked
    assert choose_layers(tmp_path, SPACE, toy_view(tmp_path), rows(), kept=4, student="4L") == found


def test_the_costs_are_divergences_from_the_whole_encoder(planted):
    """By hand: KL of the answers without the layer, a mean over rows that are read one by one."""
    model, view = load_classifier(planted), toy_view(planted).renderer()
    windows = [view.encode(row).windows[0] for row in rows(5)]
    found = probe_layers(model, windows, view.pad_id, 5, OfAnswers(SPACE.objective))
    ((layer, cost),) = found.removed
    whole, cut = (_answers(model, windows, without) for without in (None, layer))
    assert cost == pytest.approx(float((whole * np.log(whole / cut)).sum(-1).mean()), abs=1e-7)


def _answers(model, windows, without):
    stack = layer_stack(model)
    keep = stack[without].forward if without is not None else None
    if without is not None:
        stack[without].forward = lambda states, *rest, **named: states
    with torch.no_grad():
        logits = [model(torch.tensor([one.ids]), token_type_ids=torch.tensor([one.type_ids])).logits for one in windows]
    if without is not None:
        stack[without].forward = keep
    return torch.cat(logits).double().softmax(-1).numpy()


def test_of_two_layers_that_stand_in_for_each_other_one_is_kept(make_pair):
    """One at a time: each alone costs nothing, both together the answer."""
    removed = make_pair(OfAnswers(SPACE.objective))
    assert len({0, 1} & {layer for layer, _ in removed}) == 1


@pytest.fixture
def modern(tmp_path):
    """A ModernBERT of four layers whose first, which alone has no norm before its attention, does nothing."""
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 4, "num_attention_heads": 2}
    tokens = {"pad_token_id": 0, "cls_token_id": 2, "sep_token_id": 3, "bos_token_id": 2, "eos_token_id": 3}
    encoder = toy_encoder(tmp_path / "encoder")
    rows = load_classifier(encoder, LABELS).config.vocab_size
    torch.manual_seed(5)
    model = ModernBertForSequenceClassification(ModernBertConfig(vocab_size=rows, **sizes, **tokens, num_labels=3))
    with torch.no_grad():
        for name, weight in model.named_parameters():
            weight.add_(torch.randn_like(weight) * 0.3)
            if name.startswith("model.layers.0."):
                weight.zero_()
    model.config.id2label = dict(enumerate(LABELS))
    model.config.label2id = {label: index for index, label in enumerate(LABELS)}
    model.save_pretrained(tmp_path / "model")
    save_tokenizer(encoder, tmp_path / "model")
    return tmp_path / "model"


def test_a_layer_whose_place_no_other_can_take_is_kept(modern):
    """The student is the one that was measured, also when it was saved and loaded."""
    found = choose_layers(modern, SPACE, toy_view(modern), rows(), kept=2, student="2L")
    assert found["layers"][0] == 0 and np.isfinite([one["cost"] for one in found["removed"]]).all()
    assert found["measured_by"] == "answers"


def test_chosen_layers_that_come_back_as_another_model_are_refused(planted, monkeypatch):
    """The trial knows them only after the probe."""
    real = trial.load_classifier

    def damaged(folder, *given):
        model = real(folder, *given)
        layer_stack(model)[0].output.dense.weight.fill_(0.5)
        return model

    monkeypatch.setattr(trial, "load_classifier", damaged)
    with pytest.raises(UserError, match="cut to the layers of '4L', saved and loaded again, it answers otherwise"):
        choose_layers(planted, SPACE, toy_view(planted), rows(), kept=4, student="4L")


@pytest.fixture
def make_pair(planted):
    """`make_pair(distance)`: what goes of an encoder whose first two layers are the same projection."""

    def make(distance):
        model = load_classifier(planted)
        stack, width = layer_stack(model), model.config.hidden_size
        half = torch.diag(torch.tensor([1.0] * (width // 2) + [0.0] * (width - width // 2)))
        turn = torch.linalg.qr(torch.randn(width, width, generator=torch.Generator().manual_seed(1)))[0]
        slight = [torch.eye(width) * 0.95 + 0.05 * turn for _ in range(4)]
        for index, matrix in enumerate([half, half, *slight]):
            stack[index].forward = lambda states, *rest, matrix=matrix, **named: states @ matrix
        window = toy_view(planted).renderer().encode(rows(1)[0]).windows[0]
        return probe_layers(model, [Window(window.ids, window.type_ids)], 0, 4, distance).removed

    return make
