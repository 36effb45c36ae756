"""`distill scale --dry-run`: the points and what they will take, before anything is made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from distill.core.errors import MissingExtra
from distill.core.leftovers import temporary_folder
from distill.core.manifest import MANIFEST
from distill.core.output import clock
from distill.core.progress import note
from distill.core.record_store import count_records
from distill.core.run_folder import RECORDS
from distill.core.selection.nested import Point, points, uses_up_pool
from distill.core.steps import Steps
from distill.pipeline.estimate import ROWS, Estimate, Pace, pace
from distill.pipeline.experiment import Experiment
from distill.pipeline.scale import Scaling, all_fits, curve_students, shared_steps
from distill.pipeline.seeds import first_run
from distill.pipeline.settings import Settings
from distill.pipeline.steps.fit import fit_step
from distill.pipeline.steps.scale import Fit

_BEYOND = ("evaluate", "export", "bench")


def scale_lines(settings: Settings, asked: Scaling) -> list[str]:
    """The points with their rows, the state of each fit, time and, with a price, cost.

    The times come from the run's plan up to its students, performed on 50 rows of each split.
    """
    run = first_run(settings)
    students = curve_students(Experiment(run))
    records = run.run / RECORDS
    if not (records / MANIFEST).exists():
        factors = ", ".join(f"{factor:g}×" for factor in asked.factors)
        return [
            f"points {factors} the gold rows",
            "time   known once the rows are counted: distill audit trains nothing",
        ]
    gold = count_records(records, "train")
    pools = {split: count_records(records, split) for split in Experiment(run).labelled_splits if split != "train"}
    most = run.project.select.rows if run.project.select else None
    rows = sum(pools.values()) if most is None else min(most, sum(pools.values()))
    sizes = points(asked.factors, gold, rows)
    fits = all_fits(run, students, sizes, asked.seeds_of(settings))
    taken = _pace(run)
    lines = [*_points(fits, sizes, gold, taken, asked.price)]
    if uses_up_pool(sizes, asked.factors):
        lines.append(f"       the pool has {rows} rows, {rows / gold:.3g}× the gold rows: that is the last point")
    return [*lines, *_time(run, fits, sizes, taken), "test   read once, after the last fit"]


def _pace(run: Settings) -> Pace | None:
    note(f"estimating: the plan up to its students is performed on {ROWS} rows of each split")
    with temporary_folder() as folder:
        try:
            return pace(run, run.run / RECORDS, folder, lambda name: note(f"  {name} …"), _BEYOND)
        except MissingExtra as error:
            note(f"not estimated: {error}")
            return None


def _points(
    fits: Sequence[Fit], sizes: Sequence[Point], gold: int, taken: Pace | None, price: float | None
) -> Iterator[str]:
    for name in dict.fromkeys(fit.spec.label for fit in fits):
        yield f"points of {name}: {gold} gold rows and rows of the pool"
        for size in sizes:
            own = [fit for fit in fits if fit.spec.label == name and fit.point == size]
            seconds = _fit_time(own[0], taken)
            many = f"{len(own)} fits of " if len(own) > 1 else ""
            time = "" if seconds is None else f"  {many}about {clock(seconds.expected)}"
            hours = 0.0 if seconds is None else seconds.expected * len(own) / 3600
            cost = f", cost {hours * price:.2f}" if hours and price is not None else ""
            yield f"  {size.factor:>6.3g}×  {size.rows:>9} pool rows{time}{cost}"


def _fit_time(fit: Fit, taken: Pace | None) -> Estimate | None:
    if taken is None:
        return None
    # A sample has rows of every source; for the time only their number counts.
    rows: Mapping[str, int] = {
        **{split: 0 for split in fit.experiment.labelled_splits},
        "train": taken.rows["train"] + fit.point.rows,
        "valid": taken.rows["valid"],
    }
    return taken.of(fit_step(fit.experiment, fit.spec), rows)


def _time(run: Settings, fits: Sequence[Fit], sizes: Sequence[Point], taken: Pace | None) -> Iterator[str]:
    if taken is None:
        return
    steps = Steps(run.run, {}, {})
    left = [step for step in shared_steps(run) if not steps.is_done(step)]
    shared = [one for step in left if (one := taken.of(step)) is not None]
    waiting = [fit for fit in fits if not steps.is_done(fit.fit_step())]
    own = [one for fit in waiting if (one := _fit_time(fit, taken)) is not None]
    made = len(fits) - len(waiting)
    yield f"time   about {_span(own)} for {len(waiting)} fits" + (f", {made} are made" if made else "")
    yield f"       teacher and labels, once: about {_span(shared)}" if left else "       teacher and labels are made"


def _span(found: Sequence[Estimate]) -> str:
    return clock(sum(one.expected for one in found))
