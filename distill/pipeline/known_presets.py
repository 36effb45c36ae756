"""The presets of the toolkit and of a project, each with the comment that it begins with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from distill.core.config import load_yaml
from distill.core.presets import own_presets, preset_names, preset_text
from distill.demo.projects import PROJECTS

PACKAGES = ("teachers", "students", "export")


@dataclass(frozen=True)
class KnownPresets:
    """Presets by package.

    Attributes: comments: package to name to comment. own: package to the names of the project's own; None without a
        project file.
    """

    comments: dict[str, dict[str, str]]
    own: dict[str, list[str]] | None

    def lines(self) -> list[str]:
        """Every preset, those of a project marked."""
        found = []
        for package, entries in self.comments.items():
            width = max(map(len, entries), default=0)
            own = (self.own or {}).get(package, [])
            found.append(package)
            found += [
                f"  {name:<{width}}  {comment}" + (" (of this project)" if name in own else "")
                for name, comment in entries.items()
            ]
        return found

    def as_json(self) -> dict[str, object]:
        """The same, with a project's own named again."""
        return {**self.comments} if self.own is None else {**self.comments, "project": self.own}


def known_presets(config: Path | None) -> KnownPresets:
    """The presets. Args: config: a project file, or the name of an embedded project; None for the shipped ones alone.

    Raises: UserError when the file is no config.
    """
    folder = _project_folder(config)
    comments = {
        package: {name: _first_comment(preset_text(package, name, folder)) for name in preset_names(package, folder)}
        for package in PACKAGES
    }
    return KnownPresets(comments, {one: list(own_presets(one, folder)) for one in PACKAGES} if folder else None)


def _project_folder(config: Path | None) -> Path | None:
    """The folder of a project file, None for an embedded project."""
    if config is None or (str(config) in PROJECTS and not config.is_file()):
        return None
    load_yaml(config)
    return config.parent


def _first_comment(text: str) -> str:
    first = text.partition("\n")[0]
    return first.removeprefix("#").strip() if first.startswith("#") else ""
