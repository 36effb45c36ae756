"""Unigram: the most likely pieces of a word."""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import Any

from distill.models.vocabulary.pieces import Model, Pieces, is_byte


class Unigram(Pieces):
    """SentencePiece's default. The most likely reading stays the most likely one among fewer readings.

    What no piece covers costs the least score of all less 10, so the piece of the least score is kept too.
    """

    name = "Unigram"

    def ids(self, model: Model) -> dict[str, int]:
        """Ids are places in the list."""
        return {piece: number for number, (piece, _) in enumerate(model["vocab"])}

    def needed(self, model: Model, seen: Set[int]) -> set[int]:
        """And the unknown piece, every single character and byte, and the least likely piece."""
        vocab = model["vocab"]
        single = {number for number, (piece, _) in enumerate(vocab) if len(piece) == 1 or is_byte(piece)}
        least = min(range(len(vocab)), key=lambda number: vocab[number][1])
        unknown = model.get("unk_id")
        return set(seen) | single | {least} | ({unknown} if unknown is not None else set())

    def renumbered(self, model: Model, new: Mapping[int, int]) -> dict[str, Any]:
        """The kept pieces, with their scores."""
        vocab = [entry for number, entry in enumerate(model["vocab"]) if number in new]
        unknown = model.get("unk_id")
        return {**model, "vocab": vocab, "unk_id": None if unknown is None else new[unknown]}
