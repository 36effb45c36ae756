"""A view of fewer fields: which of them it may do without, and what is left of it."""

from __future__ import annotations

from collections.abc import Sequence

from distill.core.project import ViewConfig


def swap_fields(view: ViewConfig) -> set[str]:
    """The fields that `task.swap` exchanges: every view of the project reads all of them."""
    return {path for pair in view.swap.fields for path in pair} if view.swap else set()


def narrowed(view: ViewConfig, left: Sequence[str], right: Sequence[str]) -> ViewConfig:
    """The view with these of its fields alone, and what it says of them. Args: with all of `swap_fields`."""
    kept = {*left, *right}
    assert swap_fields(view) <= kept
    budgets = {path: most for path, most in view.budgets.items() if path in kept}
    prefixes = {path: text for path, text in view.prefixes.items() if path in kept}
    own = {"left": list(left), "right": list(right), "budgets": budgets, "prefixes": prefixes}
    return view.model_copy(update=own)
