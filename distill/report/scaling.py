"""What `distill scale` measured in a run after the run had ended, for the run's own page."""

from __future__ import annotations

from pathlib import Path

from distill.core.errors import UserError
from distill.core.files import Json
from distill.core.run_folder import SCALE_FILE
from distill.core.sealed import read_sealed
from distill.report.contents import Report, dig

SCALING = "scaling"
"""Key of the report: the content of `scale.json`."""


def with_scaling(report: Report, run: Path) -> Report:
    """The report with the students on more and more rows of the pool, where they are of the rows that it has."""
    found, rows = _read(run / SCALE_FILE), dig(report, "task", "rows")
    tests = {split for split in rows if split.partition(".")[0] == "test"}
    same = bool(tests) and set(found.get("tests", [])) == tests and found.get("gold") == rows.get("train")
    return {**report, SCALING: found} if same else report


def _read(path: Path) -> Json:
    try:
        return read_sealed(path) if path.exists() else {}
    except UserError:  # a page is not refused for a file beside it that can be made again
        return {}
