"""How an option of a verb is given on the command line, said where the work that takes it is."""

from __future__ import annotations

from dataclasses import dataclass

from distill.core.errors import UserError


@dataclass(frozen=True)
class Flag:
    """Of a field of a verb's options, in its `Annotated`: `rows: Annotated[int | None, Flag("Rows to check.")] = None`.

    Attributes: help: what the field means, for `--help`. name: where it is not the field's own: `--for`; of what can be
        said either way: `--texts/--no-texts`.
    """

    help: str
    name: str | None = None


def at_least_one(**options: int | None) -> None:
    """Check numbers that start at 1. Args: options: by their names. Raises: UserError for one below."""
    for name, value in options.items():
        if value is not None and value < 1:
            raise UserError("at least one is needed", where=f"--{name}", found=value, do="give a number from 1 on")
