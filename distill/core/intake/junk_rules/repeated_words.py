"""Texts that say the same words over and over."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import Field, PositiveInt

from distill.core.intake.junk_rules.rule import Hits, JunkRule, Texts


class RepeatedWords(JunkRule):
    """Fits where few of the words of its fields are different ones, whatever their case."""

    name: ClassVar[str] = "repeated_words"

    min_distinct: Annotated[float, Field(gt=0, le=1)] = Field(
        0.3, description="a smaller share of distinct words is junk"
    )
    min_words: PositiveInt = Field(20, description="texts of fewer words are not judged")

    def judge(self, counted: Any) -> Hits:
        """Whether distinct / all words is under the share."""

        def hits(texts: Texts) -> bool:
            words = [word.lower() for text in texts for word in text.split()]
            return len(words) >= self.min_words and len(set(words)) < self.min_distinct * len(words)

        return hits
