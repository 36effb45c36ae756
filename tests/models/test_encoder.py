import json
import warnings

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file
from transformers import BertModel

from distill.core.errors import UserError
from distill.core.objectives.multi_label import MultiLabel
from distill.models.encoder import input_names, labels_of, layer_stack, load_classifier, position_limit
from tests.models.folders import LABELS, edit_config


@pytest.mark.parametrize("family", ["bert", "roberta", "electra", "distilbert", "deberta-v2", "modernbert", "mpnet"])
def test_families_load_with_their_stack_and_inputs(family, make_model, make_inputs, tmp_path):
    model, inputs = make_model(family, layers=3), make_inputs([6, 2])
    model.save_pretrained(tmp_path)
    loaded = load_classifier(tmp_path, LABELS)
    assert len(layer_stack(loaded)) == 3 and labels_of(loaded) == LABELS and not loaded.training
    assert set(input_names(loaded)) >= {"input_ids", "attention_mask"}
    torch.testing.assert_close(loaded(**inputs).logits, model(**inputs).logits)


def test_labels_are_stored_in_the_folder(saved, tmp_path):
    load_classifier(saved, LABELS, MultiLabel()).save_pretrained(tmp_path / "out")
    config = json.loads((tmp_path / "out" / "config.json").read_text())
    assert config["id2label"] == {"0": "нет", "1": "упомянут", "2": "да"}
    assert config["label2id"] == {"нет": 0, "упомянут": 1, "да": 2}
    assert config["problem_type"] == "multi_label_classification"
    assert labels_of(load_classifier(tmp_path / "out")) == LABELS


def test_head_of_another_size_is_fresh_and_seeded(saved):
    heads = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        heads.append(load_classifier(saved, ["a", "b"]).classifier.weight)
    assert heads[0].shape == (2, 24)
    assert torch.equal(heads[0], heads[1]) and not torch.equal(heads[0], heads[2])


def test_checkpoint_without_head_or_pooler_gets_both(make_model, tmp_path, capfd):
    bare = BertModel(make_model("bert").config, add_pooling_layer=False)
    bare.save_pretrained(tmp_path)
    capfd.readouterr()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = load_classifier(tmp_path, LABELS)
    assert torch.equal(model.bert.encoder.layer[3].output.dense.weight, bare.encoder.layer[3].output.dense.weight)
    assert capfd.readouterr() == ("", "")


def test_same_labels_in_another_order_are_refused(saved):
    load_classifier(saved, LABELS).save_pretrained(saved)
    with pytest.raises(UserError, match="another order"):
        load_classifier(saved, LABELS[::-1])


def test_missing_layers_are_not_filled_with_noise(saved):
    edit_config(saved, num_hidden_layers=4)
    with pytest.raises(UserError, match=r"lacks weights.*\n.*\n.*bert\.encoder\.layer\.3"):
        load_classifier(saved)


def add(folder, *names):
    """Weights that no model of its config has."""
    weights = load_file(folder / "model.safetensors")
    save_file(weights | {name: torch.ones(24) for name in names}, folder / "model.safetensors", {"format": "pt"})


def test_weights_that_the_layers_have_no_place_for_are_not_left_out(saved):
    add(saved, "bert.encoder.layer.1.attention.norm.weight")
    with pytest.raises(UserError, match=r"no place for\n.*\n.*1 left over.*bert\.encoder\.layer\.1\.attention\.norm"):
        load_classifier(saved)


def test_what_stands_beside_the_layers_may_be_left_out(saved):
    """Heads, another decoder, and constants that were stored once."""
    beside = ("cls.predictions.bias", "bert.decoder.0.dense.weight", "bert.embeddings.position_ids")
    add(saved, *beside, "bert.encoder.layer.1.attention.masked_bias")
    load_classifier(saved)


@pytest.mark.parametrize("bare", [False, True], ids=["classifier", "encoder"])
def test_layers_past_the_configs_are_not_left_out(bare, make_model, tmp_path):
    model = make_model("bert", layers=4)
    (model.bert if bare else model).save_pretrained(tmp_path)
    edit_config(tmp_path, num_hidden_layers=2)
    with pytest.raises(UserError, match=r"no place for\n.*\n.*32 left over, first .*encoder\.layer\.2\."):
        load_classifier(tmp_path, LABELS)


