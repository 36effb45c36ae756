"""Whole-word masking, for masked language modelling."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Ids = NDArray[np.int64]
IGNORED = -100
_SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "<pad>", "<unk>", "<s>", "</s>", "<mask>", "<cls>", "<eos>")
_MASKS = ("[MASK]", "<mask>")
_KEPT, _RANDOM = 0.1, 0.1


class WholeWordMasker:
    """Masks whole words of a batch: all pieces of a word or none.

    Args: vocabulary: token to id of a WordPiece (`##` within a word), or byte-level or sentencepiece tokenizer (`Ġ` or
        `▁` at the start of a word). share: of the words, masked ones.
    Attributes: special: by id, whether a token is special, bool (V,).
    Raises: ValueError when the vocabulary has no mask token.
    Source: Devlin et al. 2019, arXiv:1810.04805, section 3.1 (80% mask, 10% random, 10% kept), with whole words as in
        their later models; drawn anew for each batch as in Liu et al. 2019, arXiv:1907.11692, section 4.1.
    """

    def __init__(self, vocabulary: dict[str, int], share: float) -> None:
        masks = [vocabulary[token] for token in _MASKS if token in vocabulary]
        if not masks:
            raise ValueError("the tokenizer has no mask token")
        size = max(vocabulary.values()) + 1
        self.mask_id, self.share = masks[0], share
        self.special, self._inner = np.ones(size, bool), np.zeros(size, bool)
        marked = any(token.startswith(("Ġ", "▁")) for token in vocabulary)
        for token, index in vocabulary.items():
            self.special[index] = token in _SPECIAL
            self._inner[index] = not token.startswith(("Ġ", "▁")) if marked else token.startswith("##")
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


def _before(special: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Whether the token before each one is special; true at the start of a row."""
    shifted = np.ones_like(special)
    shifted[:, 1:] = special[:, :-1]
    return shifted
