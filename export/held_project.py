"""What the project that a bundle holds says of files of rows, where the command line says nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from distill.core.config import load_yaml, parse
from distill.core.intake.sources import PLAIN, Reading
from distill.core.project import Rare
from export.verify import PROJECT

_LABEL = "label"


@dataclass(frozen=True)
class Columns:
    """Column paths, and what becomes of labels in them.

    Attributes: keys: by which rows belong together; without keys each row is its own. rare: labels that the run merged
        or left out, None where there are none.
    """

    label: str = _LABEL
    keys: Sequence[str] = ()
    rare: Rare | None = None

    @classmethod
    def of(cls, bundle: Path, label: str | None = None, keys: Sequence[str] | None = None) -> Columns:
        """Those of the project that a bundle holds, `label` and no keys where it holds none.

        Args: label, keys: in place of the project's. Raises: UserError for a project that cannot be read.
        """
        data = _section(bundle, "data")
        own = data.get("keys") or ()
        rare = _section(bundle, "task").get("rare")
        taken = None if rare is None else parse(Rare, rare, str(bundle / PROJECT), "task.rare")
        return cls(label or data.get("label") or _LABEL, tuple(own if keys is None else keys), taken)


def reading_of(bundle: Path) -> Reading:
    """How the project that a bundle holds reads text files. Raises: UserError for a project that cannot be read."""
    data = _section(bundle, "data")
    return Reading(data.get("encoding") or PLAIN.encoding, data.get("quotes") or PLAIN.quotes)


def may_show_texts(bundle: Path) -> bool:
    """Whether texts of rows may be shown: not where the project says `report: {texts: false}`."""
    return _section(bundle, "report").get("texts") is not False


def _section(bundle: Path, name: str) -> dict[str, Any]:
    """Empty where the bundle holds no project. Raises: UserError for one that cannot be read."""
    held = load_yaml(bundle / PROJECT) if (bundle / PROJECT).is_file() else {}
    return held.get(name) or {}
