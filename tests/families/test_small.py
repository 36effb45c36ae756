"""Small classifiers: they learn a task, are found by transformers, leave as ONNX, and say what they cannot do."""

import json

import numpy as np
import pytest
import torch

from benchmarks.family_checkpoints import FAMILIES, write_checkpoint
from distill.core.errors import UserError
from distill.core.presets import preset_names
from distill.core.progress import reporting
from distill.core.record_store import read_records
from distill.families import frozen_mlp
from distill.families.family import family, family_of, fit
from distill.families.small import idf, word_embeddings
from distill.families.starting import source_model
from distill.models.encoder import layer_stack, load_classifier
from distill.pipeline.entries import student_entry
from distill.training.config import TrainingConfig
from distill.training.dropout_rates import has_dropout
from distill.training.joining import Share
from export.config import load_target
from export.evidence import Sample
from export.parity import Original, measure
from export.targets.base import Source
from tests.families.lessons import toy_labels, toy_lesson
from tests.training.toy import LABELS, Stop, Watch, same_weights, toy_view

PRESETS = ("bag", "encoder_lstm", "lstm", "mlp")
DEEPER = {"hidden": [24, 12], "batch_norm": "all"}
QUICK = {"epochs": 30, "learning_rate": 1e-2, "batch_size": 8, "checkpoint": "last", "precision": "fp32"}


def entry(preset, tmp_path, **changes):
    return student_entry(preset, {"training": QUICK, "hidden": 24, **changes}, "test", tmp_path)


@pytest.fixture(scope="module", params=PRESETS)
def small(request, encoder, records, tmp_path_factory):
    """(preset, model folder) of each small student, fitted on gold."""
    folder, changes = tmp_path_factory.mktemp(request.param), DEEPER if request.param == "mlp" else {}
    config = entry(request.param, tmp_path_factory.mktemp("project"), **changes)
    fit(config.family, config.on_gold_alone(), toy_lesson(records, source=encoder, steps=90), folder)
    return request.param, folder


def answers(folder, records, split="test.seen"):
    found = read_records(records, split)
    return family_of(folder).open(folder).score([row.fields for row in found]).logits, np.stack(
        [row.target for row in found]
    )


def words(record):
    """The words that a card shows."""
    return f"{record.fields['product.title']} {record.fields['page.title']}".split()


def test_each_learns_the_task_and_is_a_folder_of_its_own_family(small, records):
    preset, folder = small
    logits, gold = answers(folder, records)
    assert (logits.argmax(1) == gold.argmax(1)).mean() > 0.85
    own = json.loads((folder / "config.json").read_text())
    assert own["distill"]["family"] == family_of(folder).name and list(own["id2label"].values()) == list(LABELS)
    assert family_of(folder).facts(folder).layers == (2 if preset in ("mlp", "encoder_lstm") else None)


def test_an_earlier_phase_of_its_own_is_gone_on_from(small, records, tmp_path):
    preset, folder = small
    config = entry(preset, tmp_path, training={**QUICK, "learning_rate": 1e-6})
    fit(config.family, config.on_gold_alone(), toy_lesson(records, source=folder, steps=1), tmp_path / "next")
    before, _ = answers(folder, records)
    np.testing.assert_allclose(answers(tmp_path / "next", records)[0], before, atol=0.5)


def test_features_by_way_of_a_student_are_those_of_its_layers(encoder, records, tmp_path):
    """As its gold-only twin has them where a student starts from another one."""
    between = student_entry("3L", {"layers": 1}, "test", tmp_path)
    config, view = entry("mlp", tmp_path), toy_view(encoder)
    for through, layers in (((), 2), ((between,), 1)):
        lesson = toy_lesson(records, source=encoder, through=through)
        assert len(layer_stack(family("frozen_mlp").start(config, lesson, view))) == layers


def test_each_gives_a_row_the_same_logits_alone_and_padded(small, records):
    _, folder = small
    rows = [row.fields for row in read_records(records, "train")]
    scorer = family_of(folder).open(folder)
    together, alone = scorer.score(rows).logits, [scorer.score([row]).logits[0] for row in rows]
    np.testing.assert_allclose(together, alone, atol=1e-5)


