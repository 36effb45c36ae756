"""`distill scale`: how much a student gains from more rows of the pool, from labels that are made once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from distill.core.errors import UserError
from distill.core.files import Json, read_json
from distill.core.lock import at_work
from distill.core.manifest import read_manifest
from distill.core.progress import Reporter, note, reporting
from distill.core.record_store import count_records
from distill.core.run_folder import RECORDS, SCALE_FILE
from distill.core.sealed import write_sealed
from distill.core.selection.nested import Point, parse_factors, points, uses_up_pool
from distill.core.selection.store import read_order
from distill.core.steps import Step, Steps
from distill.evaluation.scaling import flattens_at
from distill.pipeline.execute import execute, run_step, versions
from distill.pipeline.experiment import Experiment
from distill.pipeline.models import ModelSpec
from distill.pipeline.plan import fitting, plan, stages_until
from distill.pipeline.preflight import require_layers
from distill.pipeline.seeds import first_run
from distill.pipeline.settings import Settings
from distill.pipeline.steps.scale import FIGURES_FILE, ORDER, SCALE, Fit, figures_step, order_step, rows_step
from distill.pipeline.term_shapes import require_comparable
from distill.report.scale_page import write_scale_page

SCHEMA = 1
PAGE = "scale.html"


@dataclass(frozen=True)
class Scaling:
    """What is asked. Attributes: factors: rising. seeds: None for the project's. price: of an hour, None: unknown."""

    factors: Sequence[float]
    seeds: Sequence[int] | None = None
    price: float | None = None

    @classmethod
    def of(cls, factors: str, seeds: str | None, price: float | None) -> Scaling:
        """From the command line. Raises: UserError naming the option."""
        if price is not None and not price >= 0:
            raise UserError("a price is at least 0", where="--price-per-hour", found=price)
        return cls(parse_factors(factors), None if seeds is None else _parse_seeds(seeds), price)

    def seeds_of(self, settings: Settings) -> list[int]:
        """The training seeds of every point."""
        project = settings.project
        return list(self.seeds or project.seeds or [project.weights_seed])


def _parse_seeds(text: str) -> list[int]:
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() for part in parts) or len(set(parts)) != len(parts):
        raise UserError("the seeds are no list of different numbers", where="--seeds", found=text, do="give 1,2,3")
    return [int(part) for part in parts]


def scale(settings: Settings, asked: Scaling, reporter: Reporter) -> Json:
    """Make every point in one run folder, that of the first seed; returns the content of `scale.json`, of all seeds.

    Teacher and labels are made as `distill label` makes them, once. Every fit reads the gold rows and a sample of the
    pool, which holds the samples of all smaller points. Test rows are read after the last fit.

    Raises: as `execute`; UserError for options, and where there is no student or no pool to learn from.
    """
    run = first_run(settings)
    students = curve_students(Experiment(run))
    require_layers(Experiment(run))
    require_comparable(Experiment(run))
    execute(run, reporter, until(run))
    with at_work(run.run), reporting(reporter):
        steps = Steps(run.run, run.as_json(), versions(), reporter.step_starts, reporter.step_ends)
        for step in shared_steps(run):  # made by now: this names them in run.json
            run_step(steps, step)
        run_step(steps, order_step(Experiment(run), students[0]))
        gold, pool = count_records(run.run / RECORDS, "train"), len(read_order(run.run / ORDER))
        if not pool:
            raise UserError(
                "no row of the pool has a usable label", where=str(run.run / ORDER), do="label another pool"
            )
        sizes = points(asked.factors, gold, pool)
        if uses_up_pool(sizes, asked.factors):
            note(f"the pool has {pool} rows to learn, {pool / gold:.3g} times the gold rows: that is the last point")
        fits = all_fits(run, students, sizes, asked.seeds_of(settings))
        for step in point_steps(Experiment(run), fits, sizes):
            run_step(steps, step)
    found = _result(run, asked, fits, pool)
    write_sealed(settings.run / SCALE_FILE, found)
    write_scale_page(found, settings.run / PAGE)
    return found


def all_fits(run: Settings, students: Sequence[ModelSpec], sizes: Sequence[Point], seeds: Sequence[int]) -> list[Fit]:
    """Every student on every sample with every seed, by rising size."""
    seeded = {seed: Experiment(_seeded(run, seed)) for seed in seeds}
    return [Fit(seeded[seed], spec, size) for spec in students for size in sizes for seed in seeds]


