"""`distill bench --latency-budget`: candidates are timed, those worth it trained, and the best one is named."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from benchmarks.candidates import HELD_OUT, Candidate, Chosen, fits, front, rising, ruled_out_by, worth_training
from distill.core.errors import UserError
from distill.core.files import Json, read_json
from distill.core.lock import at_work
from distill.core.progress import Reporter, note, reporting
from distill.core.run_folder import PREDICTIONS
from distill.core.sealed import write_sealed
from distill.core.steps import Step, Steps
from distill.evaluation import cells as measured
from distill.evaluation.cells import Answers, Scale
from distill.evaluation.direction import sign
from distill.pipeline.budget.measuring import (
    MEASURED,
    Measure,
    candidate_step,
    held_out_step,
    in_processes,
    rows_step,
    steps_before,
)
from distill.pipeline.budget.shapes import FOLDER, TRAINED, Search, Shapes
from distill.pipeline.execute import execute, run_step, versions
from distill.pipeline.experiment import Experiment
from distill.pipeline.seeds import first_run
from distill.pipeline.settings import Settings
from distill.report.budget_page import write_budget_page
from distill.report.budget_table import budget_sentences, candidates_sheet, trained_sheet
from distill.report.finding import Finding

SCHEMA = 1
RESULT, PAGE = f"{FOLDER}.json", f"{FOLDER}.html"


@dataclass(frozen=True)
class Screened:
    """What the candidates came to. Attributes: timed: figures of those that were timed. ruled_out: of the others, by
    which one.
    """

    timed: Mapping[Candidate, Json]
    ruled_out: Mapping[Candidate, Candidate]

    def fitting(self, percentile: str, bound: float) -> list[Candidate]:
        """Those whose whole interval is within the bound."""
        return [one for one, figures in self.timed.items() if fits(figures[percentile], bound)]


def best_within(settings: Settings, reporter: Reporter, measure: Measure | None = None) -> Finding:
    """Look for the best student within the budget; a second start goes on where the first one ended.

    Validation decides, by the exported files; test is read after that. Args: measure: in place of fresh processes.
    Raises: as `Search.of` and `execute`; UserError where nothing fits.
    """
    search = Search.of(first_run(settings))
    measure = measure or in_processes(search.budget)
    with at_work(search.folder), reporting(reporter):
        reporter.heading("timing candidates")
        shapes = prepared(search, reporter)
        screened = screen(shapes, steps_of(shapes.experiment, reporter), measure)
        chosen, beyond = worth_training(screened.fitting(search.budget.percentile, search.bound), search.budget.train)
        if not chosen:
            raise _nothing(search, screened)
        reporter.heading(f"training {', '.join(one.student for one in chosen)}")
        told = _trained(search, shapes.trained([one.candidates[0] for one in chosen]), chosen, reporter, measure)
        found = {**_asked(search), **told, "candidates": _told(screened, search, chosen, beyond)}
        write_sealed(search.settings.run / RESULT, found)
    page = search.settings.run / PAGE
    write_budget_page(found, page)
    return Finding(found, [*budget_sentences(found), trained_sheet(found), candidates_sheet(found), f"page:   {page}"])


def _trained(search: Search, run: Settings, chosen: Sequence[Chosen], reporter: Reporter, measure: Measure) -> Json:
    """Train, time again on other requests, choose on validation, then read test."""
    execute(replace(run, closed=True), reporter, "evaluate")
    files = _files(Experiment(run), chosen)
    held, names = _held_out(run, files, reporter, measure), _answers(run, files)
    scale = Scale(run.project.task.space, run.project.quality, run.project.seed)
    valid, metric = measured.on_validation(names, scale), scale.quality.metric
    most, percentile = HELD_OUT * search.bound, search.budget.percentile
    within = {name: valid[name] for name, one in held.items() if one[percentile]["value"] <= most}
    best = measured.best(within, metric) if within else None
    write_sealed(search.folder / "chosen.json", {"best": best, "by": metric})
    execute(run, reporter, "evaluate")
    lead = best or measured.best(valid, metric)
    figures = dict(measured.cell_figures(valid, measured.on_test(names, scale), lead, scale))
    rows = [
        {"name": name, "candidate": one.name, "held_out": held[name], "holds": name in within, **figures[name]}
        for name, one in files.items()
    ]
    return {"best": best, "lead": lead, "trained": _with_front(rows, percentile, metric)}


def prepared(search: Search, reporter: Reporter) -> Shapes:
    """The candidates, once rows and the encoder that they are cut from are there. Raises: as `Shapes.require_room`."""
    shapes = Shapes(search)
    steps = steps_of(shapes.experiment, reporter)
    for step in shapes.before():
        run_step(steps, step)
    shapes.require_room()
    run_step(steps, rows_step(shapes.experiment))
    return Shapes(search)


def screen(shapes: Shapes, steps: Steps, measure: Measure) -> Screened:
    """Time the candidates by rising work; one that does more than one beyond the bound is not timed."""
    search, timed, ruled_out = shapes.search, dict[Candidate, Json](), dict[Candidate, Candidate]()
    candidates = rising(shapes.candidates())
    for number, candidate in enumerate(candidates, 1):
        figures = {one: found[search.budget.percentile] for one, found in timed.items()}
        other = ruled_out_by(candidate, figures, search.bound)
        if other is not None:
            ruled_out[candidate] = other
            continue
        note(f"{number} of {len(candidates)}: {candidate.name}")
        timed[candidate] = _made(steps, [*steps_before(shapes, candidate), candidate_step(shapes, candidate, measure)])
    return Screened(timed, ruled_out)


def _made(steps: Steps, wanted: Sequence[Step]) -> Json:
    for step in wanted:
        run_step(steps, step)
    return read_json(steps.run_folder / wanted[-1].artifact / MEASURED)


def steps_of(experiment: Experiment, reporter: Reporter) -> Steps:
    """The steps of a run, which take over what this search, or the run that it is of, has made already."""
    settings = experiment.settings
    steps = Steps(settings.run, settings.as_json(), versions(), reporter.step_starts, reporter.step_ends)
    steps.alike = settings.alike
    return steps


def _files(trained: Experiment, chosen: Sequence[Chosen]) -> dict[str, Candidate]:
    """The way to serve each file that may fit, with the fewest threads, by the file's name in the report.

    A target that fell back to another one brings that one's file, served alike; whether it fits is timed then.
    """
    asked = {one.student: one.candidates for one in chosen}
    found: dict[str, Candidate] = {}
    for spec, target in trained.shipped():
        own = asked[spec.name]
        named = [one for one in own if one.target == target]
        fell = target not in trained.settings.targets
        if not named and not fell:
            continue
        first = min(named or own, key=lambda one: one.threads)
        found[f"{spec.label}.{target}"] = replace(first, target=target)
    return found


def _held_out(run: Settings, files: Mapping[str, Candidate], reporter: Reporter, measure: Measure) -> dict[str, Json]:
    """What other requests take of each trained file."""
    trained = Experiment(run)
    with at_work(run.run):
        steps = Steps(run.run, run.as_json(), versions(), reporter.step_starts, reporter.step_ends)
        return {name: _made(steps, [held_out_step(trained, one, measure)]) for name, one in files.items()}


def _answers(run: Settings, files: Mapping[str, Candidate]) -> dict[str, Answers]:
    tests = tuple(Experiment(run).tests)
    return {name: Answers(name, tests, (run.run / PREDICTIONS,)) for name in files}


def _asked(search: Search) -> Json:
    project, budget = search.settings.project, search.budget
    return {
        "schema": SCHEMA,
        "metric": project.quality.metric,
        "positive": project.task.positive,
        "ms": search.bound,
        "percentile": budget.percentile,
        "requests": budget.requests,
        "processes": budget.processes,
        "most_trained": budget.train,
        "run": str(TRAINED),
    }


def _with_front(rows: Sequence[Json], percentile: str, metric: str) -> list[Json]:
    """The rows, the fastest first, each with whether no other is faster and as good, on validation."""
    points = {
        row["name"]: (row["held_out"][percentile]["value"], sign(metric) * row["valid"][metric]["value"])
        for row in rows
    }
    ahead = front(points)
    return sorted(({**row, "front": row["name"] in ahead} for row in rows), key=lambda row: points[row["name"]])


def _told(screened: Screened, search: Search, chosen: Sequence[Chosen], beyond: Sequence[Chosen]) -> list[Json]:
    """Every candidate, by rising work: its figures or what rules it out, and what was decided of those that fit."""
    decided = {one: f"trained: {own.why}" for own in chosen for one in own.candidates}
    most = f"not trained: {search.budget.train} students were asked for"
    decided |= {one: f"{most}; {own.why}" for own in beyond for one in own.candidates}
    found = []
    for one in rising([*screened.timed, *screened.ruled_out]):
        shape = {"layers": one.shape.layers, "line": one.shape.line, "student": one.student}
        row: Json = {"name": one.name, **shape, "tokens": one.tokens, "target": one.target, "threads": one.threads}
        if one in screened.ruled_out:
            found.append({**row, "why": f"over, as {screened.ruled_out[one].name} is with less work"})
            continue
        figures = screened.timed[one]
        inside = fits(figures[search.budget.percentile], search.bound)
        why = decided.get(one, "fits; a deeper or longer one of its line does too" if inside else "over the bound")
        found.append({**row, **{key: figures[key] for key in ("p50", "p99", "disturbed")}, "fits": inside, "why": why})
    return found


def _nothing(search: Search, screened: Screened) -> UserError:
    percentile = search.budget.percentile
    fastest = min(screened.timed, key=lambda one: screened.timed[one][percentile]["value"], default=None)
    found = "no candidate could be made"
    if fastest is not None:
        figure = screened.timed[fastest][percentile]
        found = (
            f"the fastest, {fastest.name}, takes {figure['value']:.2f} ms ({figure['low']:.2f}–{figure['high']:.2f})"
        )
    return UserError(
        f"no candidate stays within {search.bound:g} ms at {percentile}",
        where="--latency-budget",
        found=found,
        do="raise it, or name smaller shapes in budget.layers, budget.widths and budget.max_tokens",
    )
