import json

import pytest
from tokenizers import Tokenizer
from tokenizers.models import WordLevel

from distill.core.padding import pad_id


@pytest.fixture
def folder(tmp_path):
    """`folder(config, tokens, settings)`: a model folder with these files."""

    def make(config=None, tokens=("a", "b"), settings=None):
        Tokenizer(WordLevel({token: index for index, token in enumerate(tokens)}, unk_token="a")).save(
            str(tmp_path / "tokenizer.json")
        )
        for name, content in (("config.json", config), ("tokenizer_config.json", settings)):
            if content is not None:
                (tmp_path / name).write_text(json.dumps(content))
        return tmp_path

    return make


@pytest.mark.parametrize(
    ("config", "tokens", "settings", "expected"),
    [
        (None, ("a", "[PAD]"), None, 1),
        (None, ("a", "b", "<pad>"), None, 2),
        (None, ("a", "b"), None, 0),
        ({"pad_token_id": 2}, ("a", "[PAD]", "b"), None, 2),
        ({"pad_token_id": None}, ("a", "[PAD]"), None, 1),
        ({"pad_token_id": -1, "eos_token_id": 1}, ("a", "b"), None, 1),
        ({"pad_token_id": 9, "vocab_size": 3, "eos_token_id": [1, 2]}, ("a", "b", "c"), None, 1),
        ({"eos_token_id": 1}, ("a", "b", "мимо"), {"pad_token": "мимо"}, 2),
        ({"eos_token_id": 1}, ("a", "b", "мимо"), {"pad_token": {"content": "мимо"}}, 2),
    ],
)
def test_the_config_comes_first_then_the_tokenizer_then_the_end_of_a_text(folder, config, tokens, settings, expected):
    assert pad_id(folder(config, tokens, settings)) == expected
