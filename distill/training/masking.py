"""Whole-word masking, for masked language modelling."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer
from tokenizers.models import BPE, Unigram

Ids = NDArray[np.int64]
IGNORED = -100
_SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "<pad>", "<unk>", "<s>", "</s>", "<mask>", "<cls>", "<eos>")
_MASKS = ("[MASK]", "<mask>")
_STARTS = ("Ġ", "▁")
_KEPT, _RANDOM = 0.1, 0.1


class WholeWordMasker:
    """Masks whole words of a batch: all pieces of a word or none.

    Args: tokenizer: a WordPiece (`##` within a word), or a byte-level or sentencepiece one (`Ġ` or `▁` at the start of
        a word); of others each token is a word. share: of the words, masked ones.
    Attributes: special: by id, whether a token is special, bool (V,).
    Raises: ValueError when the vocabulary has no mask token.
    Source: Devlin et al. 2019, arXiv:1810.04805, section 3.1 (80% mask, 10% random, 10% kept), with whole words as in
        their later models; drawn anew for each batch as in Liu et al. 2019, arXiv:1907.11692, section 4.1.
    """

    def __init__(self, tokenizer: Tokenizer, share: float) -> None:
        vocabulary: dict[str, int] = tokenizer.get_vocab()
        masks = [vocabulary[token] for token in _MASKS if token in vocabulary]
        if not masks:
            raise ValueError("the tokenizer has no mask token")
        size = max(vocabulary.values()) + 1
        self.mask_id, self.share = masks[0], share
        self.special, self._inner = np.ones(size, bool), np.zeros(size, bool)
        is_inner = _inner(tokenizer)
        for token, index in vocabulary.items():
            self.special[index] = token in _SPECIAL
            self._inner[index] = is_inner(token)
        self._ordinary = np.flatnonzero(~self.special)

    def __call__(self, ids: Ids, random: np.random.Generator) -> tuple[Ids, Ids]:
        """The batch with words masked, and the tokens that they were.

        Args: ids: int64 (B, S), padded with a special token. random: decides which words.
        Returns: inputs and targets, int64 (B, S); targets are -100 wherever no word is masked.
        """
        special = self.special[ids]
        starts = ~special & ~(self._inner[ids] & ~_before(special))
        word = np.cumsum(starts.reshape(-1)).reshape(ids.shape)
        chosen = random.random(int(word[-1, -1]) + 1) < self.share
        masked = chosen[word] & ~special
        draw = random.random(ids.shape)
        inputs = np.where(masked & (draw >= _KEPT + _RANDOM), self.mask_id, ids)
        replaced = masked & (draw < _RANDOM)
        inputs[replaced] = random.choice(self._ordinary, int(replaced.sum()))
        return inputs, np.where(masked, ids, IGNORED)


def _inner(tokenizer: Tokenizer) -> Callable[[str], bool]:
    """Whether a token goes on with the word before it.

    Told by the kind of tokenizer: a WordPiece may know `▁` and `Ġ` as letters like any other.
    """
    model = tokenizer.model
    if prefix := getattr(model, "continuing_subword_prefix", None):
        return lambda token: token.startswith(prefix)
    marks_starts = isinstance(model, BPE | Unigram) and not getattr(model, "end_of_word_suffix", None)
    if marks_starts and any(token.startswith(_STARTS) for token in tokenizer.get_vocab()):
        return lambda token: not token.startswith(_STARTS)
    return lambda token: False


def _before(special: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Whether the token before each one is special; true at the start of a row."""
    shifted = np.ones_like(special)
    shifted[:, 1:] = special[:, :-1]
    return shifted
