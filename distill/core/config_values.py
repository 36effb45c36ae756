"""Kinds of values that several sections of a project have: names, lists of files, shares."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from distill.core.label_space import label_name
from distill.core.names import name_problems


def _names(value: Any) -> Any:
    return [label_name(item) for item in value] if isinstance(value, list) else value


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def become_paths(section: str) -> BeforeValidator:
    """A check of a mapping's names, all of whose problems are listed; `section` is the mapping's dotted key."""

    def check(value: Any) -> Any:
        names = [name for name in value if isinstance(name, str)] if isinstance(value, dict) else []
        if found := name_problems(section, names):
            raise ValueError("\n".join(found))
        return value

    return BeforeValidator(check)


Name = Annotated[str, BeforeValidator(label_name)]
Names = Annotated[list[str], BeforeValidator(_names)]
Files = Annotated[list[str], BeforeValidator(_as_list), Field(min_length=1)]
Share = Annotated[float, Field(ge=0, le=1)]
