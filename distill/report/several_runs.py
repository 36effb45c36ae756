"""What `distill compare` tells of several runs: their models in one table, what they differ in, and a page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from distill.core.errors import UserError
from distill.core.files import Json
from distill.core.run_folder import REPORT, read_run
from distill.core.sealed import read_sealed
from distill.evaluation.across_runs import compare_runs
from distill.report.outcome import with_outcome_now
from distill.report.runs_table import ComparedRun

PAGE = "compare.html"


def open_runs(folders: Sequence[Path]) -> list[ComparedRun]:
    """The runs in the order given, each compared with the first one.

    A run without a shared row or model stays uncompared, and says why. Raises: UserError for runs without a report, and
    for a damaged one.
    """
    return list(_opened(folders, _names(folders)))


def _opened(folders: Sequence[Path], names: Sequence[str]) -> Iterator[ComparedRun]:
    for place, (folder, name) in enumerate(zip(folders, names, strict=True)):
        found, refused = None, ""
        if place:
            try:
                found = compare_runs(folders[0], folder)
            except UserError as error:
                refused = error.brief
        yield ComparedRun(name, folder, _report(folder), read_run(folder)["config"], found, refused)


def has_report(folder: Path) -> bool:
    """Whether a run has written its report."""
    return (folder / REPORT).exists()


def _report(folder: Path) -> Json:
    if not has_report(folder):
        raise UserError("no report here", where=str(folder), do="let the run finish first")
    return with_outcome_now(read_sealed(folder / REPORT), folder)


def _names(folders: Sequence[Path]) -> list[str]:
    """The folders' own names, or whole paths where two have the same; a run given twice is numbered."""
    names = [folder.resolve().name for folder in folders]
    if len(set(names)) < len(names):
        names = [str(folder) for folder in folders]
    return [
        f"{name} ({names[:place].count(name) + 1})" if name in names[:place] else name
        for place, name in enumerate(names)
    ]
