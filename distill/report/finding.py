"""What a command found, in every form in which it is told: words, tables and JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path
from typing import Any

from rich.text import Text

from distill.core.errors import GateFailed, UserError
from distill.core.files import Json
from distill.core.run_folder import STATE
from distill.evaluation.across_runs import compare_runs
from distill.evaluation.compare import compare, compare_by
from distill.report.across_table import across_sentences, across_sheet
from distill.report.breakdown_tables import slice_rows_sheet
from distill.report.factors_table import FACTORS, factors_sheet
from distill.report.joined_table import joined_sheet
from distill.report.lines import comparison_lines
from distill.report.quality_tables import quality_sheet
from distill.report.run_tables import latency_sheet
from distill.report.runs_page import settings_sheet, write_runs_page
from distill.report.runs_table import runs_sentences, runs_sheet
from distill.report.several_runs import PAGE, has_report, open_runs
from distill.report.table_model import Sheet
from distill.report.verdict import sentences


class Lines(tuple[str, ...]):
    """Lines that are shown as they are, however long: paths, a rendered text."""


Part = str | Text | Sheet | Lines


@dataclass(frozen=True)
class Finding:
    """What one command found.

    Attributes: content: the document that `--json` prints. parts: what people read, in order: sentences, with a style
        of their own where they are a `Text`, tables, and lines as they are. listing: whether the document says all of
        it, so that `--json` shows no words beside it. failed: what ends the command once it is told.
    """

    content: Any
    parts: Sequence[Part] = field(default_factory=list)
    listing: bool = False
    failed: GateFailed | None = None


def report_parts(report: Json) -> list[Part]:
    """The sentences and tables of a report."""
    first, *others = sentences(report)
    found: list[Part] = [Text(first, style="bold"), *(f"- {sentence}" for sentence in others), ""]
    if report["models"]:
        found.append(quality_sheet(report))
    if (joined := joined_sheet(report)).rows:
        found += ["", joined]
    if report["latency"]:
        found += ["", latency_sheet(report)]
    if report.get(FACTORS):
        found += ["", factors_sheet(report)]
    return found


def compared(run: Path, others: Sequence[str], by: str | None, page: Path | None = None) -> Finding:
    """Paired differences of two models of a run; of models of two runs where the first of `others` is a run folder.

    Where runs alone are given that have their reports there is a page over them too, also of runs that share nothing.

    Args: others: two models; the newer run and at most two
        models, as `compare_runs` takes them; or more runs. by: `slice`: in each slice. page: to be written, by default
        `compare.html` in the last run. Raises: as `compare`, `compare_runs`, `open_runs`; UserError for a page of
        anything but runs.
    """
    folders = [Path(one) for one in takewhile(lambda one: (Path(one) / STATE).exists(), others)]
    models = others[len(folders) :]
    beside = ", ".join([*models, *filter(None, [by])])
    if page is not None and beside:
        do = "leave --page out, or give the folders of runs alone"
        raise UserError("a page is of runs alone", where="--page", found=beside, do=do)
    if folders and not beside and (len(folders) > 1 or page or all(map(has_report, (run, *folders)))):
        return _with_page([run, *folders], page)
    if len(folders) == 1:
        return _across(run, folders[0], models, by)
    if folders:
        do = "leave out models and --by, or give two runs"
        raise UserError("more than two runs are compared whole", found=beside, do=do)
    if len(others) != 2:
        do = "give two models of this run, or the folder of a newer run and, if not all models, one or one of each"
        raise UserError("neither two models nor another run", where=str(run), found=", ".join(others), do=do)
    a, b = others
    if by is None:
        rows = compare(run, a, b)
        return Finding(rows, comparison_lines(rows))
    found = compare_by(run, a, b, by)
    return Finding(found, [slice_rows_sheet(found)])


def _with_page(folders: Sequence[Path], path: Path | None) -> Finding:
    """The runs with their page: two that can be compared in all figures, others in a table of theirs."""
    runs = open_runs(folders)
    path = path or folders[-1] / PAGE
    write_runs_page(runs, path)
    settings = settings_sheet(runs)
    changed: list[Part] = ["", settings] if settings.rows else ["", "The settings of all runs are the same."]
    two = runs[1].compared if len(runs) == 2 else None
    told = _across_parts(two) if two else [*runs_sentences(runs), "", runs_sheet(runs)]
    content = two or [{"run": str(run.folder), "compared": run.compared, "refused": run.refused} for run in runs]
    return Finding(content, [*told, *changed, f"page: {path}"])


def _across(old: Path, new: Path, models: Sequence[str], by: str | None) -> Finding:
    if len(models) > 2:
        do = "name one model that both runs have, or the old run's and the new run's, or none: all that both have"
        raise UserError("two runs are compared by two models at most", found=", ".join(models), do=do)
    found = compare_runs(old, new, models, by)
    return Finding(found, _across_parts(found))


def _across_parts(found: Json) -> list[Part]:
    return [*across_sentences(found), "", across_sheet(found)]
