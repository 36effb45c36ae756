"""From `data.junk.rules` to rules, found by the name of their kind."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import BeforeValidator, SerializeAsAny, ValidationError

from distill.core.config import problems
from distill.core.config_values import become_paths
from distill.core.errors import hint
from distill.core.intake import junk_rules
from distill.core.intake.junk_rules.rule import REASONS, JunkRule
from distill.core.names import shown
from distill.core.siblings import class_at, siblings


def known_rules() -> dict[str, type[JunkRule]]:
    """Every kind of rule in this package by its name."""
    return {kind.name: kind for kind in siblings(junk_rules, JunkRule)}


def parse_rules(values: object) -> dict[str, JunkRule]:
    """Rules by name, in their order, from a mapping of names to settings with a `kind`.

    Raises: ValueError with one line for each problem, `boiler.share: …`.
    """
    if not isinstance(values, Mapping):
        raise ValueError("a mapping of names to rules is needed, each with its kind")
    found: list[str] = []
    rules: dict[str, JunkRule] = {}
    for name, settings in ((str(name), settings) for name, settings in values.items()):
        try:
            rules[name] = settings if isinstance(settings, JunkRule) else _parsed(name, settings)
        except ValueError as error:
            found.append(str(error))
    if found:
        raise ValueError("\n".join(found))
    return rules


def _parsed(name: str, settings: object) -> JunkRule:
    key = shown(name)
    if name in REASONS:
        raise ValueError(f"{key}: the name of a reason of data.junk itself; choose another one")
    if not isinstance(settings, Mapping):
        raise ValueError(f"{key}: a mapping with a kind is needed")
    kind = settings.get("kind")
    if not isinstance(kind, str):
        raise ValueError(f"{key}.kind: {'missing' if kind is None else 'a name is needed'}; {hint('', known_rules())}")
    try:
        model = _kind(kind)
    except ValueError as error:
        raise ValueError(f"{key}.kind: {error}") from None
    try:
        return model.model_validate(settings)
    except ValidationError as error:
        raise ValueError("\n".join(problems(error, model, key))) from None


def _kind(name: str) -> type[JunkRule]:
    if ":" in name:
        return class_at(name, JunkRule, "kind of junk rule")
    known = known_rules()
    if name not in known:
        raise ValueError(f"unknown, {hint(name, known)}")
    return known[name]


Rules = Annotated[dict[str, SerializeAsAny[JunkRule]], BeforeValidator(parse_rules), become_paths("data.junk.rules")]
