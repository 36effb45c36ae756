"""How many tokens records have under a view, before a model is chosen: by a real tokenizer, or by a safe factor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from distill.core.guessing.columns import spread
from distill.core.intake.words import tokenizer_or_words
from distill.core.rendering import Renderer, field_text

_ROWS, _UNCUT = 500, 1 << 30
# Pieces per word or sign: English has about 1.3; Russian 2 in a large multilingual vocabulary, 4 in one made of other
# texts. Too long a view costs time, too short a one loses text.
_PLAIN, _FOREIGN = 1.6, 3.5
WINDOWS = {"stride": 64, "max": 4, "pool": "mean"}


class TokenLengths:
    """Counts tokens of records.

    Args: rows: a sample of records. tokenizer: a `tokenizer.json`; None: words and signs times a safe factor.
    Raises: UserError for a tokenizer that cannot be read.
    """

    def __init__(self, rows: Sequence[Mapping[str, Any]], tokenizer: Path | None) -> None:
        self._rows, self.exact = spread(rows, _ROWS), tokenizer is not None
        self._tokenizer = tokenizer_or_words(tokenizer)

    def longest(self, sides: tuple[Sequence[str], Sequence[str]], share: float = 0.95) -> int:
        """Tokens that suffice for this share of the records, special ones included."""
        renderer, rows = self._renderer(sides, _UNCUT), self._texts(sides)
        counts = sorted(encoded.tokens for encoded in renderer.encode_batch(rows))
        tokens = counts[min(len(counts) - 1, int(share * len(counts)))] if counts else 0
        factor = 1.0 if self.exact else _factor(rows)
        special: int = renderer.tokenizer.num_special_tokens_to_add(bool(sides[1]))
        return int(tokens * factor) + special

    def windows(self, sides: tuple[Sequence[str], Sequence[str]], max_tokens: int) -> float:
        """Inputs per record, on average, where texts beyond `max_tokens` are read in windows."""
        renderer = self._renderer(sides, max_tokens, windows=WINDOWS)
        counts = [len(encoded.windows) for encoded in renderer.encode_batch(self._texts(sides))]
        return sum(counts) / max(1, len(counts))

    def _renderer(self, sides: tuple[Sequence[str], Sequence[str]], max_tokens: int, **more: Any) -> Renderer:
        return Renderer({"left": sides[0], "right": sides[1], "max_tokens": max_tokens, **more}, self._tokenizer)

    def _texts(self, sides: tuple[Sequence[str], Sequence[str]]) -> list[dict[str, str]]:
        """The fields of the rows, halves of surrogate pairs as question marks."""
        paths = [*sides[0], *sides[1]]
        return [{path: field_text(row, path).encode(errors="replace").decode() for path in paths} for row in self._rows]


def _factor(rows: Sequence[Mapping[str, str]]) -> float:
    words = [word for row in rows for text in row.values() for word in text.split()]
    foreign = sum(not word.isascii() for word in words) / max(1, len(words))
    return _PLAIN + (_FOREIGN - _PLAIN) * foreign
