"""The errors a user can meet, each with its exit code and a message: what, where, what was found, what to do."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from typing import Any


class DistillError(Exception):
    """Base of every error that ends a command without a traceback.

    Args: what: one sentence naming the problem. where: file, row or dotted key. found: the offending value.
        do: what to do about it.
    """

    exit_code = 1

    def __init__(self, what: str, *, where: str | None = None, found: object = None, do: str | None = None) -> None:
        self.what, self.where, self.found, self.do = what, where, found, do
        super().__init__(_message(what, where, found, do))

    def __reduce__(self) -> tuple[Callable[..., DistillError], tuple[type[DistillError], dict[str, Any]]]:
        """As it is sent to another process: what, where, found and do are kept apart."""
        found = None if self.found is None else str(self.found)
        return _as_sent, (type(self), {"what": self.what, "where": self.where, "found": found, "do": self.do})

    @property
    def brief(self) -> str:
        """The problem in one line, with what was found and without advice."""
        found = "" if self.found is None else f" ({self.found})"
        return " ".join(f"{self.what}{found}".split())


class UserError(DistillError):
    """A mistake in what the user gave: config, data, artifact or machine. The command exits with 2."""

    exit_code = 2


class MissingExtra(UserError):
    """A feature needs an optional dependency that is not installed; the message is the pip line."""

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(f"{feature} needs a package that is not installed", do=f"pip install 'distill[{extra}]'")


class GateFailed(DistillError):
    """A measured figure does not meet what the config requires. The command exits with 3."""

    exit_code = 3


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name closest to `name`, or None when nothing is close."""
    matches = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return matches[0] if matches else None


def hint(name: str, known: Iterable[str], besides: str = "") -> str:
    """What to name instead: the nearest of those that there are, or all of them and what there is besides."""
    guess = nearest(name, known := list(known))
    return f"did you mean '{guess}'?" if guess else f"known: {', '.join(known) or 'none'}{besides}"


def unknown_name(kind: str, name: str, known: Iterable[str], where: str | None = None, besides: str = "") -> UserError:
    """A UserError for a name that is not among the known ones: the nearest one, the list, and what there is besides."""
    names = sorted(set(known))
    guess = nearest(name, names)
    first = f"did you mean '{guess}'? " if guess else ""
    listed = ", ".join(names) if names else "none"
    return UserError(f"unknown {kind}", where=where, found=name, do=f"{first}known: {listed}{besides}")


def _as_sent(kind: type[DistillError], parts: dict[str, Any]) -> DistillError:
    error = kind.__new__(kind)
    DistillError.__init__(error, **parts)
    return error


def _message(what: str, where: str | None, found: object, do: str | None) -> str:
    lines = [what]
    lines += [f"  where: {where}"] if where else []
    lines += [f"  found: {found}"] if found is not None else []
    lines += [f"  do:    {do}"] if do else []
    return "\n".join(lines)
