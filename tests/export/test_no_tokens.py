"""A tokenizer without special tokens gives a text of no tokens no ids: bundles read one padding token there."""

from types import SimpleNamespace

import pytest
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

from distill.core.rendering import Renderer
from export.verify import _token_problems


@pytest.fixture
def bundle(tmp_path):
    """What the check of token ids asks of a bundle, with a tokenizer that adds nothing."""
    tokenizer = Tokenizer(WordLevel({"дрель": 0, "пила": 1, "конец": 2}, unk_token="конец"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    before = {"left": ["left"], "right": ["right"], "max_tokens": 8, "pad_id": 2}
    renderer = Renderer(before, tokenizer)
    return SimpleNamespace(folder=tmp_path, before=before, renderer=renderer, encode=renderer.encode_batch)


def golden(bundle, record):
    windows = [{"ids": window.ids, "type_ids": window.type_ids} for window in bundle.encode([record])[0].windows]
    return {"id": "one", "record": record, "windows": windows}


@pytest.mark.parametrize("record", [{}, {"left": "дрель"}, {"left": "дрель", "right": "пила"}])
def test_its_ids_are_those_that_were_recorded(bundle, record):
    line = golden(bundle, record)
    assert line["windows"][0]["ids"] and not list(_token_problems(bundle, [line]))


def test_another_id_than_padding_is_still_seen(bundle):
    line = golden(bundle, {})
    line["windows"][0]["ids"] = [1]
    assert len(list(_token_problems(bundle, [line]))) == 2
