"""What the ablation switches on, each alone: `benchmarks/ingredients.yaml`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from string import Template
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import Field

from distill.core.config import Config, load_yaml, parse
from distill.core.errors import unknown_name

FILE = Path(__file__).resolve().parent / "ingredients.yaml"


class Ingredient(Config):
    """One ingredient: overrides of a project, with `$teacher`, `$student`, `$entry`, `$steps`, `$half` to fill in."""

    words: str = Field(description="what it does, in one line")
    sets: Annotated[list[str], Field(min_length=1)] = Field(description="overrides, as for --set")
    students: list[str] = Field(default_factory=list, description="further students that it trains")
    needs: list[Literal["pool", "documents"]] = Field(default_factory=list, description="what a project must have")

    def missing(self, project: Mapping[str, Any]) -> list[str]:
        """What it needs and a project, as its file says it, does not have."""
        views = project["views"]
        has = {"pool": bool(project["data"].get("pool")), "documents": views["document"] != views["card"]}
        return [need for need in self.needs if not has[need]]

    def overrides(self, setting: Setting) -> list[str]:
        """Its `sets` for every student, each line once."""
        return list(dict.fromkeys(line for values in setting.values() for line in _filled(self.sets, values)))

    def further(self, setting: Setting) -> list[str]:
        """The names of the further students."""
        return [name for values in setting.values() for name in _filled(self.students, values)]


class Setting(NamedTuple):
    """What overrides are filled in from. Attributes: entries: of the students. steps: of each in the base run."""

    teacher: str
    entries: Mapping[str, Mapping[str, Any]]
    steps: Mapping[str, int]

    def values(self) -> list[dict[str, str]]:
        """What each `$name` stands for, for each student."""
        return [
            {
                "teacher": self.teacher,
                "student": name,
                "entry": json.dumps({"preset": name, **entry}, ensure_ascii=False),
                "steps": str(self.steps[name]),
                "half": str(max(1, self.steps[name] // 2)),
            }
            for name, entry in self.entries.items()
        ]


def read_ingredients(path: Path = FILE) -> dict[str, Ingredient]:
    """All of them by name. Raises: UserError listing every problem of the file."""
    return {name: parse(Ingredient, values, str(path), name) for name, values in load_yaml(path).items()}


def chosen(names: list[str], known: Mapping[str, Ingredient]) -> dict[str, Ingredient]:
    """Those that are named; all where none is. Raises: UserError with the nearest name for an unknown one."""
    for name in names:
        if name not in known:
            raise unknown_name("ingredient", name, known, "--ingredient")
    return {name: one for name, one in known.items() if not names or name in names}


def _filled(lines: list[str], values: Mapping[str, str]) -> list[str]:
    return [Template(line).substitute(values) for line in lines]
