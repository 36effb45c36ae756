"""BPE: neighbouring pieces merged, the earliest rule first."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Set
from typing import Any

from distill.models.vocabulary.pieces import Model, Pieces, is_byte


class BytePairs(Pieces):
    """GPT-2's, RoBERTa's and ModernBERT's. What is merged on the way to a kept piece is kept with every rule for it.

    Then a text of kept pieces is read by the same merges: the earliest rule that applies is one of the kept, since what
    it makes ends up inside a kept piece.
    """

    name = "BPE"

    def ids(self, model: Model) -> dict[str, int]:
        """The vocabulary as it is."""
        return dict(model["vocab"])

    def needed(self, model: Model, seen: Set[int]) -> set[int]:
        """And the unknown piece, every single character and byte, and what each of these pieces is merged from."""
        vocab = model["vocab"]
        prefix, suffix = model.get("continuing_subword_prefix") or "", model.get("end_of_word_suffix") or ""
        names = {number: piece for piece, number in vocab.items()}
        found = {names[number] for number in seen if number in names}
        found |= {one for one in vocab if len(one.removeprefix(prefix).removesuffix(suffix)) == 1 or is_byte(one)}
        found |= {model["unk_token"]} & vocab.keys()
        parts: dict[str, list[str]] = defaultdict(list)
        for left, right, made in _merges(model):
            parts[made] += [left, right]
        waiting = list(found)
        while waiting:
            new = [part for part in parts[waiting.pop()] if part not in found]
            found.update(new)
            waiting += new
        return set(seen) | {vocab[piece] for piece in found}

    def renumbered(self, model: Model, new: Mapping[int, int]) -> dict[str, Any]:
        """The kept pieces and the merges between them."""
        vocab = {piece: new[number] for piece, number in model["vocab"].items() if number in new}
        merges = [[left, right] for left, right, made in _merges(model) if {left, right, made} <= vocab.keys()]
        return {**model, "vocab": dict(sorted(vocab.items(), key=lambda item: item[1])), "merges": merges}


def _merges(model: Model) -> Iterator[tuple[str, str, str]]:
    """(left, right, what they are merged to) of each rule, earliest first."""
    prefix = model.get("continuing_subword_prefix") or ""
    for left, right in model["merges"]:
        yield left, right, left + right.removeprefix(prefix)
