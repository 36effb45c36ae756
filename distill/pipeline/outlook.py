"""What a run would do, before anything is made: its inputs, each step's state, and what is left in time and bytes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from distill.core.errors import MissingExtra
from distill.core.intake.sources import data_files
from distill.core.leftovers import temporary_folder
from distill.core.manifest import MANIFEST
from distill.core.progress import note
from distill.core.record_store import count_records, splits
from distill.core.run_folder import RECORDS
from distill.core.steps import Step, Steps
from distill.pipeline.checkpoints import try_checkpoints
from distill.pipeline.estimate import ROWS, Estimate, estimate
from distill.pipeline.experiment import Experiment
from distill.pipeline.preflight import require_layers, tell_targets
from distill.pipeline.requests_outlook import request_lines
from distill.pipeline.seeds import first_run, seed_runs, stages_of
from distill.pipeline.settings import Settings
from distill.pipeline.term_shapes import require_comparable

MADE, MAYBE, TO_DO = "made", "maybe", "to do"


@dataclass(frozen=True)
class Outlook:
    """A run as it is before its next start.

    Attributes:
        files: of each source of the data. rows: that each split keeps, empty before an audit.
        plans: the run of each seed to its steps, each `made`, `to do`, or `maybe`: made, but something that it reads is
            made again, so it is redone if that comes out otherwise.
        estimates: what steps take, by name. why_none: why nothing is estimated, else ''.
        requests: what servers are asked, a line for each step.
    """

    files: dict[str, list[Path]]
    rows: dict[str, int]
    plans: dict[Path, list[tuple[Step, str]]]
    estimates: dict[str, Estimate]
    why_none: str
    requests: Sequence[str] = ()

    @property
    def estimated(self) -> list[Estimate]:
        """Of each step that is not made, as far as it is known."""
        left = [step.name for plan in self.plans.values() for step, state in plan if state != MADE]
        return [self.estimates[name] for name in left if name in self.estimates]


def outlook(settings: Settings) -> Outlook:
    """Look at a run without making anything in it; what its models start from is tried, as at its start.

    Times and sizes come from the plan itself, performed on 50 rows of each split once the rows are counted, where
    something is still to do.

    Raises: as the performed steps do; UserError for a checkpoint that will not do.
    """
    _try(settings)
    plans = {one.run: _plan(one, settings) for one in seed_runs(settings)}
    to_do = [step for plan in plans.values() for step, state in plan if state != MADE]
    found, why_none = _estimates(settings, to_do)
    rows = _audited_rows(first_run(settings).run / RECORDS)
    first = first_run(settings)
    asked = request_lines(Experiment(first), {one.artifact for one, state in plans[first.run] if state != MADE})
    return Outlook(data_files(settings.project, Path(".")), rows, plans, found, why_none, list(asked))


def _try(settings: Settings) -> None:
    """Try what the models start from, as the run does before its first step."""
    first = first_run(settings)
    require_layers(Experiment(first))
    require_comparable(Experiment(first))
    tell_targets(Experiment(first))
    try:
        try_checkpoints(Experiment(first), stages_of(first, settings), Steps(first.run, {}, {}))
    except MissingExtra as error:
        note(f"not tried: {error}")


def _plan(run: Settings, settings: Settings) -> list[tuple[Step, str]]:
    """Every step of one of the `seed_runs`, with its state as things are."""
    runner, found = Steps(run.run, {}, {}), []
    states: dict[str, str] = {}
    for step in (stage.step for stage in stages_of(run, settings)):
        known = (run.run / step.artifact / MANIFEST).exists() and runner.is_readable(step)
        made = known and runner.is_done(step)
        redone = any(states.get(read.artifact, MADE) != MADE for read in step.reads)
        states[step.artifact] = TO_DO if not made else MAYBE if redone else MADE
        found.append((step, states[step.artifact]))
    return found


def _estimates(settings: Settings, to_do: Sequence[Step]) -> tuple[dict[str, Estimate], str]:
    """What steps take by name, or why that is not known."""
    first = first_run(settings)
    if not to_do:
        return {}, "nothing is left to do"
    if not (first.run / RECORDS / MANIFEST).exists():
        return {}, "estimated once the rows are counted: distill audit trains nothing"
    note(f"estimating: the plan is performed on {ROWS} rows of each split")
    with temporary_folder() as folder:
        try:
            return estimate(first, first.run / RECORDS, folder, lambda name: note(f"  {name} …")), ""
        except MissingExtra as error:
            return {}, f"not estimated: {error}"


def _audited_rows(records: Path) -> dict[str, int]:
    """Rows of each split, as far as an audit has been made."""
    if not (records / MANIFEST).exists():
        return {}
    return {split: count_records(records, split) for split in splits(records)}
