"""The embedded projects: each a file of settings and the sizes of its data."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files

from distill.core.errors import unknown_name


@dataclass(frozen=True)
class Sizes:
    """Rows of each file."""

    train: int = 1500
    valid: int = 500
    test: int = 1500
    pool: int = 20_000
    pretraining: int = 0


PROJECTS = {
    "demo": Sizes(),
    "demo-full": Sizes(test=6000),
    "demo-ru": Sizes(1200, 400, 1000, 4000),
    "demo-preference": Sizes(600, 300, 600, 600),
    "base-check": Sizes(pool=2000),
    "base": Sizes(120, 60, 120, 200, 60_000),
}


def sizes_of(project: str) -> Sizes:
    """The sizes of an embedded project. Raises: UserError for a name that is none."""
    _require(project)
    return PROJECTS[project]


def settings_of(project: str) -> str:
    """The project file of an embedded project. Raises: UserError for a name that is none."""
    _require(project)
    return files("distill.demo").joinpath("projects", f"{project}.yaml").read_text(encoding="utf-8")


def _require(project: str) -> None:
    if project not in PROJECTS:
        raise unknown_name("embedded project", project, PROJECTS, "--config")
