"""The step that makes every quality figure, of one run or of several that differ in their training seed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distill.core.files import Json
from distill.core.run_folder import EVALUATION, EVALUATION_FILE, RECORDS, RunFolder
from distill.core.steps import Read, Step
from distill.core.work import Work
from distill.evaluation.calibrated_predictions import Model
from distill.pipeline.experiment import Experiment
from distill.pipeline.figures import baseline, predicted, report_models, require_baseline
from distill.pipeline.mixtures import mixing
from distill.pipeline.models import ModelSpec
from distill.pipeline.validation_choices import require_unchosen

if TYPE_CHECKING:
    from distill.evaluation.evaluate import Measuring

_PRIORS = ("train.parquet",)


def evaluate_step(experiment: Experiment) -> Step:
    """Every quality figure of a run, from the prediction files."""
    reads = (Read(RECORDS, _PRIORS), *(Read(RunFolder.predicted(name)) for name in predicted(experiment)))
    reads += tuple(Read(RunFolder.out_of_fold(spec.name)) for spec in experiment.means_of_folds)
    return _step("evaluate", {None: experiment}, reads)


def evaluate_seeds_step(experiments: Mapping[int, Experiment]) -> Step:
    """Every quality figure as a mean over seeds, in the folder above the runs.

    Args: experiments: seed to its run, each with all its predictions made.
    """
    runs = [(one.run.name, one) for one in experiments.values()]
    predictions = [Read(f"{run}/{RunFolder.predicted(name)}") for run, one in runs for name in predicted(one)]
    for run, one in runs:
        predictions += [Read(f"{run}/{RunFolder.out_of_fold(spec.name)}") for spec in one.means_of_folds]
    by_seed: dict[int | None, Experiment] = {seed: one for seed, one in experiments.items()}  # noqa: C416
    return _step("evaluate all seeds", by_seed, (Read(f"{runs[0][0]}/{RECORDS}", _PRIORS), *predictions))


def _models(experiments: Mapping[int | None, Experiment]) -> list[Model]:
    """The rows of the report. What not every seed has is in the seeds' own alone: a mixture that each fitted for
    itself, a file that only some took in place of another one.
    """
    found = report_models(next(iter(experiments.values())))
    if len(experiments) == 1:
        return found
    shared = set.intersection(*(set(predicted(one)) for one in experiments.values()))
    return [model for model in found if not model.temperatures and (model.role != "artifact" or model.name in shared)]


def _step(name: str, experiments: Mapping[int | None, Experiment], reads: tuple[Read, ...]) -> Step:
    first = next(iter(experiments.values()))
    require_unchosen(first)
    project, task, tests, named = first.project, first.project.task, first.tests, baseline(first)

    def body(folder: Path) -> None:
        from distill.core.files import write_json
        from distill.core.record_store import class_shares
        from distill.evaluation.evaluate import Measuring, evaluate

        priors, random = class_shares(first.run / RECORDS), project.controls.random
        asked = project.quality, project.seed, priors, random, project.data.keys, named, project.fall_through
        measuring = Measuring(first.space, *asked)
        folders: Mapping[Any, Path] = {seed: one.run.predictions for seed, one in experiments.items()}
        models = _models(experiments)
        require_baseline(first, [model.name for model in models])
        result = evaluate(models, tests, first.references, folders, measuring)
        crossed = [_out_of_fold(spec, experiments.values(), measuring) for spec in first.means_of_folds]
        write_json(folder / EVALUATION_FILE, {**result, **({"out_of_fold": crossed} if crossed else {})})

    mixed = mixing(first)
    sent_on = project.fall_through.as_fingerprint("most", "latency_ms", "money_per_1000")
    seeds, count = [seed for seed in experiments if seed is not None], len(reads)
    return Step(
        name=name,
        artifact=EVALUATION,
        body=body,
        config={
            "quality": project.quality.as_fingerprint(),
            "task": task.as_fingerprint(),
            "seed": project.seed,
            "tests": tests,
            **({} if project.controls.random else {"random": False}),
            **({"seeds": seeds} if seeds else {}),
            **({"mixtures": mixed} if mixed else {}),
            **({"fall_through": sent_on} if sent_on else {}),
        },
        reads=reads,
        version=17,
        work=lambda rows: Work(rows=sum(rows.get(test, 0) for test in tests) * project.quality.replicates * count),
    )


def _out_of_fold(spec: ModelSpec, experiments: Iterable[Experiment], measuring: Measuring) -> Json:
    """What a teacher's folds are worth on the rows that each has not seen."""
    from distill.core.out_of_fold import read_out_of_fold
    from distill.evaluation.out_of_fold import out_of_fold_entry

    found = [read_out_of_fold(one.run / RunFolder.out_of_fold(spec.name)) for one in experiments]
    return out_of_fold_entry(spec.label, found, measuring)
