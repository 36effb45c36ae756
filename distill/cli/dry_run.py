"""`--dry-run`: the plan of a run, before anything is made."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from distill.cli.plan.layout import Layout
from distill.cli.plan.pipeline import bundles, plan
from distill.cli.settings import Settings
from distill.core.intake.sources import data_files
from distill.core.manifest import MANIFEST


def plan_lines(settings: Settings) -> list[str]:
    """Inputs with bytes, every step with whether its artifact is there, and the free disk."""
    return [*_inputs(settings), *_steps(settings), *_disk(settings.run)]


def _inputs(settings: Settings) -> Iterator[str]:
    yield "input"
    for source, paths in data_files(settings.project, Path(".")).items():
        yield f"  {source:<16} {len(paths)} files, {sum(path.stat().st_size for path in paths) / 1e6:.1f} MB"


def _steps(settings: Settings) -> Iterator[str]:
    layout = Layout(settings)
    yield "steps"
    for stage in [*plan(layout), *bundles(layout)]:
        made = (settings.run / stage.step.artifact / MANIFEST).exists()
        yield f"  {'made' if made else 'to do':<6} {stage.step.name:<28} {settings.run / stage.step.artifact}"


def _disk(run: Path) -> Iterator[str]:
    place = next(path for path in [run, *run.resolve().parents] if path.exists())
    yield f"disk   {shutil.disk_usage(place).free / 1e9:.1f} GB free at {run}"
