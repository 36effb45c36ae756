"""`distill bench --latency-budget --dry-run`: the candidates, which of them are timed, and how long the others take."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.candidates import rising
from distill.core.manifest import read_manifest
from distill.core.output import clock
from distill.core.steps import Steps
from distill.pipeline.budget.measuring import candidate_step, in_processes
from distill.pipeline.budget.shapes import Search, Shapes
from distill.pipeline.seeds import first_run
from distill.pipeline.settings import Settings

_SECONDS = 4.0  # of a fresh process, before any was timed


def budget_lines(settings: Settings) -> list[str]:
    """The lines; nothing is made. Raises: as `Search.of`."""
    search = Search.of(first_run(settings))
    shapes, budget = Shapes(search), search.budget
    steps, measure = Steps(shapes.experiment.run.path, {}, {}), in_processes(budget)
    places = {one: candidate_step(shapes, one, measure) for one in rising(shapes.candidates())}
    made = {one: step for one, step in places.items() if steps.is_done(step)}
    taken = [read_manifest(shapes.experiment.run / step.artifact)["seconds"] for step in made.values()]
    each = sum(taken) / len(taken) if taken else budget.processes * _SECONDS
    waiting = len(places) - len(made)
    head = f"budget of {search.bound:g} ms at {budget.percentile}: {len(places)} candidates, in {search.folder}"
    lines = [f"  {'timed' if one in made else 'to do':<6} {one.name}" for one in places]
    return [head, *lines, *_time(search, waiting, each)]


def _time(search: Search, waiting: int, each: float) -> Iterator[str]:
    """What is left, at most: a candidate that another one rules out is not timed."""
    yield f"time   at most about {clock(waiting * each)} of timing, then {search.budget.train} students at most are"
    yield "       trained: distill --dry-run says what one takes"
    yield "       deeper shapes than the source has layers fall away once its encoder is there"
    yield "test   read once, after the choice on validation"
