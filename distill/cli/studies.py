"""The verbs that make several runs which differ in little, or read such runs, and compare them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from distill.cli.commands import tell, tell_planned
from distill.cli.options import JsonOption, Options, takes_options
from distill.core.errors import UserError
from distill.core.flags import Flag

if TYPE_CHECKING:
    from distill.pipeline.studies.study import Study

ModelOption = Annotated[str | None, Flag("The model that is fitted in each cell.")]
CellsOption = Annotated[bool, Flag("Print the cells and their time; make nothing.")]


def _study(study: Study, dry_run: bool, as_json: bool) -> None:
    from distill.pipeline.studies.outlook import study_lines

    if dry_run:
        tell_planned(lambda: study_lines(study), as_json)
    else:
        tell(study.find, as_json)


@takes_options()
def sweep(
    options: Options,
    over: Annotated[list[str] | None, Flag("Values of any field of the config: a.b=1,2; repeats.")] = None,
    grid: Annotated[Path | None, Flag("File of the grid, or old_then_new; by default the section sweep.")] = None,
    model: ModelOption = None,
    dry_run: CellsOption = False,
    json_: JsonOption = False,
) -> None:
    """One model over a grid of settings; the best is chosen on validation, then all are asked on test."""
    from distill.pipeline.studies.sweep import sweep_study

    _study(sweep_study(options.resolver(), over or (), grid, model), dry_run, json_)


@takes_options()
def split_study(
    options: Options, model: ModelOption = None, dry_run: CellsOption = False, json_: JsonOption = False
) -> None:
    """One recipe on the same rows, split at random, by each key, and with no key in two parts."""
    from distill.pipeline.studies.splits import split_study as study_of

    _study(study_of(options.resolver(), model), dry_run, json_)


@takes_options()
def ablate(
    options: Options,
    fields: Annotated[bool, Flag("Leave out each field of a view.")] = False,
    view: Annotated[str | None, Flag("The view that the model reads; by default its own.")] = None,
    model: ModelOption = None,
    dry_run: CellsOption = False,
    json_: JsonOption = False,
) -> None:
    """One model without each field of its view, fitted again: what a field brings, takes and says twice."""
    from distill.pipeline.studies.fields import fields_study

    if not fields:
        raise UserError("nothing says what to leave out", where="distill ablate", do="give --fields")
    _study(fields_study(options.resolver(), model, view), dry_run, json_)


@takes_options()
def frontier(
    options: Options,
    view: Annotated[list[str] | None, Flag("A view to shorten, by default the model's; repeated: these views.")] = None,
    model: ModelOption = None,
    dry_run: CellsOption = False,
    json_: JsonOption = False,
) -> None:
    """One model on shorter views, from labels that are made once: quality against tokens and milliseconds."""
    from distill.pipeline.studies.frontier import frontier_study

    _study(frontier_study(options.resolver(), view or (), model), dry_run, json_)


def diagnose_selection(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN…", help="Finished runs, or sweeps, on the same rows.")],
    json_: JsonOption = False,
) -> None:
    """Whether validation ranks the models of finished runs as test does; nothing is chosen by it."""
    from distill.pipeline.studies.diagnosis import diagnosed

    tell(lambda reporter: diagnosed(runs, reporter), json_)


STUDIES = {
    "sweep": sweep,
    "split-study": split_study,
    "ablate": ablate,
    "frontier": frontier,
    "diagnose-selection": diagnose_selection,
}
