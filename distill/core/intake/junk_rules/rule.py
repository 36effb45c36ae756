"""What every junk rule is: which fields of which sources it reads, what a row that it fits costs, and how it judges."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import Annotated, Any, ClassVar, Literal, Protocol

from pydantic import Field

from distill.core.config import Config
from distill.core.config_values import Files

REASONS = ("too_short", "too_long", "missing_field", "repeated_text", "pattern")
"""Of the rules of `data.junk` that have no name."""
Texts = Sequence[str]
"""The texts of a row's fields, in the order in which the rule names them; '' for an empty one."""
Hits = Callable[[Texts], bool]
"""Whether a row is junk by a rule."""


class Counting(Protocol):
    """What a rule gathers of all rows of a source before it judges the first."""

    def add(self, texts: Texts) -> None:
        """Take in one row."""

    def facts(self) -> dict[str, int]:
        """What was gathered, in figures for the audit."""


class JunkRule(Config):
    """Settings of a rule; `judge` makes what looks at rows of them."""

    name: ClassVar[str]
    lines: ClassVar[bool] = False  # whether texts keep their line breaks; in others all white space is one blank

    kind: str = Field(description="its kind: one of the table, or module:Class")
    fields: Annotated[list[str], Field(min_length=1)] | None = Field(
        None, description="fields of the views that it reads; null: all"
    )
    sources: Files | None = Field(
        None, description="train, valid, test, extra, pool or one of them, such as pool.urls; null: all"
    )
    action: Literal["drop", "count"] = Field(
        "drop", description="drop the rows that it fits, or count them only, to try a rule before it costs rows"
    )

    def counting(self) -> Counting | None:
        """What takes in all rows of a source first; None for a rule that needs one row alone."""
        return None

    @abstractmethod
    def judge(self, counted: Any) -> Hits:
        """What tells junk. Args: counted: what `counting` gave, fed with the source; None where that is None.

        Raises: MissingExtra, or UserError for what only a library can refuse.
        """
