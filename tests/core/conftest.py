"""Tiny tokenizers that know some Cyrillic, built here so that no file has to be in the repository."""

from __future__ import annotations

import pytest
from tokenizers import Tokenizer
from tokenizers.models import BPE, WordLevel, WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer, ByteLevel, Whitespace
from tokenizers.processors import TemplateProcessing

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
WORDS = ["дрель", "купить", "ударная", "drill", "bosch", "750", "вт", "|", ",", "a", "б"]
PIECES = ["д", "##р", "##е", "##ль", "##ель", "##ка", "##ми", "dr", "##ill", "##s", "##я", "уд", "##ар", "##на"]


def _with_frame(tokenizer: Tokenizer) -> Tokenizer:
    tokenizer.add_special_tokens(SPECIAL)
    names = [(name, tokenizer.token_to_id(name)) for name in ("[CLS]", "[SEP]")]
    tokenizer.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=names
    )
    return tokenizer


def _ids(names: list[str]) -> dict[str, int]:
    return {name: index for index, name in enumerate(names)}


def word_level() -> Tokenizer:
    """One token per word; numbers w0 … w999 are known, everything else is [UNK]."""
    vocabulary = _ids([*SPECIAL, *WORDS, *(f"w{number}" for number in range(1000))])
    tokenizer = Tokenizer(WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    return _with_frame(tokenizer)


def word_piece() -> Tokenizer:
    """Lower-casing BERT pieces: a cut inside `дрельками` changes how the rest is split."""
    tokenizer = Tokenizer(WordPiece(_ids([*SPECIAL, *WORDS, *PIECES]), unk_token="[UNK]"))
    tokenizer.normalizer = BertNormalizer(lowercase=True, strip_accents=False)
    tokenizer.pre_tokenizer = BertPreTokenizer()
    return _with_frame(tokenizer)


def byte_level() -> Tokenizer:
    """One token per byte, in the frame of RoBERTa: an emoji is four tokens at one place of the text."""
    vocabulary = _ids(["<s>", "</s>", *sorted(ByteLevel.alphabet())])
    tokenizer = Tokenizer(BPE(vocabulary, []))
    tokenizer.pre_tokenizer = ByteLevel(add_prefix_space=False)
    tokenizer.post_processor = TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 1)]
    )
    return tokenizer


TOKENIZERS = {"word_level": word_level, "word_piece": word_piece, "byte_level": byte_level}


@pytest.fixture(params=TOKENIZERS)
def tokenizer(request: pytest.FixtureRequest) -> Tokenizer:
    """Each of the three kinds of tokenizer in turn."""
    return TOKENIZERS[request.param]()


@pytest.fixture
def words() -> Tokenizer:
    """The tokenizer in which a word is a token, for tests that count."""
    return word_level()


@pytest.fixture
def make_tokenizer():
    """`make_tokenizer(kind)` for tests that hypothesis runs many times."""
    return lambda kind: TOKENIZERS[kind]()
