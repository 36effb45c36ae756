"""`--dry-run`: the plan of a run, before anything is made."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from distill.cli.plan.layout import RECORDS
from distill.cli.seeds import seed_runs, stages_of
from distill.cli.settings import Settings
from distill.core.intake.sources import data_files
from distill.core.manifest import MANIFEST
from distill.core.record_store import count_records, splits


def plan_lines(settings: Settings) -> list[str]:
    """Inputs with bytes, and rows once audited; every step with whether its artifact is there; the free disk."""
    return [*_inputs(settings), *_steps(settings), *_disk(settings.run)]


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


def _steps(settings: Settings) -> Iterator[str]:
    for one in seed_runs(settings):
        yield "steps" if one is settings else f"steps of {one.run.name}"
        for stage in stages_of(one, settings):
            made = (one.run / stage.step.artifact / MANIFEST).exists()
            yield f"  {'made' if made else 'to do':<6} {stage.step.name:<28} {one.run / stage.step.artifact}"


def _disk(run: Path) -> Iterator[str]:
    place = next(path for path in [run, *run.resolve().parents] if path.exists())
    yield f"disk   {shutil.disk_usage(place).free / 1e9:.1f} GB free at {run}"
