"""Classes found by the package that they are in: a new one is one new file, and no list has to be edited."""

from __future__ import annotations

import inspect
import pkgutil
from importlib import import_module
from types import ModuleType
from typing import TypeVar

T = TypeVar("T")


def siblings(package: ModuleType, base: type[T]) -> list[type[T]]:
    """The concrete subclasses of `base` that the modules of `package` define, in the order of the modules' names."""
    names = sorted(module.name for module in pkgutil.iter_modules(package.__path__))
    modules = [import_module(f"{package.__name__}.{name}") for name in names]
    return [found for module in modules for found in vars(module).values() if _defines(module, found, base)]


def _defines(module: ModuleType, found: object, base: type) -> bool:
    """Whether `found` is a concrete subclass of `base` that was written in this module, not imported into it."""
    if not inspect.isclass(found) or not issubclass(found, base) or inspect.isabstract(found):
        return False
    return found.__module__ == module.__name__
