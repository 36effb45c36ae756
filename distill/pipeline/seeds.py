"""One run for each training seed, in folders below the project's run folder, and what they come to together.

Every run reads the same rows: `seed` decides splits and samples, a run's `training_seed` its random weights and the
order of its training rows. All are taken up to their evaluation; latency, gates and bundles are then the first seed's.
Another seed is timed or bundled by running it on its own: `--set seeds=null --set training_seed=2 --out RUN/seed-2`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from distill.core.errors import GateFailed, UserError
from distill.core.files import Json, write_json
from distill.core.lock import at_work, is_held
from distill.core.progress import Reporter, reporting
from distill.core.run_folder import REPORT, STATE, read_run
from distill.core.sealed import read_sealed, write_sealed
from distill.core.steps import Step, Steps, nobody
from distill.pipeline.currency import current_of_seeds
from distill.pipeline.execute import execute, versions
from distill.pipeline.experiment import Experiment
from distill.pipeline.figures import require_shared_baseline
from distill.pipeline.plan import Stage, bundles, plan, require_verb, stages_until
from distill.pipeline.settings import Settings
from distill.pipeline.steps.evaluate import evaluate_seeds_step
from distill.pipeline.together import follow, is_follower, leading
from distill.report.assemble import assemble_seeds
from distill.report.contents import gates_of
from distill.report.failed_gates import gate_line
from distill.report.outcome import FINISHED, reason, stopped_because
from distill.report.page import write_page
from distill.report.tracking import track, trackers

# Verbs that go beyond the evaluation, each with whether it asks the gates.
_BEYOND = {"bench": False, "bundle": True, "report": True}
_EVALUATED = {"evaluate", *_BEYOND}


def seed_runs(settings: Settings) -> list[Settings]:
    """The run of each seed, in a folder `seed-N` below the run folder; the run itself where no seeds are named."""
    if settings.project.seeds is None:
        return [settings]
    return [
        replace(
            settings,
            run=settings.run / f"seed-{seed}",
            seeds_in=settings.shared,
            alike=tuple(one / f"seed-{seed}" for one in settings.alike),
            project=settings.project.model_copy(update={"seeds": None, "training_seed": seed}),
        )
        for seed in settings.project.seeds
    ]


def first_run(settings: Settings) -> Settings:
    """The run that latency and bundles come from."""
    return seed_runs(settings)[0]


def stages_of(run: Settings, settings: Settings) -> list[Stage]:
    """The whole plan of one of the `seed_runs` of `settings`."""
    experiment = Experiment(run)
    stages = list(plan(experiment))
    if run.run == first_run(settings).run:
        return [*stages_until(stages, "report"), *bundles(experiment)]
    return stages_until(stages, "evaluate")


def all_stages(run: Path, state: Mapping[str, Any]) -> list[Json]:
    """The stages in a run folder's `run.json`; with several seeds those of every seed first, named after it.

    A stage that says `running` where no process is at work was `killed`.

    Args: state: content of `run.json`.
    """
    found = []
    for seed in state["config"].get("seeds") or []:
        folder = run / f"seed-{seed}"
        stages = _alive(folder, read_run(folder)["stages"]) if (folder / STATE).exists() else []
        found += [{**stage, "name": f"seed {seed}: {stage['name']}"} for stage in stages]
    return [*found, *_alive(run, state["stages"])]


def _alive(run: Path, stages: Sequence[Json]) -> list[Json]:
    """Stages as they are by now. Args: stages: as `run.json` has them."""
    gone = any(stage["status"] == "running" for stage in stages) and not is_held(run)
    return [{**stage, "status": "killed"} if gone and stage["status"] == "running" else stage for stage in stages]


def execute_run(settings: Settings, reporter: Reporter, until: str = "report") -> Json | None:
    """Make a run up to the verb `until`, one or several seeds as the project says.

    None in processes of torchrun that only help the first one.

    Raises: as `execute`; UserError for an unknown verb, before anything is made.
    """
    require_verb(until)
    if is_follower():
        follow(lambda run, name: _shared_step(settings, run, name))
        return None
    with leading() as announcer:
        return (execute_seeds if settings.project.seeds else execute)(settings, reporter, until, announcer.begins)


def _shared_step(settings: Settings, run: Path, name: str) -> Step:
    own = next(one for one in seed_runs(settings) if one.run == run)
    return next(stage.step for stage in plan(Experiment(own)) if stage.step.name == name)


def execute_seeds(
    settings: Settings, reporter: Reporter, until: str = "report", on_body: Callable[[Path, Step], None] = nobody
) -> Json:
    """Make every seed's run up to the verb `until`, then their combination; returns the combined report.json's content.

    Raises: GateFailed after the combined report is written, naming the gates and seeds; a run that a gate stops does
        not stop the others. UserError for what the user gave.
    """
    if len(settings.project.seeds or []) > 1:
        require_shared_baseline(Experiment(first_run(settings)))
    with at_work(settings.run):
        state = {"schema": 1, "config": settings.as_json(), "versions": versions(), "stages": []}
        write_json(settings.run / STATE, state)
        # The rows are the same in every run.
        runs = seed_runs(settings)[: 1 if until == "audit" else None]
        try:
            first = "evaluate" if until in _BEYOND else until
            failed = {_seed(one): _attempt(one, reporter, first, on_body) for one in runs}
        except UserError as error:
            _tell_of(settings, error)
            raise
        stopped = {seed: error for seed, error in failed.items() if error is not None}
        finished = [one for one in runs if _seed(one) not in stopped]
        late = _attempt(runs[0], reporter, until, on_body) if until in _BEYOND and runs[0] in finished else None
        report = _combine(settings, finished, stopped, reporter, evaluated=until in _EVALUATED)
        with reporting(reporter):
            asked = trackers(settings.project.report.trackers) if not stopped else []
            track(asked, settings.run, report, settings.as_json())
    _require(settings, report, stopped, late, asked=_BEYOND.get(until, False))
    return report


def _seed(run: Settings) -> int:
    return run.project.weights_seed


def _attempt(run: Settings, reporter: Reporter, until: str, on_body: Callable[[Path, Step], None]) -> GateFailed | None:
    """Make one seed's run up to a verb; returns the failed gate that stopped it."""
    reporter.heading(f"seed {_seed(run)}: {run.run}")
    try:
        execute(run, reporter, until, on_body)
    except GateFailed as error:
        reporter.note(str(error))
        return error
    return None


