"""Checkpoints tried before a run: each family, and each fault planted in one that works."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer

from benchmarks.families import tried, world
from benchmarks.family_checkpoints import FAMILIES, POSITIONS, write_checkpoint
from distill.core.errors import UserError
from distill.core.files import read_json
from distill.core.objectives.single_label import SINGLE
from distill.core.project import ViewConfig
from distill.inference import trial
from distill.inference.trial import Trial, try_checkpoint
from distill.models.encoder import load_classifier
from distill.models.first_token import _BertLayer
from export.config import load_target
from tests.benchmarks.test_publish import RESULTS

TEXTS = ["дрель ударная 18 В купить", "cordless drill 18 V", "страница о йогурте и молоке", "Drill, 750 W; Bosch?"]
STORED = {row["family"]: row for row in read_json(RESULTS / "families.json")["rows"]}


def view(tokens):
    return ViewConfig(left=["product.title"], right=["page.title", "page.body"], max_tokens=tokens)


def a_trial(tokens=48, cuts=None, require=()):
    views = {"views.document": view(tokens), "views.card": view(min(tokens, 24))}
    return Trial(("нет", "да"), SINGLE, views, {"2L": lambda depth: [0, depth - 1]} if cuts is None else cuts, require)


@pytest.fixture(scope="module")
def given(tmp_path_factory):
    return world(tmp_path_factory.mktemp("world"))


@pytest.fixture
def make(tmp_path):
    """`make(name, **settings)`: a tiny checkpoint of a family, with settings of its own."""

    def write(name, **settings):
        family = FAMILIES[name]
        write_checkpoint(family._replace(settings={**family.settings, **settings}), TEXTS, tmp_path / "checkpoint")
        return tmp_path / "checkpoint"

    return write


@pytest.mark.parametrize("name", FAMILIES)
def test_a_family_works_or_is_refused_as_the_table_says(name, make, given):
    if STORED[name]["result"] == "works":
        assert tried(make(name), given).startswith(f"{STORED[name]['model_type']}, 4 layers, ")
        return
    with pytest.raises(UserError) as caught:
        tried(make(name), given)
    assert caught.value.what == STORED[name]["reason"] and caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("name", "settings", "positions"),
    [
        ("BERT", {"max_position_embeddings": 20}, 20),
        ("RoBERTa", {"max_position_embeddings": 22}, 20),
        ("MPNet", {"max_position_embeddings": 22}, 20),
        ("GPT-2", {"n_positions": 20}, 20),
        ("RoFormer", {"max_position_embeddings": 20}, 20),
        ("XLM", {"max_position_embeddings": 20}, 20),
    ],
)
def test_a_view_past_the_positions_is_refused_with_both_numbers(name, settings, positions, make):
    folder = make(name, **settings)
    with pytest.raises(UserError) as caught:
        try_checkpoint(folder, a_trial(positions + 1, cuts={}))
    assert caught.value.where == "views.document.max_tokens"
    assert f"max_tokens {positions + 1}, the encoder has {positions} positions" in str(caught.value.found)
    try_checkpoint(folder, a_trial(positions, cuts={}))


def test_every_view_is_compared_with_the_positions(make):
    views = {"views.document": view(POSITIONS), "views.card": view(POSITIONS + 1)}
    with pytest.raises(UserError, match=r"views\.card\.max_tokens"):
        try_checkpoint(make("BERT"), Trial(("нет", "да"), SINGLE, views, {}))


def test_a_token_past_the_embeddings_is_named(make):
    folder = make("BERT")
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    rows = tokenizer.get_vocab_size()
    tokenizer.add_tokens(["новое слово", "и ещё"])
    tokenizer.save(str(folder / "tokenizer.json"))
    with pytest.raises(UserError) as caught:
        try_checkpoint(folder, a_trial())
    found = f"vocabulary {rows + 2}, embeddings {rows}; first id past the end {rows}, 'новое слово'"
    assert caught.value.found == found


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_weights_that_are_not_finite_are_named(value, make):
    folder = make("BERT")
    weights = load_file(folder / "model.safetensors")
    weights["encoder.layer.1.output.dense.weight"][3, 5] = value
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(UserError, match=r"1 of 2048 numbers in bert\.encoder\.layer\.1\.output\.dense\.weight"):
        try_checkpoint(folder, a_trial())


def test_answers_that_overflow_are_refused(make):
    folder = make("GPT-2")
    weights = load_file(folder / "model.safetensors")
    weights["h.3.mlp.c_proj.weight"].fill_(3e38)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(UserError, match="not finite"):
        try_checkpoint(folder, a_trial())


def test_a_model_that_cannot_be_cut_may_still_label(make):
    assert try_checkpoint(make("ALBERT"), a_trial(cuts={})).startswith("albert, 4 layers, 64 positions")


def test_the_global_generator_is_left_as_it_was(make):
    folder = make("BERT")
    torch.manual_seed(3)
    before = torch.random.get_rng_state()
    try_checkpoint(folder, a_trial())
    assert torch.equal(torch.random.get_rng_state(), before)


@pytest.mark.parametrize("length", [None, 48])
def test_padding_that_is_read_is_seen(make, monkeypatch, length):
    """By all rows, or by long ones alone."""
    real = trial.collate

    def unmasked(windows, pad_id):
        batch = real(windows, pad_id)
        if length in (None, batch["input_ids"].shape[1]):
            batch["attention_mask"][:] = 1
        return batch

    folder = make("BERT")
    monkeypatch.setattr(trial, "collate", unmasked)
    with pytest.raises(UserError, match="depends on what shares its batch"):
        try_checkpoint(folder, a_trial())


BLOCKS = {"block_size": 4, "num_random_blocks": 1}


def test_bigbird_answers_a_long_row_alike_before_and_after_a_short_one(make):
    """Its blocks take rows of more than 28 tokens here; the first shorter one would end them for good."""
    folder = make("BigBird", **BLOCKS)
    assert json.loads((folder / "config.json").read_text())["attention_type"] == "block_sparse"
    try_checkpoint(folder, a_trial())
    assert load_classifier(folder, ("нет", "да")).bert.attention_type == "original_full"


def test_a_model_that_reads_otherwise_after_a_short_row_is_seen(make, monkeypatch):
    def in_blocks(*arguments, **options):
        model = load_classifier(*arguments, **options)
        model.bert.set_attention_type("block_sparse")
        return model

    monkeypatch.setattr(trial, "load_classifier", in_blocks)
    with pytest.raises(UserError, match="depends on the rows before it"):
        try_checkpoint(make("BigBird", **BLOCKS), a_trial())


def test_a_first_token_form_that_answers_otherwise_is_seen(make, monkeypatch):
    def planted(model):
        layer = _BertLayer(model.bert.encoder.layer[0])
        model.bert.encoder.layer[-1] = layer
        return True

    monkeypatch.setattr(trial, "first_token_only", planted)
    with pytest.raises(UserError, match="last layer computed for the first token"):
        try_checkpoint(make("BERT"), a_trial())


def test_a_cut_that_does_not_come_back_is_seen(make, monkeypatch):
    real = trial.load_classifier

    def damaged(folder, *arguments, **options):
        model = real(folder, *arguments, **options)
        if folder.name == "cut":
            model.bert.encoder.layer[0].output.dense.weight.fill_(0.5)
        return model

    monkeypatch.setattr(trial, "load_classifier", damaged)
    with pytest.raises(UserError, match="cut to the layers of '2L', saved and loaded again"):
        try_checkpoint(make("BERT"), a_trial())


def test_settings_of_each_layer_follow_a_cut(make):
    try_checkpoint(make("Longformer"), a_trial())


@pytest.mark.parametrize(("name", "fits"), [("BERT", True), ("GPT-2", True), ("ALBERT", True), ("SqueezeBERT", False)])
def test_int8_is_refused_where_it_has_nothing_to_quantise(name, fits, make):
    asked = a_trial(cuts={}, require=[load_target("onnx-int8").require])
    if fits:
        try_checkpoint(make(name), asked)
        return
    with pytest.raises(UserError, match="int8 has nothing to quantise"):
        try_checkpoint(make(name), asked)


def test_a_family_without_segments_is_tried_without_them(make):
    """GPT-2 reads segment ids as words; a hand-written type_vocab_size does not change that."""
    folder = make("GPT-2")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "type_vocab_size": 2}))
    assert "padding '<|endoftext|>'" in try_checkpoint(folder, a_trial())