def until(settings: Settings) -> str:
    """The verb up to which all points share the run."""
    return "label" if settings.project.select is None else "select"


def shared_steps(settings: Settings) -> list[Step]:
    """The steps that all points share."""
    return [stage.step for stage in stages_until(list(plan(Experiment(settings))), until(settings))]


def curve_students(experiment: Experiment) -> list[ModelSpec]:
    """The students of the curves: all that learn the labels of the run on all rows and start from no other student.

    Raises: UserError where there is none, no pool, or no validation rows, which say where a curve flattens.
    """
    if not experiment.project.data.pool:
        raise UserError("there is no pool to take rows of", where="data.pool", do="name one: files, or pairs: {}")
    if not experiment.has_validation:
        what, where = "the curves flatten by validation rows, and there are none", experiment.settings.where
        raise UserError(what, where=f"{where}: data.split.valid", do="give data.valid")
    artifacts = {spec.artifact for spec in experiment.students}
    found = [spec for spec in experiment.students if spec.learns_from is None]
    found = [spec for spec in found if experiment.learnt_splits(spec) == experiment.labelled_splits]
    found = [spec for spec in found if spec.starts_from is None or spec.starts_from.artifact not in artifacts]
    if not found:
        raise UserError(
            "no student learns from the labels of the run alone",
            where=f"{experiment.settings.where}: students",
            found=", ".join(experiment.settings.students) or "{}",
            do="name one without learns_from and rows, and with a teacher as its source, here or with --student",
        )
    return found


def _seeded(run: Settings, seed: int) -> Settings:
    return replace(run, project=run.project.model_copy(update={"training_seed": seed}))


def point_steps(shared: Experiment, fits: Sequence[Fit], sizes: Sequence[Point]) -> Iterator[Step]:
    """Samples, fits, and after the last fit predictions and figures.

    Args: shared: the run, whose seed made the checkpoint that a fit may start from.
    """
    for size in sizes:
        yield rows_step(shared, size)
    made: set[str] = set()
    for fit in fits:
        *before, _ = fitting("train", shared, fit.model, made)
        yield from (stage.step for stage in before)
        yield fit.fit_step()
    yield from (fit.predict_step() for fit in fits)
    for name in dict.fromkeys(fit.spec.name for fit in fits):
        yield figures_step(name, [fit for fit in fits if fit.spec.name == name])


def _result(run: Settings, asked: Scaling, fits: Sequence[Fit], pool: int) -> Json:
    """Figures, hours and cost. Hours are those of the steps' manifests: where one was resumed, of its last start."""
    project, experiment = run.project, fits[0].experiment
    shared = sum(read_manifest(run.run / step.artifact, step.manifest)["seconds"] for step in shared_steps(run))
    names = dict.fromkeys(fit.spec.name for fit in fits)
    return {
        "schema": SCHEMA,
        "metric": project.quality.metric,
        "positive": project.task.positive,
        "gold": count_records(run.run / RECORDS, "train"),
        "pool": pool,
        "asked": list(asked.factors),
        "tests": experiment.tests,
        "seeds": sorted({fit.seed for fit in fits}),
        "price_per_hour": asked.price,
        "shared_hours": shared / 3600,
        "students": [_student(run, asked, name, [fit for fit in fits if fit.spec.name == name]) for name in names],
    }


def _student(run: Settings, asked: Scaling, name: str, fits: Sequence[Fit]) -> Json:
    figures = read_json(run.run / SCALE / "figures" / name / FIGURES_FILE)
    sizes = list(dict.fromkeys(fit.point for fit in fits))
    rows = []
    for number, size in enumerate(sizes):
        own = [read_manifest(run.run / fit.model.artifact)["seconds"] for fit in fits if fit.point == size]
        hours = sum(own) / len(own) / 3600
        before = [pair for pair in figures["over"] if (pair["from"], pair["to"]) == (number - 1, number)]
        rows.append(
            {
                "name": size.name,
                "factor": size.factor,
                "rows": size.rows,
                "whole": size.whole,
                "hours": hours,
                "cost": None if asked.price is None else hours * asked.price,
                **figures["points"][number],
                "over_previous": {split: before[0][split] for split in ("valid", "test")} if before else None,
            }
        )
    return {"student": fits[0].spec.label, "flattens": flattens_at(figures, run.project.quality.metric), "points": rows}