def _tell_of(settings: Settings, error: UserError) -> None:
    """Put the page of the first seed, as far as it came, in the place of an earlier page that knows of no error."""
    found = first_run(settings).run / REPORT
    if found.exists():
        report = {**read_sealed(found), "outcome": stopped_because(reason(error, settings.project.report.texts))}
        write_sealed(settings.run / REPORT, report)
        write_page(report, settings.run / "report.html")


def _combine(
    settings: Settings,
    finished: Sequence[Settings],
    stopped: Mapping[int, GateFailed],
    reporter: Reporter,
    *,
    evaluated: bool,
) -> Json:
    """Evaluate the finished runs together and write the report over all."""
    steps = Steps(settings.run, settings.as_json(), versions(), reporter.step_starts, reporter.step_ends)
    if evaluated and finished:
        with reporting(reporter):
            steps.run(evaluate_seeds_step({_seed(one): Experiment(one) for one in finished}))
    reports = {_seed(one): read_sealed(one.run / REPORT) for one in finished or [first_run(settings)]}
    stages = all_stages(settings.run, {"config": settings.as_json(), "stages": steps.stages})
    wanted = {_seed(one): Experiment(one) for one in seed_runs(settings) if _seed(one) not in stopped}
    found = assemble_seeds(settings.project, current_of_seeds(wanted, steps), reports, list(stopped), stages)
    why = "; ".join(f"seed {seed}: {error.brief}" for seed, error in stopped.items())
    report = {**found, "outcome": stopped_because(why) if stopped else FINISHED}
    write_sealed(settings.run / REPORT, report)
    write_page(report, settings.run / "report.html")
    return report


def _require(
    settings: Settings,
    report: Json,
    stopped: Mapping[int, GateFailed],
    late: GateFailed | None,
    *,
    asked: bool,
) -> None:
    """Check that no run was stopped and, where the verb asks the gates, that each of them passed.

    Raises: GateFailed naming the gates and seeds.
    """
    first = _seed(first_run(settings))
    gates = [gate for gate in gates_of(report) if asked and not gate.passed]
    found = [gate_line(gate) for gate in gates]
    found += [f"seed {seed}: {error.brief}" for seed, error in stopped.items()]
    if late is not None and not any(gate.seed == first for gate in gates):
        found.append(f"seed {first}: {late.brief}")
    if found:
        raise GateFailed(
            "gates failed over the seeds; every seed that they did not stop is finished",
            where=str(settings.run / "report.html"),
            found="; ".join(found),
            do=f"read the report, then mend the cause; bundles are made when the gates of seed {first} pass",
        )
