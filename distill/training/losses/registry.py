"""From the `losses` of a config to loss terms, found by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import BeforeValidator, SerializeAsAny, ValidationError

from distill.core.config import problems
from distill.core.errors import hint
from distill.core.names import shown
from distill.core.siblings import class_at, siblings
from distill.training import losses
from distill.training.losses.term import Term


def known_terms() -> dict[str, type[Term]]:
    """Every class of terms in this package by its name."""
    return {term.name(): term for term in siblings(losses, Term)}


def find_term(name: str) -> type[Term]:
    """The class of a term, by its name or as `module:Class`. Raises: ValueError when there is none."""
    if ":" in name:
        return class_at(name, Term, "loss term")
    known = known_terms()
    if name not in known:
        raise ValueError(f"unknown loss term, {hint(name, known, ', or module:Class')}")
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


def gold_alone() -> dict[str, Term]:
    """The terms of a model that learns gold labels and nothing else."""
    return parse_terms({"gold": {}})


Losses = Annotated[dict[str, SerializeAsAny[Term]], BeforeValidator(parse_terms)]
