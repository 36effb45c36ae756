"""Texts in which a regular expression is found."""

from __future__ import annotations

import re
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, BeforeValidator, Field

from distill.core.intake.junk_rules.rule import Hits, JunkRule, Texts


def _regular(pattern: str) -> str:
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"not a regular expression: {error}") from None
    return pattern


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


class Regex(JunkRule):
    """Fits where any pattern is found in any of its fields."""

    name: ClassVar[str] = "regex"

    patterns: Annotated[
        list[Annotated[str, AfterValidator(_regular)]], BeforeValidator(_as_list), Field(min_length=1)
    ] = Field(description="regular expressions of Python's re; (?i) at the start: whatever the case")

    def judge(self, counted: Any) -> Hits:
        """Whether a pattern is found."""
        patterns = [re.compile(pattern) for pattern in self.patterns]

        def hits(texts: Texts) -> bool:
            return any(pattern.search(text) for pattern in patterns for text in texts if text)

        return hits