def test_each_leaves_as_onnx_within_the_tolerance(small, records, tmp_path):
    _, folder = small
    rows = [row.fields for row in read_records(records, "train")]
    target = load_target("onnx")
    original = Original(folder, Sample(rows), 20)
    target.build(Source(folder, None, original.changes_of), tmp_path)
    found = measure(original, target.open(tmp_path), target)
    assert found["finite"] and found["max_abs_diff"] < 1e-5


def test_a_bag_does_not_see_the_order_of_tokens_and_sees_the_side(encoder, records, tmp_path):
    config = entry("bag", tmp_path)
    fit("bag", config.on_gold_alone(), toy_lesson(records, source=encoder, steps=2), tmp_path / "bag")
    model = load_classifier(tmp_path / "bag")
    ids = torch.tensor([[7, 8, 9, 10], [8, 7, 10, 9], [9, 10, 7, 8]])
    sides = torch.tensor([[0, 0, 1, 1]] * 3)
    with torch.no_grad():
        one, other, swapped = model(input_ids=ids, attention_mask=torch.ones_like(ids), token_type_ids=sides).logits
    torch.testing.assert_close(one, other)
    assert not torch.allclose(one, swapped)


def test_rare_tokens_weigh_more_and_special_ones_nothing(encoder, records):
    view = toy_view(encoder)
    weights = idf(toy_lesson(records, source=encoder), view, 400)
    tokenizer = view.renderer().tokenizer
    having = {
        token: sum(token in words(row) for row in read_records(records, "train")) for token in ("ремонт", "дрель")
    }
    assert having["ремонт"] != having["дрель"]
    for token, count in having.items():
        assert weights[tokenizer.token_to_id(token)] == pytest.approx(np.log(25 / (1 + count)) + 1, abs=1e-5)
    assert weights[tokenizer.token_to_id("[CLS]")] == weights[tokenizer.token_to_id("[PAD]")] == 0
    assert weights.max() == pytest.approx(np.log(25) + 1, abs=1e-5)


def test_fewer_components_keep_most_of_the_embeddings_lengths(encoder):
    model = load_classifier(encoder, LABELS)
    whole, half = word_embeddings(model, None), word_embeddings(model, 8)
    centred = whole - whole.mean(0)
    assert half.shape == (len(whole), 8) and half.var(0).argmax() == 0
    assert half.square().sum() / centred.square().sum() > 0.5
    assert word_embeddings(model, 99).shape == whole.shape


@pytest.mark.parametrize(
    ("preset", "changes"), [("mlp", {}), ("encoder_lstm", {"encoder": "frozen", "directions": 1}), ("encoder_lstm", {})]
)
def test_an_encoder_learns_only_where_it_is_to(preset, changes, encoder, records, tmp_path):
    config = entry(preset, tmp_path, **changes)
    fit(config.family, config.on_gold_alone(), toy_lesson(records, source=encoder, steps=4), tmp_path / "model")
    trained, source = load_classifier(tmp_path / "model"), load_classifier(encoder, LABELS)
    kept = source.base_model.state_dict()
    same = [torch.equal(weight, kept[name]) for name, weight in trained.encoder.state_dict().items() if name in kept]
    assert all(same) is (preset == "mlp" or bool(changes)) and len(same) > 20
    if preset != "mlp":
        assert (trained.backwards is None) is bool(changes)


@pytest.mark.parametrize(
    ("norm", "kinds"),
    [("none", ["Linear", "ReLU", "Dropout"]), ("all", ["Linear", "BatchNorm", "ReLU", "Dropout"])],
)
def test_a_head_has_the_layers_and_the_norms_that_are_asked_for(norm, kinds, encoder, records, tmp_path):
    config = entry("mlp", tmp_path, hidden=[7, 5], batch_norm=norm, head_dropout=0.25)
    model = family("frozen_mlp").start(config, toy_lesson(records, source=encoder), toy_view(encoder)).train()
    assert [type(layer).__name__ for layer in model.head] == [*kinds, *kinds, "Linear"]
    assert [layer.out_features for layer in model.head if hasattr(layer, "out_features")] == [7, 5, len(LABELS)]
    assert {layer.p for layer in model.head if isinstance(layer, torch.nn.Dropout)} == {0.25}
    assert type(model.norm).__name__ == ("Identity" if norm == "none" else "BatchNorm")
    ids = torch.tensor([[7, 8, 9]])
    assert torch.isfinite(model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits).all()


