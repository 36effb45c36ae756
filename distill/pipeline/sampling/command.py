"""`distill sample`: which of its three tasks the options ask for."""

from __future__ import annotations

from pathlib import Path

from distill.pipeline.sampling.check import read_check, write_check
from distill.pipeline.sampling.for_labelling import write_proposals
from distill.pipeline.sampling.options import LABELLING, SampleOptions
from distill.report.finding import Finding
from distill.report.sample_lines import check_lines, drawn_lines, proposal_lines

_SHEET, _ROWS = Path("sheet.csv"), 100


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
