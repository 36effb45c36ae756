"""Rows without a text that they should have."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field, model_validator

from distill.core.intake.junk_rules.rule import Hits, JunkRule


class Missing(JunkRule):
    """Fits where fields are empty."""

    name: ClassVar[str] = "missing"

    when: Literal["any", "all"] = Field("any", description="junk where any of the fields is empty, or all of them are")

    @model_validator(mode="after")
    def _names_its_fields(self) -> Missing:
        if self.fields is None:
            raise ValueError("fields: missing; name the fields that must not be empty")
        return self

    def judge(self, counted: Any) -> Hits:
        """Whether any or all fields are empty."""
        some = any if self.when == "any" else all
        return lambda texts: some(not text for text in texts)
