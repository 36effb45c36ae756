"""Classes found by the package that they are in: a new one is one new file, and no list has to be edited.

Families of models, loss terms, export targets, leak checks and report sections are found this way. A class of the
user's own is named `module:Class`, where its module can be imported.
"""

from __future__ import annotations

import inspect
import pkgutil
from importlib import import_module
from types import ModuleType
from typing import TypeVar

from distill.core.errors import UserError, unknown_name

T = TypeVar("T")


def siblings(package: ModuleType, base: type[T]) -> list[type[T]]:
    """The concrete subclasses of `base` that the modules of `package` define, in the order of the modules' names."""
    names = sorted(module.name for module in pkgutil.iter_modules(package.__path__))
    modules = [import_module(f"{package.__name__}.{name}") for name in names]
    return [found for module in modules for found in vars(module).values() if _defines(module, found, base)]


def sibling(package: ModuleType, base: type[T], name: str, what: str, where: str | None = None) -> type[T]:
    """The class whose attribute `name` is this one, or the class that `module:Class` names.

    Args: what: the kind of class, for messages. where: the config key that names it.
    Raises: UserError with the nearest name when there is none, or with what was wrong with a module of the user's own.
    """
    if ":" in name:
        try:
            return class_at(name, base, what)
        except ValueError as error:
            raise UserError(str(error), where=where, found=name) from None
    known = {str(getattr(found, "name", "")): found for found in siblings(package, base)}
    if name not in known:
        raise unknown_name(what, name, known, where)
    return known[name]


def class_at(place: str, base: type[T], what: str) -> type[T]:
    """The class of the user's own that `module:Class` names.

    Raises: ValueError when the module cannot be imported, or has no such class below `base`.
    """
    module, _, name = place.partition(":")
    try:
        found = getattr(import_module(module), name, None)
    except Exception as error:  # importing runs the user's code, which may raise anything
        raise ValueError(f"cannot import '{module}': {error}; its folder must be on PYTHONPATH") from error
    if not inspect.isclass(found) or not issubclass(found, base):
        raise ValueError(f"'{module}' has no {what} '{name}' (a class that extends {base.__name__})")
    return found


def _defines(module: ModuleType, found: object, base: type) -> bool:
    """Whether `found` is a concrete subclass of `base` that was written in this module, not imported into it."""
    if not inspect.isclass(found) or found is base or not issubclass(found, base) or inspect.isabstract(found):
        return False
    return found.__module__ == module.__name__
