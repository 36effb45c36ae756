"""Export targets, one class in one file each: what a model leaves as, how it is made, and what opens it.

To add one, write `export/targets/<name>.py` with one subclass of `Target`, and a preset with `target: <name>`.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from distill.core.errors import unknown_name
from distill.core.siblings import class_at, siblings

if TYPE_CHECKING:
    from export.targets.base import Target


def known_targets() -> list[str]:
    """The names of all target classes, which are those of their files, sorted."""
    return sorted(_by_file())


def target_class(name: str) -> type[Target]:
    """The target class in `export/targets/<name>.py`, or the user's own as `module:Class`.

    Raises: UserError for an unknown name, with the nearest one; ValueError for a module that cannot be imported.
    """
    from export.targets.base import FACTS, Target

    known = _by_file()
    if ":" not in name and name not in known:
        raise unknown_name("export target", name, known)
    found = class_at(name, Target, "export target") if ":" in name else known[name]
    missing = [fact for fact in FACTS if not hasattr(found, fact)]
    assert not missing, f"{found.__name__} does not say its {', '.join(missing)}"
    return found


def _by_file() -> dict[str, type[Target]]:
    from export.targets.base import Target

    return {found.__module__.rpartition(".")[2]: found for found in siblings(sys.modules[__name__], Target)}
