"""How an option of a verb is given on the command line, said where the work that takes it is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Flag:
    """Of a field of a verb's options, in its `Annotated`: `rows: Annotated[int | None, Flag("Rows to check.")] = None`.

    Attributes: help: what the field means, for `--help`. name: where it is not the field's own: `--for`; of what can be
        said either way: `--texts/--no-texts`.
    """

    help: str
    name: str | None = None
