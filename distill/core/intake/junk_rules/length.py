"""Texts that are too short or too long."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field, NonNegativeInt, PositiveInt, model_validator

from distill.core.intake.junk_rules.rule import Hits, JunkRule, Texts


class Length(JunkRule):
    """Counts the characters and the words of all its fields together."""

    name: ClassVar[str] = "length"

    min_chars: NonNegativeInt = Field(0, description="fewer characters are junk")
    max_chars: PositiveInt | None = Field(None, description="more characters are junk; null: no limit")
    min_words: NonNegativeInt = Field(0, description="fewer words are junk")
    max_words: PositiveInt | None = Field(None, description="more words are junk; null: no limit")

    @model_validator(mode="after")
    def _has_a_limit(self) -> Length:
        if not any((self.min_chars, self.max_chars, self.min_words, self.max_words)):
            raise ValueError("min_chars: with no limit at all the rule fits no row")
        for unit in ("chars", "words"):
            low, high = getattr(self, f"min_{unit}"), getattr(self, f"max_{unit}")
            if high is not None and low > high:
                raise ValueError(f"min_{unit}: {low} is above max_{unit}, {high}, so the rule fits every row")
        return self

    def judge(self, counted: Any) -> Hits:
        """Whether either length is out of its limits."""

        def hits(texts: Texts) -> bool:
            chars, words = sum(map(len, texts)), sum(len(text.split()) for text in texts)
            return _outside(chars, self.min_chars, self.max_chars) or _outside(words, self.min_words, self.max_words)

        return hits


def _outside(value: int, low: int, high: int | None) -> bool:
    return value < low or (high is not None and value > high)
