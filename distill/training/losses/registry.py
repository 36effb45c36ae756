"""From the `losses` of a config to loss terms, found by name."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from typing import Annotated

from pydantic import BeforeValidator, SerializeAsAny, ValidationError

from distill.core.config import problems
from distill.core.errors import nearest
from distill.core.names import shown
from distill.training import losses
from distill.training.losses.term import Term


def known_terms() -> dict[str, type[Term]]:
    """Every known class of terms by its name: those of this package, and of other modules that were imported."""
    for module in pkgutil.iter_modules(losses.__path__):
        importlib.import_module(f"{losses.__name__}.{module.name}")
    return dict(sorted(Term.registered.items()))


def find_term(name: str) -> type[Term]:
    """The class of a term, by its name or as `module:Class`. Raises: ValueError when there is none."""
    if ":" in name:
        return _import(name)
    known = known_terms()
    if name not in known:
        guess = nearest(name, known)
        hint = f"did you mean '{guess}'?" if guess else f"known: {', '.join(known)}, or module:Class"
        raise ValueError(f"unknown loss term, {hint}")
    return known[name]


def parse_terms(values: object) -> dict[str, Term]:
    """Loss terms by name, in alphabetical order, from a mapping of names to settings.

    Raises: ValueError with one line for each problem, `soft_cross_entropy.temperature: …`.
    """
    if not isinstance(values, Mapping):
        raise ValueError("a mapping of loss terms to their settings is needed")
    found: list[str] = []
    terms: dict[str, Term] = {}
    named = {str(name): settings for name, settings in values.items()}
    for name, settings in sorted(named.items(), key=lambda item: item[0]):
        if isinstance(settings, Term):
            terms[name] = settings
            continue
        try:
            model = find_term(name)
            terms[name] = model.model_validate({} if settings is None else settings)
        except ValidationError as error:
            found += problems(error, model, name)
        except ValueError as error:
            found.append(f"{shown(name)}: {error}")
    if found:
        raise ValueError("\n".join(found))
    return terms


Losses = Annotated[dict[str, SerializeAsAny[Term]], BeforeValidator(parse_terms)]


def _import(place: str) -> type[Term]:
    module, _, name = place.partition(":")
    try:
        found = getattr(importlib.import_module(module), name, None)
    except Exception as error:  # importing runs the user's code, which may raise anything
        raise ValueError(f"cannot import '{module}': {error}; its folder must be on PYTHONPATH") from error
    if not (isinstance(found, type) and issubclass(found, Term)):
        raise ValueError(f"'{module}' has no loss term '{name}' (a class that extends Term)")
    return found