@pytest.mark.parametrize(
    ("family", "damage"),
    [
        ("bert", {"classifier.weight": None}),
        ("bert", {"classifier.weight": "classifier.modules_to_save.default.weight"}),
        ("bert", {"bert.pooler.dense.bias": None}),
        ("roberta", {"classifier.dense.weight": None}),
    ],
)
def test_a_head_that_is_kept_is_not_filled_with_noise(family, damage, make_model, tmp_path):
    """Fresh ones are drawn where the head is trained."""
    make_model(family).save_pretrained(tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    weights = {name: value for key, value in weights.items() if (name := damage.get(key, key)) is not None}
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    (lost,) = damage
    for kept in ({}, {"labels": LABELS, "fresh_head": False}):
        with pytest.raises(UserError, match=r"lacks weights of its classifier") as caught:
            load_classifier(tmp_path, **kept)
        assert caught.value.found == f"1 missing or of another shape, first {lost}"
    load_classifier(tmp_path, LABELS)


def test_a_head_of_more_classes_than_names_is_not_kept(saved):
    with pytest.raises(UserError, match=r"2 missing or of another shape, first classifier\.bias"):
        load_classifier(saved, ["a", "b"], fresh_head=False)


def test_weights_of_another_shape_are_not_replaced_by_noise(saved):
    weights = load_file(saved / "model.safetensors")
    weights["bert.encoder.layer.1.output.dense.weight"] = torch.zeros(24, 8)
    save_file(weights, saved / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(UserError, match=r"layer\.1\.output\.dense\.weight"):
        load_classifier(saved)


def test_pickled_weights_are_not_read(saved):
    torch.save(load_file(saved / "model.safetensors"), saved / "pytorch_model.bin")
    (saved / "model.safetensors").unlink()
    with pytest.raises(UserError, match="cannot load"):
        load_classifier(saved)


@pytest.mark.parametrize(
    ("changes", "message"), [({"model_type": "nothing-known"}, "cannot read"), ({"model_type": "vit"}, "no sequence")]
)
def test_unknown_families_are_named(saved, changes, message):
    edit_config(saved, **changes)
    with pytest.raises(UserError, match=message):
        load_classifier(saved)


def test_shared_layers_are_no_stack(make_model):
    with pytest.raises(UserError, match="albert"):
        layer_stack(make_model("albert"))


def test_eager_attention_on_request(saved):
    assert load_classifier(saved, attention="eager").config._attn_implementation == "eager"
    assert load_classifier(saved).config._attn_implementation == "sdpa"


@pytest.mark.parametrize(
    ("family", "takes_types"), [("bert", True), ("electra", True), ("roberta", False), ("distilbert", False)]
)
def test_token_types_only_where_they_mean_something(family, takes_types, make_model):
    assert ("token_type_ids" in input_names(make_model(family))) == takes_types


@pytest.mark.parametrize("kind", ["GPT2Config", "XLMConfig", "FlaubertConfig"])
def test_families_that_take_segments_for_words_get_none(kind):
    config = getattr(transformers, kind)(vocab_size=60, n_embd=8, emb_dim=8, n_head=2, n_heads=2, n_layer=1, n_layers=1)
    config.type_vocab_size = 2  # written by hand into a config.json, it says nothing of the family
    model = transformers.AutoModelForSequenceClassification.from_config(config)
    assert input_names(model) == ["input_ids", "attention_mask"]


@pytest.mark.parametrize("kind", ["XLMConfig", "FlaubertConfig"])
def test_layers_in_several_lists_are_no_stack(kind):
    config = getattr(transformers, kind)(vocab_size=60, emb_dim=8, n_heads=2, n_layers=3)
    with pytest.raises(UserError, match="4 lists side by side"):
        layer_stack(transformers.AutoModelForSequenceClassification.from_config(config))


def test_lists_inside_a_layer_are_not_taken_for_the_stack():
    size = {"hidden_size": 16, "num_attention_heads": 2, "intermediate_size": 16, "intra_bottleneck_size": 8}
    config = transformers.MobileBertConfig(vocab_size=60, num_hidden_layers=3, embedding_size=8, **size)
    model = transformers.AutoModelForSequenceClassification.from_config(config)
    assert config.num_feedforward_networks - 1 == 3 and layer_stack(model) is model.mobilebert.encoder.layer


@pytest.mark.parametrize(("family", "limit"), [("bert", 40), ("roberta", 40), ("distilbert", 40), ("deberta-v2", None)])
def test_position_limit_is_the_longest_input_that_runs(family, limit, make_model, make_inputs):
    model = make_model(family)
    assert position_limit(model) == limit
    if limit is not None:
        model(**make_inputs([limit]))
        with pytest.raises((IndexError, RuntimeError)):
            model(**make_inputs([limit + 1]))
