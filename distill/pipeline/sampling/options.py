"""What `distill sample` is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from distill.core.errors import UserError, unknown_name
from distill.core.flags import Flag

LABELLING = "labelling"
"""The purpose of a sheet whose rows are worth a label by hand."""
AUDIT = "audit"
"""That of a sheet of test rows whose gold labels are suspected, and others."""


@dataclass(frozen=True)
class SampleOptions:
    """What the command line says of a sheet."""

    teacher: Annotated[str | None, Flag("Whose labels; by default the only ones.")] = None
    rows: Annotated[int | None, Flag("Rows to check, 100 by default.")] = None
    out: Annotated[Path | None, Flag("The sheet, sheet.csv by default.")] = None
    purpose: Annotated[str | None, Flag("labelling, or audit of gold labels.", "--for")] = None
    budget: Annotated[int | None, Flag("Rows for --for, 100 by default.")] = None
    read: Annotated[Path | None, Flag("A sheet that has been filled in.")] = None
    second: Annotated[Path | None, Flag("The same sheet by another judge.")] = None
    seed: Annotated[int, Flag("Which rows are drawn.")] = 1
    force: Annotated[bool, Flag("Replace a sheet that is there.")] = False

    def check(self) -> None:
        """Raises: UserError for options that do not go together."""
        if self.purpose not in (None, LABELLING, AUDIT):
            raise unknown_name("purpose", str(self.purpose), [LABELLING, AUDIT], "--for")
        for name, value in (("--rows", self.rows), ("--budget", self.budget)):
            if value is not None and value < 1:
                raise UserError("at least one row is drawn", where=name, found=value, do="give a number from 1 on")
        wrong = {
            "--second": self.second is not None and self.read is None and "it is read beside --read SHEET",
            "--budget": self.budget is not None
            and self.purpose is None
            and "it belongs to --for labelling and --for audit",
            "--rows": self.rows is not None and self.purpose is not None and "a sheet with a purpose has --budget",
            "--read": self.read is not None and self._draws and "reading a sheet draws none",
        }
        for name, why in wrong.items():
            if why:
                raise UserError(
                    "options that do not go together", where=name, found=why, do="leave one out, or add what is missing"
                )

    @property
    def _draws(self) -> bool:
        return any(value is not None for value in (self.purpose, self.rows, self.out))
