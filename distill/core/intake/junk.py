"""Simple rules that drop a record as junk, each under its own reason."""

from __future__ import annotations

import re
from collections.abc import Sequence

from distill.core.errors import UserError, unknown_name
from distill.core.intake.config import Junk
from distill.core.intake.record_reader import Dropped
from distill.core.records import Record

REASONS = ("too_short", "too_long", "missing_field", "repeated_text", "pattern")
_FEWEST_WORDS = 20


class JunkRules:
    """The rules of `data.junk`.

    Args: config: lengths in characters, shares, patterns. fields: the fields that records have.
    Raises: UserError for a pattern that is no regular expression, or a required field that no view reads.
    """

    def __init__(self, config: Junk, fields: Sequence[str]) -> None:
        self._config = config
        self._patterns = [_compiled(index, pattern) for index, pattern in enumerate(config.patterns)]
        for path in config.required:
            if path not in fields:
                raise unknown_name("field", path, fields, "data.junk.required")

    def check(self, record: Record) -> None:
        """Raises: Dropped with the first reason that holds."""
        if reason := self.reason(record):
            raise Dropped(reason)

    def reason(self, record: Record) -> str | None:
        """The first rule that the record breaks, None when it breaks none."""
        texts = [text for text in record.fields.values() if text]
        chars = sum(map(len, texts))
        if chars < self._config.min_chars:
            return "too_short"
        if chars > self._config.max_chars:
            return "too_long"
        if any(not record.fields[path] for path in self._config.required):
            return "missing_field"
        if self._repeats(texts):
            return "repeated_text"
        return "pattern" if any(pattern.search(text) for pattern in self._patterns for text in texts) else None

    def _repeats(self, texts: list[str]) -> bool:
        if not self._config.repeated:
            return False
        words = [word.lower() for text in texts for word in text.split()]
        return len(words) >= _FEWEST_WORDS and len(set(words)) < self._config.repeated * len(words)


def _compiled(index: int, pattern: str) -> re.Pattern[str]:
    try:
        return re.compile(pattern)
    except re.error as error:
        where = f"data.junk.patterns[{index}]"
        raise UserError("not a regular expression", where=where, found=f"{pattern}: {error}") from None
