from dataclasses import replace

import pytest
import torch
from tokenizers import Tokenizer
from transformers import AutoTokenizer

from distill.core.files import sha256
from distill.models.encoder import load_classifier, position_limit
from distill.models.fresh import Shape, make_encoder
from distill.models.pretrained import require_safe

TEXTS = [
    f"{noun} {number} Вт, {noun} made of №{number % 7}"
    for noun in ("дрель", "Йогурт", "ёлка", "drill")
    for number in range(40)
]
SHAPE, SEED = Shape(layers=2, width=16, heads=2, vocabulary=120), 5


def test_folder_is_an_ordinary_checkpoint(tmp_path):
    make_encoder(TEXTS, tmp_path, SHAPE, SEED)
    require_safe(tmp_path)
    model = load_classifier(tmp_path, ["нет", "да"])
    assert model.config.num_hidden_layers == 2 and position_limit(model) == 512
    plain = Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    assert plain.get_vocab_size() == model.config.vocab_size <= 120
    encoding = plain.encode("Дрель 7", "Йогурт")
    assert encoding.tokens[0] == "[CLS]" and encoding.tokens.count("[SEP]") == 2 and encoding.type_ids[-1] == 1
    hf = AutoTokenizer.from_pretrained(tmp_path)
    assert hf("Дрель 7", "Йогурт")["input_ids"] == encoding.ids and hf.pad_token_id == model.config.pad_token_id == 0


def test_order_of_texts_is_of_no_account(tmp_path):
    make_encoder(TEXTS, tmp_path / "a", SHAPE, SEED)
    make_encoder(reversed(TEXTS), tmp_path / "b", SHAPE, SEED)
    for name in ("tokenizer.json", "model.safetensors", "config.json"):
        assert sha256(tmp_path / "a" / name) == sha256(tmp_path / "b" / name)


def test_seed_changes_weights_and_the_global_generator_is_left_alone(tmp_path):
    torch.manual_seed(0)
    expected = torch.rand(1)
    torch.manual_seed(0)
    make_encoder(TEXTS, tmp_path / "a", SHAPE, SEED)
    assert torch.rand(1) == expected
    make_encoder(TEXTS, tmp_path / "b", SHAPE, SEED + 1)
    assert sha256(tmp_path / "a" / "model.safetensors") != sha256(tmp_path / "b" / "model.safetensors")


def test_heads_must_divide_the_width(tmp_path):
    with pytest.raises(ValueError, match="heads"):
        make_encoder(TEXTS, tmp_path, replace(SHAPE, heads=3), SEED)


@pytest.mark.parametrize(
    ("field", "value", "read"),
    [
        ("layers", 3, lambda config: config.num_hidden_layers),
        ("width", 32, lambda config: config.hidden_size),
        ("heads", 4, lambda config: config.num_attention_heads),
        ("vocabulary", 110, lambda config: config.vocab_size),
    ],
)
def test_the_shape_is_the_one_that_is_asked_for(tmp_path, field, value, read):
    for name, shape in (("plain", SHAPE), ("other", replace(SHAPE, **{field: value}))):
        make_encoder(TEXTS, tmp_path / name, shape, SEED)
    plain, other = (read(load_classifier(tmp_path / name, ["a", "b"]).config) for name in ("plain", "other"))
    assert other != plain and (field == "vocabulary" or other == value)
