"""Where a file of labelled rows has what: as the command line says, else as the bundle's own project does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from distill.core.config import load_yaml
from export.verify import PROJECT

_LABEL = "label"


@dataclass(frozen=True)
class Columns:
    """Column paths. Attributes: keys: by which rows belong together; without keys each row is its own."""

    label: str = _LABEL
    keys: Sequence[str] = ()

    @classmethod
    def of(cls, bundle: Path, label: str | None = None, keys: Sequence[str] | None = None) -> Columns:
        """Those of the project that a bundle holds, `label` and no keys where it holds none.

        Args: label, keys: in place of the project's. Raises: UserError for a project that cannot be read.
        """
        held = load_yaml(bundle / PROJECT) if (bundle / PROJECT).is_file() else {}
        data = held.get("data") or {}
        own = data.get("keys") or ()
        return cls(label or data.get("label") or _LABEL, tuple(own if keys is None else keys))
