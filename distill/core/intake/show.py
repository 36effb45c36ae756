"""One record as a view renders it: the text of each side, its tokens, and what was cut where."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from tokenizers import Tokenizer

from distill.core.errors import UserError, nearest
from distill.core.intake.words import word_tokenizer
from distill.core.project import ViewConfig
from distill.core.record_store import iter_records, splits
from distill.core.records import Record
from distill.core.rendering import Renderer
from distill.core.view import View, renderer_with

_UNCUT = 1 << 30
_GUESS_FROM = 5000


@dataclass(frozen=True)
class ShowResult:
    """How a view reads a record.

    Attributes:
        view: the view's name.
        tokenizer: `model` or `words`.
        left, right: rendered sides after budgets; right is None for single texts.
        tokens: tokens of the text before any cut, special tokens not counted.
        windows: tokens of each window, special tokens included.
        cut_fields: field to tokens that its budget cut.
        cut_left, cut_right: tokens of the side that `max_tokens` leaves unread.
    """

    view: str
    tokenizer: str
    left: str
    right: str | None
    tokens: int
    windows: list[int]
    cut_fields: dict[str, int]
    cut_left: int
    cut_right: int

    def text(self) -> str:
        """The result for a terminal."""
        unit = "words and signs" if self.tokenizer == "words" else "tokens"
        lines = [f"view {self.view}", f"  left:    {self.left}"]
        lines += [] if self.right is None else [f"  right:   {self.right}"]
        lines += [f"  {unit}: {self.tokens}; read in windows of {', '.join(map(str, self.windows))}"]
        cuts = [f"{path} {count} by its budget" for path, count in self.cut_fields.items()]
        cuts += [f"left side {self.cut_left} by max_tokens"] if self.cut_left else []
        cuts += [f"right side {self.cut_right} by max_tokens"] if self.cut_right else []
        none = "not known before a model is chosen" if self.tokenizer == "words" else "nothing"
        return "\n".join([*lines, f"  cut:     {', '.join(cuts) or none}"])


def find_record(folder: Path, record_id: str) -> Record:
    """The first record with this id in any split of a records folder.

    Raises: UserError with the nearest id when there is none.
    """
    for split in splits(folder):
        for record in iter_records(folder, split, record_id):
            return record
    known = [record.id for split in splits(folder) for record in islice(iter_records(folder, split), _GUESS_FROM)]
    guess = nearest(record_id, known)
    do = f"did you mean '{guess}'?" if guess else "dropped rows are in audit.json and quarantine.jsonl"
    raise UserError("no record has this id", where=str(folder), found=record_id, do=do)


def describe(record: Record, view: View) -> str:
    """How a model's view reads a record, for a terminal."""
    return _shown(record, view.name, view.renderer(), "model").text()


def render(record: Record, name: str, view: ViewConfig, tokenizer: Tokenizer | None = None) -> ShowResult:
    """How view `name` reads a record; without a model's tokenizer, tokens are words and signs."""
    bound = renderer_with(name, view.model_dump(mode="json"), tokenizer or word_tokenizer())
    return _shown(record, name, bound, "model" if tokenizer else "words")


def _shown(record: Record, name: str, bound: Renderer, tokenizer: str) -> ShowResult:
    encoded, (left, right) = bound.encode(record.fields), bound.text(record.fields)
    fields = {path: _budget_cut(bound, record, path) for path in bound.budgets}
    unread = encoded.cut_tokens - sum(fields.values())
    left_ids = bound.tokenizer.encode(left, add_special_tokens=False).ids
    left_unread = (
        min(unread, len(left_ids) - _prefix(encoded.windows[0].ids, left_ids)) if right is not None else unread
    )
    return ShowResult(
        view=name,
        tokenizer=tokenizer,
        left=left,
        right=right,
        tokens=encoded.tokens,
        windows=[len(window.ids) for window in encoded.windows],
        cut_fields={path: count for path, count in fields.items() if count},
        cut_left=left_unread,
        cut_right=unread - left_unread,
    )


def _budget_cut(renderer: Renderer, record: Record, path: str) -> int:
    """Tokens that the budget of one field cuts."""
    alone = {"left": [path], "budgets": {path: renderer.budgets[path]}, "max_tokens": _UNCUT}
    return Renderer(alone, renderer.tokenizer).encode(record.fields).cut_tokens


def _prefix(window: Sequence[int], side: Sequence[int]) -> int:
    """How many tokens of a side a window starts with, after its leading special tokens."""
    if not side or side[0] not in window:
        return 0
    start = window.index(side[0])
    pairs = zip(window[start:], side, strict=False)
    return next((index for index, (a, b) in enumerate(pairs) if a != b), min(len(side), len(window) - start))
