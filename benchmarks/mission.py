"""Every system of the sources beside ours: `benchmarks/mission.yaml` as the page `docs/mission.md`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field

from benchmarks.figures import fill
from benchmarks.result_kinds import kind_of
from distill.core.config import Config, load_yaml, parse
from distill.core.files import read_json

FILE = Path(__file__).resolve().parent / "mission.yaml"
PAGE = "mission.md"
_NONE = "–"
_HEADER = (
    "<!-- Generated from `benchmarks/mission.yaml` and `benchmarks/results/` by `python -m benchmarks.publish`; edits "
    "here are lost. -->"
)
_TEXT = (
    "Each row is a system that somebody built by hand, or a question that somebody had to answer: what it came to "
    "there, on data that is not public, the command that makes the same here, the figure of ours where a public set "
    "allows one, and the test that runs it on a tiny model. Figures of the two columns are of different data: they "
    "show the order of the systems, not their height. A test reads this list: a command that the command line does "
    "not accept, a preset that is gone or a test that is not there fails it."
)


class Measured(Config):
    """A figure of ours. Its words name figures as `benchmarks/results/summaries.yaml` does."""

    result: str = Field(description="name of a stored result")
    words: str = Field(description="the figures, each named: `{f1_macro: base@card}`")


class System(Config):
    """One row of the page."""

    name: str = Field(description="as the sources call it")
    words: str = Field(description="what it is, in one line")
    theirs: str = Field("", description="their figures, in the order of the section's `theirs`")
    commands: Annotated[list[str], Field(min_length=1)] = Field(description="each makes it here, or a part of it")
    test: str = Field(description="path::name of the test that runs it")
    ours: Measured | None = Field(None, description="our figure, where a public set allows one")


class Section(Config):
    """Systems of one kind."""

    title: str = Field(description="heading")
    theirs: str = Field("", description="what their figures are, in order")
    about: str = Field("", description="a sentence or two above the table")
    systems: Annotated[list[System], Field(min_length=1)] = Field(description="its rows")


class Mission(Config):
    """The whole list."""

    sections: Annotated[list[Section], Field(min_length=1)] = Field(description="in the order of the page")

    @property
    def systems(self) -> list[System]:
        """The rows of all sections."""
        return [system for section in self.sections for system in section.systems]


def read_mission(path: Path = FILE) -> Mission:
    """The list. Raises: UserError listing every problem of the file."""
    return parse(Mission, load_yaml(path), str(path))


def mission_page(mission: Mission, results: Path) -> str:
    """The page in Markdown. Args: results: folder of the stored results that rows name.

    Raises: UserError for a row that names no stored result, or a figure that it does not hold.
    """
    sections = [_section(section, results) for section in mission.sections]
    return "\n\n".join([_HEADER, "# Every system of the sources", _TEXT, *sections]) + "\n"


def _section(section: Section, results: Path) -> str:
    theirs = f"Theirs: {section.theirs}" if section.theirs else "Theirs"
    head = ["System", theirs, "Here", "Ours", "Test"]
    rows = [head, ["---"] * len(head), *(_row(system, results) for system in section.systems)]
    table = "\n".join(f"| {' | '.join(cells)} |" for cells in rows)
    return "\n\n".join(part for part in (f"## {section.title}", section.about, table) if part)


def _row(system: System, results: Path) -> list[str]:
    file, _, test = system.test.partition("::")
    cells = [
        f"**{system.name}**: {system.words}",
        system.theirs or _NONE,
        "<br>".join(f"`{command}`" for command in system.commands),
        _ours(system, results),
        f"[{test}](../{file})",
    ]
    return [cell.replace("|", "\\|") for cell in cells]


def _ours(system: System, results: Path) -> str:
    if system.ours is None:
        return _NONE
    result = read_json(results / f"{system.ours.result}.json")
    return fill(system.ours.words, result, kind_of(result).figures, f"{FILE.name}: {system.name}")
