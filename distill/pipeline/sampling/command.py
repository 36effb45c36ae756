"""`distill sample`: which of its tasks the options ask for."""

from __future__ import annotations

from pathlib import Path

from distill.core.run_folder import read_run
from distill.pipeline.sampling.check import read_check, write_check
from distill.pipeline.sampling.filled import read_filled
from distill.pipeline.sampling.for_labelling import write_proposals
from distill.pipeline.sampling.key import key_of
from distill.pipeline.sampling.label_audit import read_audit, write_audit
from distill.pipeline.sampling.options import AUDIT, LABELLING, SampleOptions
from distill.report.audit_sheet_lines import audit_lines, suspect_lines
from distill.report.finding import Finding
from distill.report.sample_lines import check_lines, drawn_lines, proposal_lines

_SHEET, _ROWS = Path("sheet.csv"), 100


def sampled(run: Path, options: SampleOptions) -> Finding:
    """Write a sheet of rows, or read one back.

    Raises: UserError for options that do not go together, and as `write_check`, `read_check`, `write_proposals`,
        `write_audit` and `read_audit`.
    """
    options.check()
    if options.read is not None:
        read_run(run)
        key = key_of(run, [row.id for row in read_filled(options.read)], options.read, options.teacher)
        if key.kind == AUDIT:
            found = read_audit(run, options.read, key, options.second)
            return Finding(found, audit_lines(found))
        found = read_check(run, options.read, key, options.second)
        return Finding(found, check_lines(found))
    out = options.out or _SHEET
    drawing = (run, options.teacher)
    if options.purpose == LABELLING:
        found = write_proposals(*drawing, options.budget or _ROWS, options.seed, out, options.force)
        return Finding(found, proposal_lines(found))
    if options.purpose == AUDIT:
        found = write_audit(*drawing, options.budget or _ROWS, options.seed, out, options.force)
        return Finding(found, suspect_lines(found))
    found = write_check(*drawing, options.rows or _ROWS, options.seed, out, options.force)
    return Finding(found, drawn_lines(found))
