"""`--dry-run`: the plan of a run, before anything is made."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from distill.cli.console import clock
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
from distill.pipeline.seeds import first_run, seed_runs, stages_of
from distill.pipeline.settings import Settings

MADE, MAYBE, TO_DO = "made", "maybe", "to do"
_GB = 1e9


def plan_lines(settings: Settings) -> list[str]:
    """Inputs with bytes, and rows once audited; every step with whether it would be skipped; time and disk.

    A step is `made`, `to do`, or `maybe`: made, but something that it reads is made again, so it is redone if that
    comes out otherwise. Times and sizes come from the plan itself, performed on 50 rows of each split once the rows are
    counted, where something is still to do.

    Raises: as the performed steps do; UserError for a checkpoint that will not do.
    """
    _try(settings)
    plans = {one.run: _plan(one, settings) for one in seed_runs(settings)}
    to_do = [step for plan in plans.values() for step, state in plan if state != MADE]
    found, why = _estimates(settings, to_do)
    lines = [line for run, plan in plans.items() for line in _steps(run, plan, found, alone=len(plans) == 1)]
    return [*_inputs(settings), *lines, _time(to_do, found, why), _disk(settings.run, to_do, found)]


def _try(settings: Settings) -> None:
    """Try what the models start from, as the run does before its first step."""
    first = first_run(settings)
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


def _time(to_do: Sequence[Step], found: Mapping[str, Estimate], why: str) -> str:
    if why:
        return f"time   {why}"
    known = [found[step.name] for step in to_do if step.name in found]
    total = _span(sum(one.expected for one in known), sum(one.longest for one in known))
    return f"time   about {total}, from {ROWS} rows of each split; bundles take seconds more"


def _span(expected: float, longest: float) -> str:
    """A time, and the most where training ends by itself: `12m 05s, at most 4h 00m`."""
    return clock(expected) + (f", at most {clock(longest)}" if longest > expected else "")


def _inputs(settings: Settings) -> Iterator[str]:
    yield "input"
    known = _audited_rows(seed_runs(settings)[0].run / RECORDS)
    for source, paths in data_files(settings.project, Path(".")).items():
        size = sum(path.stat().st_size for path in paths) / 1e6
        rows = f", {known[source]} rows kept" if source in known else ""
        yield f"  {source:<16} {len(paths)} files, {size:.1f} MB{rows}"


def _audited_rows(records: Path) -> dict[str, int]:
    """Rows of each split, as far as an audit has been made."""
    if not (records / MANIFEST).exists():
        return {}
    return {split: count_records(records, split) for split in splits(records)}


def _steps(run: Path, plan: Sequence[tuple[Step, str]], found: Mapping[str, Estimate], *, alone: bool) -> Iterator[str]:
    yield "steps" if alone else f"steps of {run.name}"
    width = max(len(step.name) for step, _ in plan)
    if any(state == MAYBE for _, state in plan):
        yield "  maybe: made, and redone if what it reads comes out otherwise"
    for step, state in plan:
        own = found.get(step.name) if state != MADE else None
        time = _span(own.expected, own.longest) if own else ""
        yield f"  {state:<6} {step.name:<{width}} {time:<24}  {run / step.artifact}"


def _disk(run: Path, to_do: Sequence[Step], found: Mapping[str, Estimate]) -> str:
    """Bytes that the steps leave, with the most that one needs besides while it works, and those that are free."""
    place = next(path for path in [run, *run.resolve().parents] if path.exists())
    free = f"{shutil.disk_usage(place).free / _GB:.1f} GB free at {run}"
    known = [found[step.name] for step in to_do if step.name in found]
    if not known:
        return f"disk   {free}"
    needed = sum(one.size for one in known) + max(one.spare for one in known)
    return f"disk   about {max(needed / _GB, 0.1):.1f} GB needed, {free}"
