"""Steps of `distill scale`: nested samples of the pool, a fit of each student on each, and their figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from distill.core.files import write_json
from distill.core.run_folder import RECORDS, RunFolder
from distill.core.selection.nested import Point
from distill.core.steps import Read, Step
from distill.pipeline.experiment import Experiment
from distill.pipeline.models import ModelSpec
from distill.pipeline.steps.fit import fit_step
from distill.pipeline.steps.predict import predict_step

SCALE, ORDER, FIGURES_FILE = "scale", "scale/order", "figures.json"


@dataclass(frozen=True)
class Fit:
    """One student on one sample with one seed. Attributes: experiment: of the seed. spec: of the student as it is."""

    experiment: Experiment
    spec: ModelSpec
    point: Point

    @property
    def seed(self) -> int:
        """Of its weights and of the order of its rows."""
        return self.experiment.project.weights_seed

    @property
    def model(self) -> ModelSpec:
        """The student, on the sample; one that answers alike for all rows is a low point, no reason to end the run."""
        name = f"{self.spec.name}-{self.point.name}"
        training = getattr(self.spec.config, "training", None)
        may = {} if training is None else {"training": training.model_copy(update={"may_collapse": True})}
        return replace(
            self.spec,
            config=self.spec.config.model_copy(update=may),
            name=name,
            label=f"{name}@{self.spec.view}",
            artifact=f"{SCALE}/{self.point.name}/seed-{self.seed}/{self.spec.name}",
            selection=rows_of(self.point),
        )

    @property
    def predictions(self) -> str:
        """The folder of this seed's predictions."""
        return f"{SCALE}/predictions/seed-{self.seed}"

    def fit_step(self) -> Step:
        """Trains it."""
        step = fit_step(self.experiment, self.model)
        return replace(step, name=f"train {self.model.name}, seed {self.seed}")

    def predict_step(self) -> Step:
        """Its predictions on validation and test."""
        step = predict_step(self.experiment, self.model)
        name = f"predict {self.model.label}, seed {self.seed}"
        return replace(step, name=name, artifact=f"{self.predictions}/{self.model.label}")


def rows_of(point: Point) -> str:
    """The artifact of a sample."""
    return f"{SCALE}/{point.name}/rows"


def order_step(experiment: Experiment, like: ModelSpec) -> Step:
    """The rows of the pool that can be learnt, in the order in which samples take them.

    Args: like: a student: its labels and its selection are those of all.
    """
    run, seed = experiment.run, experiment.project.seed
    labels = {RunFolder.labels(name): share for name, share in experiment.teachers_of(like).items()}
    selection = experiment.selection(like)

    def body(folder: Path) -> None:
        from distill.training.scaling import order_pool

        stores = {run / store: share for store, share in labels.items()}
        order_pool(stores, experiment.space.objective, run / selection if selection else None, seed, folder)

    reads = (*map(Read, labels), *([Read(selection)] if selection else []))
    return Step(name="order pool rows", artifact=ORDER, body=body, config={"seed": seed}, reads=reads)


def rows_step(experiment: Experiment, point: Point) -> Step:
    """A sample."""
    sources = [split for split in experiment.labelled_splits if split != "train"]

    def body(folder: Path) -> None:
        from distill.training.scaling import take_first

        take_first(experiment.run / ORDER, point.rows, sources, folder)

    return Step(
        name=f"take {point.rows} pool rows",
        artifact=rows_of(point),
        body=body,
        config={"rows": point.rows, "sources": sources},
        reads=(Read(ORDER),),
    )


def figures_step(student: str, fits: Sequence[Fit]) -> Step:
    """The figures of one student. Args: fits: of all its sizes, rising, and seeds."""
    first = fits[0].experiment
    labels = list(dict.fromkeys(fit.model.label for fit in fits))
    folders: Mapping[int, str] = {fit.seed: fit.predictions for fit in fits}
    project = first.project

    def body(folder: Path) -> None:
        from distill.core.record_store import class_shares
        from distill.evaluation.evaluate import Measuring
        from distill.evaluation.scaling import scale_figures

        measuring = Measuring(first.space, project.quality, project.seed, class_shares(first.run / RECORDS))
        read = {seed: first.run / name for seed, name in folders.items()}
        write_json(folder / FIGURES_FILE, scale_figures(labels, first.tests, read, measuring))

    return Step(
        name=f"measure {student} at {len(labels)} sizes",
        artifact=f"{SCALE}/figures/{student}",
        body=body,
        config={
            "quality": project.quality.as_fingerprint(),
            "task": project.task.as_fingerprint(),
            "seed": project.seed,
            "tests": first.tests,
            "labels": labels,
            "seeds": list(folders),
        },
        reads=(Read(RECORDS, ("train.parquet",)), *(Read(fit.predict_step().artifact) for fit in fits)),
        version=2,
    )