def test_an_encoder_that_is_not_trained_drops_nothing(encoder, records, tmp_path):
    config = entry("mlp", tmp_path, head_dropout=0)
    model = family("frozen_mlp").start(config, toy_lesson(records, source=encoder), toy_view(encoder)).eval()
    assert not has_dropout(model)
    model.head[2].p = 0.2
    assert has_dropout(model) and not model.training


@pytest.mark.parametrize(("name", "attention"), [("RoBERTa", "sdpa"), ("MPNet", "eager"), ("DeBERTa v3", "eager")])
@pytest.mark.parametrize("preset", ["mlp", "encoder_lstm", "embeddings"])
def test_an_encoder_of_any_family_attends_as_it_can(preset, name, attention, records, tmp_path):
    texts = [text for row in read_records(records, "train") for text in row.fields.values()]
    write_checkpoint(FAMILIES[name], texts, tmp_path / "source")
    config = student_entry(preset, {}, "test", tmp_path)
    family(config.family).require(load_classifier(tmp_path / "source", LABELS))
    lesson = toy_lesson(records, source=tmp_path / "source", steps=1)
    fit(config.family, config.on_gold_alone(), lesson, tmp_path / "model")
    assert np.isfinite(answers(tmp_path / "model", records)[0]).all()
    if preset != "embeddings":
        assert load_classifier(tmp_path / "model").encoder.config._attn_implementation == attention
        slow = load_classifier(tmp_path / "model", attention="eager")
        assert slow.encoder.config._attn_implementation == "eager"


@pytest.mark.parametrize("norm", ["features", "all"])
def test_an_mlp_cut_off_after_its_last_checkpoint_has_measured_its_features_too(norm, encoder, records, tmp_path):
    """What it has measured is that of the step that is kept, as the history says of it."""
    free = {"ceiling_steps": 12, "evaluate_steps": 4, "patience": 9, "warmup": 1, "learning_rate": 1e-2}
    config = entry("mlp", tmp_path, batch_norm=norm, training={**free, "batch_size": 8, "precision": "fp32"})
    lesson = toy_lesson(records, source=encoder)
    fit("frozen_mlp", config.on_gold_alone(), lesson, tmp_path / "whole")
    with reporting(Watch("end")), pytest.raises(Stop):
        fit("frozen_mlp", config.on_gold_alone(), lesson, tmp_path / "cut")
    fit("frozen_mlp", config.on_gold_alone(), lesson, tmp_path / "cut")
    whole, cut = (load_classifier(tmp_path / name) for name in ("whole", "cut"))
    assert same_weights(whole, cut) and whole.norm.running_mean.abs().sum() > 0
    history = json.loads((tmp_path / "cut" / "training_history.json").read_text())
    assert whole.norm.num_batches_tracked == history["step"]


def test_an_encoder_that_would_stay_random_is_refused(encoder, records, tmp_path, monkeypatch):
    whole = source_model

    def without_a_layer(lesson):
        model = whole(lesson)
        del model.base_model.encoder.layer[-1]
        return model

    monkeypatch.setattr(frozen_mlp, "source_model", without_a_layer)
    with pytest.raises(UserError, match="its features would be random"):
        fit("frozen_mlp", entry("mlp", tmp_path), toy_lesson(records, source=encoder), tmp_path / "mlp")


@pytest.mark.parametrize("name", ["frozen_mlp", "encoder_lstm", "tfidf_embeddings"])
def test_it_is_refused_before_anything_is_trained(name, encoder):
    model = load_classifier(encoder, LABELS)
    family(name).require(model)
    del model.base_model.encoder.layer[-1]
    with pytest.raises(UserError, match="its features would be random"):
        family(name).require(model)


def test_soft_labels_are_learnt_too(encoder, records, tmp_path):
    labels = toy_labels(records, tmp_path / "labels", planted=[0.0, 0.0, 5.0])
    config = entry("bag", tmp_path, alpha=0)
    lesson = toy_lesson(records, source=encoder, labels={labels: Share()})
    fit(
        "bag",
        config.model_copy(update={"training": TrainingConfig(**QUICK, may_collapse=True)}),
        lesson,
        tmp_path / "b",
    )
    logits, _ = answers(tmp_path / "b", records)
    assert (logits.argmax(1) == 2).all()


def test_the_presets_are_listed(tmp_path):
    assert set(PRESETS) <= set(preset_names("students"))
