"""`--dry-run`: the plan of a run, before anything is made."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from distill.cli.console import clock
from distill.core.errors import MissingExtra
from distill.core.intake.sources import data_files
from distill.core.manifest import MANIFEST
from distill.core.progress import note
from distill.core.record_store import count_records, splits
from distill.core.steps import Step, Steps
from distill.pipeline.estimate import ROWS, Estimate, estimate
from distill.pipeline.experiment import RECORDS
from distill.pipeline.seeds import first_run, seed_runs, stages_of
from distill.pipeline.settings import Settings

_UNTIMED = "exports, evaluation, latency and bundles come on top"


def plan_lines(settings: Settings) -> list[str]:
    """Inputs with bytes, and rows once audited; every step with whether it would be skipped; its time; the free disk.

    Times are estimated by a rehearsal on 50 rows, once audited, of a run of which something is still to do.

    Raises: as the rehearsed steps do.
    """
    plans = {one.run: _plan(one, settings) for one in seed_runs(settings)}
    to_do = [step for plan in plans.values() for step, made in plan if not made]
    seconds, why = _rehearsed(settings, to_do)
    lines = [line for run, plan in plans.items() for line in _steps(run, plan, seconds, alone=len(plans) == 1)]
    return [*_inputs(settings), *lines, _time(to_do, seconds, why), *_disk(settings.run)]


def _plan(run: Settings, settings: Settings) -> list[tuple[Step, bool]]:
    """Every step of one of the `seed_runs`, with whether it would be skipped as things are."""
    runner, found = Steps(run.run, {}, {}), []
    skipped: set[str] = set()
    for step in (stage.step for stage in stages_of(run, settings)):
        there = (run.run / step.artifact / MANIFEST).exists() and skipped.issuperset(step.upstream)
        if there and runner.is_done(step):
            skipped.add(step.artifact)
        found.append((step, step.artifact in skipped))
    return found


def _rehearsed(settings: Settings, to_do: Sequence[Step]) -> tuple[dict[str, Estimate], str]:
    """Seconds of steps by name, or why there are none."""
    first = first_run(settings)
    if not to_do:
        return {}, "nothing is left to do"
    if not (first.run / RECORDS / MANIFEST).exists():
        return {}, "estimated once the rows are counted: distill audit trains nothing"
    note(f"estimating times: the steps run on {ROWS} rows of each split")
    with tempfile.TemporaryDirectory() as folder:
        try:
            return estimate(first, first.run / RECORDS, Path(folder), lambda name: note(f"  {name} …")), ""
        except MissingExtra as error:
            return {}, f"not estimated: {error}"


def _time(to_do: Sequence[Step], seconds: Mapping[str, Estimate], why: str) -> str:
    if why:
        return f"time   {why}"
    known = [seconds[step.name] for step in to_do if step.name in seconds]
    total = _span(sum(one.expected for one in known), sum(one.longest for one in known))
    return f"time   about {total} for the steps with a time, from {ROWS} rows of each split; {_UNTIMED}"


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


def _steps(
    run: Path, plan: Sequence[tuple[Step, bool]], seconds: Mapping[str, Estimate], *, alone: bool
) -> Iterator[str]:
    yield "steps" if alone else f"steps of {run.name}"
    width = max(len(step.name) for step, _ in plan)
    for step, made in plan:
        own = seconds.get(step.name) if not made else None
        time = _span(own.expected, own.longest) if own else ""
        yield f"  {'made' if made else 'to do':<6} {step.name:<{width}} {time:<24}  {run / step.artifact}"


def _disk(run: Path) -> Iterator[str]:
    place = next(path for path in [run, *run.resolve().parents] if path.exists())
    yield f"disk   {shutil.disk_usage(place).free / 1e9:.1f} GB free at {run}"
