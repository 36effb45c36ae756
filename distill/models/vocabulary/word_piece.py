"""WordPiece: the longest piece that fits, again and again."""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import Any

from distill.models.vocabulary.pieces import Model, Pieces


class WordPiece(Pieces):
    """BERT's. Of fewer pieces the longest that fits is the same one, if that is kept.

    A word that has a character without a piece is [UNK] before and after.
    """

    name = "WordPiece"

    def ids(self, model: Model) -> dict[str, int]:
        """The vocabulary as it is."""
        return dict(model["vocab"])

    def needed(self, model: Model, seen: Set[int]) -> set[int]:
        """And the unknown word, and every single character, at the start of a word and within."""
        prefix = model["continuing_subword_prefix"]
        single = {number for piece, number in model["vocab"].items() if len(piece.removeprefix(prefix)) == 1}
        unknown = model["vocab"].get(model["unk_token"])
        return set(seen) | single | ({unknown} if unknown is not None else set())

    def renumbered(self, model: Model, new: Mapping[int, int]) -> dict[str, Any]:
        """The kept pieces."""
        vocab = {piece: new[number] for piece, number in model["vocab"].items() if number in new}
        return {**model, "vocab": dict(sorted(vocab.items(), key=lambda item: item[1]))}
