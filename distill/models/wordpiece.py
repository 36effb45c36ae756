"""A WordPiece tokenizer trained so that the same texts always give the same file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tokenizers import Tokenizer

SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


def train_wordpiece(texts: Iterable[str], vocabulary: int) -> Tokenizer:
    """A lower-casing BERT tokenizer of at most `vocabulary` tokens; accents stay, as stripping them turns й into и.

    The trainer of `tokenizers` numbers single characters in the order of a randomly seeded hash map and breaks ties
    between merges by those numbers. So the characters are numbered here, before it starts.

    Args: texts: any order. vocabulary: special tokens included; half of it at most goes to single characters, and
        words with rarer ones become [UNK].
    """
    from tokenizers.trainers import WordPieceTrainer

    trained = _untrained({})
    words = _words(texts, trained)
    characters = _characters(words, vocabulary // 2)
    trainer = WordPieceTrainer(
        vocab_size=vocabulary,
        special_tokens=[*SPECIAL_TOKENS, *characters],
        limit_alphabet=len(characters),
        show_progress=False,
    )
    trained.train_from_iterator(_repeated(words, set(characters)), trainer)
    # Built anew, because the characters are not special tokens outside the trainer.
    return _finished(trained.get_vocab())


def _untrained(vocabulary: dict[str, int]) -> Tokenizer:
    from tokenizers import Tokenizer
    from tokenizers.decoders import WordPiece as Decoder
    from tokenizers.models import WordPiece
    from tokenizers.normalizers import BertNormalizer
    from tokenizers.pre_tokenizers import BertPreTokenizer

    tokenizer = Tokenizer(WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = BertNormalizer(lowercase=True, strip_accents=False)
    tokenizer.pre_tokenizer = BertPreTokenizer()
    tokenizer.decoder = Decoder()
    return tokenizer


def _finished(vocabulary: dict[str, int]) -> Tokenizer:
    from tokenizers.processors import TemplateProcessing

    tokenizer = _untrained(vocabulary)
    tokenizer.add_special_tokens(list(SPECIAL_TOKENS))
    tokenizer.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[(token, vocabulary[token]) for token in ("[CLS]", "[SEP]")],
    )
    return tokenizer


def _words(texts: Iterable[str], tokenizer: Tokenizer) -> Counter[str]:
    """How often each normalised word occurs."""
    words: Counter[str] = Counter()
    for text in texts:
        split = tokenizer.pre_tokenizer.pre_tokenize_str(tokenizer.normalizer.normalize_str(text))
        words.update(word for word, _ in split)
    return words


def _characters(words: Counter[str], limit: int) -> list[str]:
    """The commonest characters as WordPiece writes them, `x` at the start of a word and `##x` within it, sorted."""
    counts: Counter[str] = Counter()
    for word, count in words.items():
        for piece in _pieces(word):
            counts[piece] += count
    ranked = sorted(counts, key=lambda piece: (-counts[piece], piece))
    return sorted(ranked[:limit])


def _pieces(word: str) -> list[str]:
    return [word[0], *(f"##{character}" for character in word[1:])]


def _repeated(words: Counter[str], characters: set[str]) -> Iterator[str]:
    """Each word as often as it occurs, those with characters outside the vocabulary left out."""
    for word, count in sorted(words.items()):
        if characters.issuperset(_pieces(word)):
            yield " ".join([word] * count)
