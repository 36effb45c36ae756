"""Texts that have the same line several times."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import Field

from distill.core.intake.junk_rules.rule import Hits, JunkRule, Texts
from distill.core.intake.line_texts import lines_of


class RepeatedLines(JunkRule):
    """Fits where many lines of its fields are there before, in the form in which texts are compared.

    Source: the share of duplicate lines is one of the repetition filters of Rae et al. 2021, arXiv:2112.11446, table
    A1, with the same limit.
    """

    name: ClassVar[str] = "repeated_lines"
    lines: ClassVar[bool] = True

    max_share: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.3, description="a larger share of lines that an earlier line equals is junk"
    )
    min_lines: Annotated[int, Field(ge=2)] = Field(
        4, description="texts of fewer lines are not judged; empty ones do not count"
    )

    def judge(self, counted: Any) -> Hits:
        """Whether 1 - distinct / all lines is above the share."""

        def hits(texts: Texts) -> bool:
            found = [line for text in texts for line in lines_of(text)]
            return len(found) >= self.min_lines and len(found) - len(set(found)) > self.max_share * len(found)

        return hits
