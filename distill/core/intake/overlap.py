"""What the fields of a view say twice: tokens of each field, and which of its words the other fields have too."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from distill.core.intake.words import word_tokenizer
from distill.core.project import ViewConfig
from distill.core.records import Record
from distill.core.rendering import field_text

_BATCH_ROWS = 256


@dataclass(frozen=True)
class FieldUse:
    """One field over some records.

    Attributes: rows: records in which it is not empty. tokens: mean over all records, before any cut. shared: share of
        its words that any other field of the same record has too; None where it has none. most_like: the field that has
        the largest share of them, with that share.
    """

    field: str
    rows: int
    tokens: float
    shared: float | None
    most_like: tuple[str, float] | None


def field_uses(view: ViewConfig, records: Sequence[Record], tokenizer: Any) -> list[FieldUse]:
    """Each field of a view, in its order. Args: tokenizer: a `tokenizers.Tokenizer`, for the tokens."""
    words = word_tokenizer()
    counts = {name: _Count() for name in view.fields}
    for start in range(0, len(records), _BATCH_ROWS):
        batch = records[start : start + _BATCH_ROWS]
        texts = {name: [field_text(row.fields, name) for row in batch] for name in view.fields}
        split = {name: _words(own, words) for name, own in texts.items()}
        for name, own in texts.items():
            counts[name].tokens += sum(len(one) for one in tokenizer.encode_batch(own, add_special_tokens=False))
        for place in range(len(batch)):
            row = {name: found[place] for name, found in split.items()}
            for name, own in row.items():
                counts[name].add(own, {other: set(known) for other, known in row.items() if other != name})
    return [count.use(name, len(records)) for name, count in counts.items()]


class _Count:
    def __init__(self) -> None:
        self.rows = self.tokens = self.words = self.shared = 0
        self.by_field: dict[str, int] = {}

    def add(self, own: Sequence[str], others: dict[str, set[str]]) -> None:
        """One record: the field's words, and those of the other fields."""
        self.rows += bool(own)
        self.words += len(own)
        self.shared += sum(any(word in known for known in others.values()) for word in own)
        for name, known in others.items():
            self.by_field[name] = self.by_field.get(name, 0) + sum(word in known for word in own)

    def use(self, name: str, records: int) -> FieldUse:
        """The figures. Args: records: how many were added."""
        mean = self.tokens / records if records else 0.0
        if not self.words:
            return FieldUse(name, self.rows, mean, None, None)
        most = max(self.by_field.items(), key=lambda item: item[1], default=None)
        like = None if most is None or not most[1] else (most[0], most[1] / self.words)
        return FieldUse(name, self.rows, mean, self.shared / self.words, like)


def _words(texts: Sequence[str], words: Any) -> list[list[str]]:
    found = words.encode_batch(list(texts), add_special_tokens=False)
    return [[text[a:b].casefold() for a, b in one.offsets] for text, one in zip(texts, found, strict=True)]
