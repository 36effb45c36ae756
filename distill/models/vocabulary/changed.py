"""How much of other texts a trimmed tokenizer reads otherwise than the whole one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from distill.core.rendering import Renderer
from distill.core.view import View
from distill.models.vocabulary.counting import Row


@dataclass(frozen=True)
class Changed:
    """How much was read otherwise.

    Attributes: tokens: that the whole tokenizer makes of what is read. changed: those that the trimmed one does not
        make. rows, changed_rows: of texts, and those with such a token.
    """

    tokens: int
    changed: int
    rows: int
    changed_rows: int


def changed_tokens(whole: View, trimmed: View, rows: Iterable[Row]) -> Changed:
    """Count what differs in the sides that a view reads of rows. Args: whole, trimmed: one view, two tokenizers."""
    readers = [view.renderer() for view in (whole, trimmed)]
    windows = whole.config.windows
    reach = whole.config.max_tokens * (windows.max if windows else 1)
    total = Counter({"tokens": 0, "changed": 0, "rows": 0, "changed_rows": 0})
    for row in rows:
        before, after = _spans(readers[0], row, reach), _spans(readers[1], row, None)
        lost = (before - after).total()
        total.update(tokens=before.total(), changed=lost, rows=1, changed_rows=int(lost > 0))
    return Changed(**total)


def _spans(renderer: Renderer, row: Row, most: int | None) -> Counter[Any]:
    """The first tokens of each side: side, place in its text, and piece."""
    found: Counter[Any] = Counter()
    for side, text in enumerate(renderer.text(row)):
        one = renderer.tokenizer.encode(text or "", add_special_tokens=False)
        found.update((side, *span, piece) for span, piece in zip(one.offsets[:most], one.tokens[:most], strict=True))
    return found
