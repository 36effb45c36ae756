"""`distill sample`: which of its three tasks the options ask for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from distill.core.errors import UserError, unknown_name
from distill.pipeline.sampling.check import read_check, write_check
from distill.pipeline.sampling.for_labelling import write_proposals
from distill.pipeline.sampling.key import LABELLING
from distill.report.finding import Finding
from distill.report.sample_lines import check_lines, drawn_lines, proposal_lines

_SHEET, _ROWS = Path("sheet.csv"), 100


@dataclass(frozen=True)
class SampleOptions:
    """What the command line says. Attributes: rows, budget: how many are drawn. purpose: `labelling`, or None to check.
    read, second: filled sheets of one judge and of another.
    """

    teacher: str | None = None
    rows: int | None = None
    out: Path | None = None
    purpose: str | None = None
    budget: int | None = None
    read: Path | None = None
    second: Path | None = None
    seed: int = 1
    force: bool = False

    def check(self) -> None:
        """Raises: UserError for options that do not go together."""
        if self.purpose not in (None, LABELLING):
            raise unknown_name("purpose", str(self.purpose), [LABELLING], "--for")
        for name, value in (("--rows", self.rows), ("--budget", self.budget)):
            if value is not None and value < 1:
                raise UserError("at least one row is drawn", where=name, found=value, do="give a number from 1 on")
        wrong = {
            "--second": self.second is not None and self.read is None and "it is read beside --read SHEET",
            "--budget": self.budget is not None and self.purpose is None and "it belongs to --for labelling",
            "--rows": self.rows is not None and self.purpose is not None and "--for labelling has --budget",
            "--read": self.read is not None and self._draws and "reading a sheet draws none",
        }
        for name, why in wrong.items():
            if why:
                raise UserError(
                    "options that do not go together", where=name, found=why, do="leave one out, or add what is missing"
                )

    @property
    def _draws(self) -> bool:
        return any(value is not None for value in (self.purpose, self.rows, self.out, self.teacher))


def sampled(run: Path, options: SampleOptions) -> Finding:
    """Write a sheet of pool rows, or read one back.

    Raises: UserError for options that do not go together, and as `write_check`, `read_check`, `write_proposals`.
    """
    options.check()
    if options.read is not None:
        found = read_check(run, options.read, options.second)
        return Finding(found, check_lines(found))
    out = options.out or _SHEET
    drawing = (run, options.teacher)
    if options.purpose == LABELLING:
        found = write_proposals(*drawing, options.budget or _ROWS, options.seed, out, options.force)
        return Finding(found, proposal_lines(found))
    found = write_check(*drawing, options.rows or _ROWS, options.seed, out, options.force)
    return Finding(found, drawn_lines(found))
