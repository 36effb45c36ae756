"""`--dry-run`: the plan of a run in lines, before anything is made."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from distill.core.files import read_object
from distill.core.output import clock
from distill.core.progress import note
from distill.core.steps import Step
from distill.pipeline.estimate import ROWS, Estimate
from distill.pipeline.experiment import Experiment
from distill.pipeline.outlook import MADE, MAYBE, Outlook, outlook
from distill.pipeline.preflight import few_rows
from distill.pipeline.seeds import first_run
from distill.pipeline.settings import Settings

_GB = 1e9


def planned(settings: Settings) -> list[str]:
    """Every step of a run, whether it is done, the rows and bytes that it works on, and what it will take."""
    first = Experiment(first_run(settings))
    if first.run.audit.is_file():
        for one in few_rows(first, read_object(first.run.audit)):
            note(one)
    return plan_lines(outlook(settings), settings.run)


def plan_lines(found: Outlook, run: Path) -> list[str]:
    """Inputs with bytes, and rows once audited; every step with whether it would be skipped; what is left."""
    steps = [line for one in found.plans for line in _steps(one, found, alone=len(found.plans) == 1)]
    requests = [f"requests  {line}" for line in found.requests]
    return [*_inputs(found), *steps, *requests, _time(found), _disk(run, found.estimated)]


def _inputs(found: Outlook) -> Iterator[str]:
    yield "input"
    for source, paths in found.files.items():
        size = sum(path.stat().st_size for path in paths) / 1e6
        rows = f", {found.rows[source]} rows kept" if source in found.rows else ""
        yield f"  {source:<16} {len(paths)} files, {size:.1f} MB{rows}"


def _steps(run: Path, found: Outlook, *, alone: bool) -> Iterator[str]:
    plan: Sequence[tuple[Step, str]] = found.plans[run]
    yield "steps" if alone else f"steps of {run.name}"
    width = max(len(step.name) for step, _ in plan)
    if any(state == MAYBE for _, state in plan):
        yield "  maybe: made, and redone if what it reads comes out otherwise"
    for step, state in plan:
        own = found.estimates.get(step.name) if state != MADE else None
        time = _span(own.expected, own.longest) if own else ""
        yield f"  {state:<6} {step.name:<{width}} {time:<24}  {run / step.artifact}"


def _time(found: Outlook) -> str:
    if found.why_none:
        return f"time   {found.why_none}"
    known = found.estimated
    total = _span(sum(one.expected for one in known), sum(one.longest for one in known))
    return f"time   about {total}, from {ROWS} rows of each split; bundles take seconds more"


def _span(expected: float, longest: float) -> str:
    """A time, and the most where training ends by itself: `12m 05s, at most 4h 00m`."""
    return clock(expected) + (f", at most {clock(longest)}" if longest > expected else "")


def _disk(run: Path, known: Sequence[Estimate]) -> str:
    """Bytes that the steps leave, with the most that one needs besides while it works, and those that are free."""
    place = next(path for path in [run, *run.resolve().parents] if path.exists())
    free = f"{shutil.disk_usage(place).free / _GB:.1f} GB free at {run}"
    if not known:
        return f"disk   {free}"
    needed = sum(one.size for one in known) + max(one.spare for one in known)
    return f"disk   about {max(needed / _GB, 0.1):.1f} GB needed, {free}"
