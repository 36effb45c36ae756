"""`--dry-run`: the plan of a run, before anything is made."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from distill.cli.console import clock
from distill.cli.plan.layout import RECORDS
from distill.cli.plan.pipeline import Stage
from distill.cli.seeds import first_run, seed_runs, stages_of
from distill.cli.settings import Settings
from distill.core.errors import MissingExtra
from distill.core.intake.sources import data_files
from distill.core.manifest import MANIFEST
from distill.core.progress import note
from distill.core.record_store import count_records, splits

_UNTIMED = "exports, evaluation, latency and bundles come on top"


def plan_lines(settings: Settings) -> list[str]:
    """Inputs with bytes, and rows once audited; every step with whether its artifact is there; minutes; the free disk.

    Minutes are estimated by a rehearsal on 50 rows, once audited, of a run of which something is still to do.

    Raises: as the rehearsed steps do.
    """
    seconds, why = _rehearsed(settings)
    return [*_inputs(settings), *_steps(settings, seconds), *_minutes(settings, seconds, why), *_disk(settings.run)]


def _rehearsed(settings: Settings) -> tuple[dict[str, float], str]:
    """Seconds of steps by name, and why there are none."""
    first = first_run(settings)
    if not any(True for _ in _to_do(settings)):
        return {}, "nothing is left to do"
    if not (first.run / RECORDS / MANIFEST).exists():
        return {}, "estimated once the rows are counted: distill audit trains nothing"
    from distill.cli.rehearsal import ROWS, rehearse

    note(f"estimating minutes: the steps run on {ROWS} rows of each split")
    with tempfile.TemporaryDirectory() as folder:
        try:
            return rehearse(first, first.run / RECORDS, Path(folder), lambda name: note(f"  {name} …")), ""
        except MissingExtra as error:
            return {}, f"not estimated: {error}"


def _to_do(settings: Settings) -> Iterator[Stage]:
    """The stages of all seeds whose artifact is not there."""
    for one in seed_runs(settings):
        yield from (stage for stage in stages_of(one, settings) if not _made(one, stage))


def _made(run: Settings, stage: Stage) -> bool:
    return (run.run / stage.step.artifact / MANIFEST).exists()


def _minutes(settings: Settings, seconds: Mapping[str, float], why: str) -> Iterator[str]:
    if not seconds:
        yield f"time   {why}"
        return
    total = sum(seconds.get(stage.step.name, 0.0) for stage in _to_do(settings))
    yield f"time   about {clock(total)} for the steps with a time, estimated from 50 rows of each split; {_UNTIMED}"


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


def _steps(settings: Settings, seconds: Mapping[str, float]) -> Iterator[str]:
    for one in seed_runs(settings):
        yield "steps" if one is settings else f"steps of {one.run.name}"
        stages = stages_of(one, settings)
        width = max(len(stage.step.name) for stage in stages)
        for stage in stages:
            made, name = _made(one, stage), stage.step.name
            time = clock(seconds[name]) if name in seconds and not made else ""
            yield f"  {'made' if made else 'to do':<6} {name:<{width}} {time:>8}  {one.run / stage.step.artifact}"


def _disk(run: Path) -> Iterator[str]:
    place = next(path for path in [run, *run.resolve().parents] if path.exists())
    yield f"disk   {shutil.disk_usage(place).free / 1e9:.1f} GB free at {run}"
