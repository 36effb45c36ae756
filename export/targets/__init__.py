"""Export targets, one class in one file each: what a model leaves as, how it is made, and what opens it.

To add one, write `export/targets/<name>.py` with one subclass of `Target`, and a preset with `target: <name>`.
"""

from __future__ import annotations

import importlib
import pkgutil
from typing import TYPE_CHECKING

from distill.core.errors import unknown_name

if TYPE_CHECKING:
    from export.targets.base import Target

_BASE = "base"


def known_targets() -> list[str]:
    """The names of all target classes, which are those of their files, sorted."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__) if module.name != _BASE)


def target_class(name: str) -> type[Target]:
    """The target class in `export/targets/<name>.py`. Raises: UserError for an unknown name, with the nearest one."""
    from export.targets.base import FACTS, Target

    if name not in known_targets():
        raise unknown_name("export target", name, known_targets())
    module = importlib.import_module(f"{__name__}.{name}")
    own = [value for value in vars(module).values() if isinstance(value, type) and value.__module__ == module.__name__]
    found = [value for value in own if issubclass(value, Target)]
    assert len(found) == 1, f"{module.__name__} holds {len(found)} targets, one is needed"
    missing = [fact for fact in FACTS if not hasattr(found[0], fact)]
    assert not missing, f"{found[0].__name__} does not say its {', '.join(missing)}"
    return found[0]
