"""`--dry-run` of a study: its cells, which are made, and what the others will take."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from distill.core.errors import MissingExtra
from distill.core.files import sha256_json
from distill.core.leftovers import temporary_folder
from distill.core.manifest import MANIFEST
from distill.core.output import clock
from distill.core.progress import note
from distill.core.run_folder import RECORDS
from distill.core.steps import Step, Steps
from distill.pipeline.estimate import ROWS, Pace, pace
from distill.pipeline.experiment import Experiment
from distill.pipeline.plan import planned
from distill.pipeline.seeds import first_run, seed_runs
from distill.pipeline.settings import Settings
from distill.pipeline.studies.cells import is_made
from distill.pipeline.studies.study import Study

_BEYOND = ("export", "bench")


def study_lines(study: Study) -> list[str]:
    """The cells with their state, and time, from the first cell's plan performed on 50 rows of each split.

    What several cells share is made, and counted, once.
    """
    taken = _pace(study)
    title = f"{study.name} of {len(study.cells)} cells: {study.model}, in {study.folder}"
    counted = {key for run in _all_runs(study) for key in _made(run)}
    lines, total = [], 0.0
    for cell in study.cells:
        made = all(map(is_made, cell.runs))
        left = sum(one for run in cell.runs for one in _seconds(run, taken, counted)) if taken and not made else 0.0
        total += left
        lines.append(f"  {'made' if made else 'to do':<6} {cell.title}{f'  about {clock(left)}' if left else ''}")
    return [title, *lines, *_time(taken, total), "test   read once, after the last fit"]


def _pace(study: Study) -> Pace | None:
    records = _records(study)
    if records is None:
        return None
    note(f"estimating: the plan of the first cell is performed on {ROWS} rows of each split")
    with temporary_folder() as folder:
        try:
            run = first_run(study.cells[0].settings)
            return pace(run, records, folder, lambda name: note(f"  {name} …"), _BEYOND)
        except MissingExtra as error:
            note(f"not estimated: {error}")
            return None


def _records(study: Study) -> Path | None:
    """Rows of the base run or of any cell of a study of it, which are counted already."""
    base = first_run(study.base).run / RECORDS / MANIFEST
    places = [base, *sorted(study.base.run.glob(f"*/**/{RECORDS}/{MANIFEST}"))]
    return next((place.parent for place in places if place.exists()), None)


def _all_runs(study: Study) -> Iterator[Settings]:
    """The runs of all cells and, where it has the model, of the base."""
    if study.model in Experiment(study.base).models:
        yield from seed_runs(replace(study.base, only=study.model))
    yield from (run for cell in study.cells for run in cell.runs)


def _made(run: Settings) -> Iterator[str]:
    """The keys of the steps that a run has finished."""
    steps = Steps(run.run, {}, {})
    yield from (key for step, key in _keyed(run) if steps.is_done(step))


def _seconds(run: Settings, taken: Pace, counted: set[str]) -> Iterator[float]:
    """What each step of a run takes that is not counted yet. Args: counted: keys of steps, added to here."""
    for step, key in _keyed(run):
        found = taken.of(step)
        if found is not None and key not in counted:
            yield found.expected
        counted.add(key)


def _keyed(run: Settings) -> Iterator[tuple[Step, str]]:
    """The steps of a run's plan, each with its key."""
    keys: dict[str, str] = {}
    for step in (stage.step for stage in planned(Experiment(run), "evaluate")):
        keys[step.artifact] = _key(step, keys)
        yield step, keys[step.artifact]


def _key(step: Step, known: Mapping[str, str]) -> str:
    """Equal for steps that come to the same, so far as that is known before they are made."""
    read = [[str(read), known.get(read.artifact, "")] for read in step.reads]
    return sha256_json([step.name, step.version, step.config, read, [str(path) for path in step.files]])


def _time(taken: Pace | None, total: float) -> Iterator[str]:
    if taken is None:
        yield "time   known once the rows are counted: distill audit trains nothing"
    else:
        yield f"time   about {clock(total)} in all, at the pace of the first cell; what cells share is counted once"
