"""A record as a language model is shown it: the text of its view, cut to the tokens that the view reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from distill.core.rendering import Renderer, shared_room
from distill.inference.language_model.prompt import Text
from distill.inference.scorer import Row


@dataclass(frozen=True)
class ShownText:
    """A record's text with counts of words and signs: before any cut, of those cut, and of those that are read."""

    text: Text
    tokens: int
    cut_tokens: int

    @property
    def read_tokens(self) -> int:
        """Words and signs that are shown."""
        return self.tokens - self.cut_tokens


def shown_texts(renderer: Renderer, rows: Sequence[Row]) -> list[ShownText]:
    """Records as text, cut as an encoder's view is: the longer side gives way, windows are read as one text.

    Args: renderer: of the view, with `word_tokenizer`, so that its tokens are words and signs.
    """
    return [_shown(renderer, row) for row in rows]


def _shown(renderer: Renderer, row: Row) -> ShownText:
    counted = renderer.encode(row)
    room = renderer.room * (renderer.windows["max"] if renderer.windows else 1)
    sides = [side or "" for side in renderer.text(row)]
    found = [renderer.tokenizer.encode(side, add_special_tokens=False) for side in sides]
    kept = shared_room(len(found[0]), len(found[1]), room)
    left, right = (
        side if len(one) <= most else side[: one.offsets[most - 1][1]] if most else ""
        for side, one, most in zip(sides, found, kept, strict=True)
    )
    read = sum(min(len(one), most) for one, most in zip(found, kept, strict=True))
    return ShownText(Text(left, right if renderer.right else None), counted.tokens, max(0, counted.tokens - read))
