"""`distill select`: the selection of a run whose labels are made, without training anything."""

from __future__ import annotations

from pathlib import Path

from distill.core.errors import UserError
from distill.core.files import Json
from distill.core.manifest import read_whole
from distill.core.progress import Reporter
from distill.core.run_folder import SELECTION
from distill.core.selection.store import SELECTION_FILE
from distill.core.steps import Steps
from distill.pipeline.experiment import Experiment
from distill.pipeline.plan import plan, stages_until
from distill.pipeline.seeds import execute_run, first_run, seed_runs
from distill.pipeline.settings import Settings


def select(settings: Settings, reporter: Reporter) -> Json:
    """Select rows of the labelled pool, in each seed's run; returns the first one's `selection.json`.

    Raises: UserError without a section `select`, and while the labels, as the settings ask for them, are not made.
    """
    if settings.project.select is None:
        raise UserError(
            "nothing says what to select",
            where=f"{settings.where}: select",
            do="add the section, for example select: {rows: 20000, balance: [class]}, or --set select.rows=20000",
        )
    for one in seed_runs(settings):
        _require_labels(one)
    execute_run(settings, reporter, "select")
    return stored_selection(first_run(settings).run)


def stored_selection(run: Path) -> Json:
    """The `selection.json` of a run. Raises: UserError where nothing was selected."""
    found: Json | None = read_whole(run / SELECTION, SELECTION_FILE)
    if found is None:
        do = "give the folder of a run whose project has a section select, and whose labels are made"
        raise UserError("no selection here", where=str(run), do=do)
    return found


def _require_labels(run: Settings) -> None:
    steps = Steps(run.run, {}, {})
    stages = stages_until(list(plan(Experiment(run))), "label")
    missing = [stage.step.name for stage in stages if not steps.is_done(stage.step)]
    if missing:
        raise UserError(
            "there are no labels to select by yet",
            where=str(run.run),
            found=f"not made, or of other settings: {', '.join(missing)}",
            do="make them with the same options: distill label",
        )
