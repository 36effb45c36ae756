"""Every quality figure of a run, from its prediction files alone; over several seeds the means."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from distill.core.fall_through import FallThrough
from distill.core.files import Json
from distill.core.halves import FEWEST_CLUSTERS
from distill.core.label_space import LabelSpace
from distill.core.progress import progress
from distill.core.project import Quality
from distill.evaluation.baselines import against_baselines, better_twins, valid_log_loss
from distill.evaluation.beside_baseline import beside_baseline
from distill.evaluation.bootstrap import Bootstrap
from distill.evaluation.by_slice import by_slice, slice_draws
from distill.evaluation.calibrated_predictions import (
    ALL,
    JOINED,
    CalibratedPredictions,
    Model,
    References,
    read_calibrated,
)
from distill.evaluation.calibration import at_bound
from distill.evaluation.calibration_effect import calibration_effect
from distill.evaluation.class_thresholds import at_thresholds
from distill.evaluation.confusions import confusion_matrix
from distill.evaluation.disagreements import disagreements
from distill.evaluation.entries import REMEASURED, ModelFigures
from distill.evaluation.exact_tests import with_exact
from distill.evaluation.fall_through import Sending, fall_through
from distill.evaluation.fidelity import fidelity
from distill.evaluation.gap import gaps
from distill.evaluation.holm import corrected
from distill.evaluation.majority import MAJORITY, MODEL, majority_predictions
from distill.evaluation.metrics import FloatArray
from distill.evaluation.over_seeds import METRICS, Seeded, comparison
from distill.evaluation.point_figures import Thresholds, choose_again
from distill.evaluation.precision_recall import MOST_CLASSES, precision_recall
from distill.evaluation.quality import mean_thresholds, quality
from distill.evaluation.random_answers import MODEL as RANDOM_MODEL
from distill.evaluation.random_answers import RANDOM, random_predictions
from distill.evaluation.reliability import reliability
from distill.evaluation.scored import Scored, require_same_rows
from distill.evaluation.validation_order import validation_order

_UNSURE = (MAJORITY, RANDOM)  # they say the same of every row
MOST_SLICES = 30
"""Slices in which students are compared with the teacher."""
_ON_VALIDATION = 1  # keeps the draws of validation rows apart from those of test rows

BySeed = Sequence[CalibratedPredictions]
ByTest = Mapping[str, Seeded]
FoldersBySeed = Mapping[int, Path] | Mapping[None, Path]


@dataclass(frozen=True)
class Measuring:
    """How a run is measured.

    Attributes: space: the classes. quality: the project's settings. seed: of the bootstrap. priors: (C,) share of
        training rows with each label. random: whether answers drawn by these shares are a model too. keys: names of
        `data.keys`. baseline: name of the model that every other one is set beside; None: none is. sent_on: shares of
        the records that are sent on to the teacher.
    """

    space: LabelSpace
    quality: Quality
    seed: int
    priors: FloatArray
    random: bool = True
    keys: Sequence[str] = ()
    baseline: str | None = None
    sent_on: FallThrough = field(default_factory=FallThrough)


def evaluate(
    models: Sequence[Model],
    tests: Sequence[str],
    references: References,
    predictions_by_seed: FoldersBySeed,
    measuring: Measuring,
) -> Json:
    """Quality and comparisons of all models: `tests`, `keys`, `models`, `twins` and `comparisons` of report.json.

    For its page there are `precision_recall` and `confusion_matrix` of teachers and students, `reliability`, the bins
    of each model, `disagreements` of each student with the document
    teacher, over several seeds of the first one, `slices_apart`, its difference to that teacher in each of the 30
    largest slices, `gaps`, the parts of that difference, `calibration`, what that does for teachers and students, and
    `validation_order`, whether validation ranks as the test does; see there.

    Temperature, thresholds and the better gold-only twin are chosen on validation; test rows are only measured.
    Probabilities, log loss and ECE are those after the temperature, as they are served. The models end with the
    majority answer and chance.

    Over several seeds every figure is the mean of the seeds, and each with an interval also has its `spread`, the least
    and the greatest of them. Retention is the mean of the ratios in each seed. Temperatures and thresholds are means
    too, of those that each seed chose on validation; an operating point that any seed did not reach is null. A better
    twin has the lowest mean log loss on validation.

    With `test: [test, valid]` each model has a quality block `joined` over both, and `joined` the comparisons on both;
    everything else stays on the test rows alone. With a `baseline` its name is in the result, and each quality block
    has `over_baseline`, see `beside_baseline`.

    `keys`: of each key its `name`, its number of `values` by test, and the tests in which it has too few of them and is
    `left_out` of the draws. A key that prediction files of an older version do not have is missing.

    Args: tests: names of the test splits (`test.unseen`). predictions_by_seed: seed to its folder of prediction
        folders; a single run has the one key None, and then there are no `seeds` in the result.
    Raises: UserError for missing or unpaired predictions, for seeds scored on different rows, and for tests with under
        30 clusters.
    """
    folders, space = list(predictions_by_seed.values()), measuring.space
    predictions: dict[str, BySeed] = {
        model.name: [read_calibrated(model, tests, folder, space, measuring.quality) for folder in folders]
        for model in models
    }
    leads = next(iter(predictions.values()))
    for one in (one for by_seed in predictions.values() for one in by_seed):
        _require_paired(leads[0], one)
    models = [*models, MODEL]
    predictions[MAJORITY] = [majority_predictions(lead, measuring.priors) for lead in leads]
    if measuring.random:
        models.append(RANDOM_MODEL)
        predictions[RANDOM] = [random_predictions(lead, measuring.priors) for lead in leads]
    measured = _measured(predictions, measuring)
    valid = leads[0].measured_valid
    on_valid = valid.bootstrap(measuring.quality.replicates, (measuring.seed, _ON_VALIDATION)) if valid else None
    chosen = _chosen(predictions, measuring, on_valid)
    overall = {name: by_test[ALL] for name, by_test in measured.items()}
    twins = better_twins(models, predictions)
    against = against_baselines(models, overall, references, twins, measuring.quality.metric)
    beside = _beside(models, measured, measuring.baseline)
    names = metrics(space, measuring.quality.metric)
    named = [seed for seed in predictions_by_seed if seed is not None]
    compared = with_exact(corrected(list(_comparisons(models, overall, names))), overall)
    students = [model.name for model in models if model.role == "student"]
    return {
        **({"seeds": named} if named else {}),
        **({"baseline": measuring.baseline} if measuring.baseline else {}),
        "references": references.by_view,
        "tests": [_short(test) for test in tests],
        "keys": _keys(measured[MAJORITY], measuring.keys),
        "models": [
            _entry(
                one,
                predictions[one.name],
                {
                    test: quality(own, chosen[one.name])
                    | _at_thresholds(own, predictions[one.name])
                    | beside.get((one.name, test), {})
                    for test, own in measured[one.name].items()
                },
                against[one.name] | _kept(one, predictions, measuring, on_valid),
            )
            for one in models
        ],
        "twins": twins,
        "comparisons": compared,
        "gaps": gaps(compared, students, references),
        "reliability": {name: reliability(one.scored) for name, one in overall.items() if name not in _UNSURE},
        "disagreements": list(_disagreements(models, overall, references)),
        **_by_class(models, overall, space),
        "slices_apart": list(_slices_apart(models, overall, references, measuring)),
        "calibration": list(_calibration(models, predictions, overall, measuring)),
        **_order(models, predictions, overall, on_valid, measuring.quality.metric),
        **_joined(models, measured, names),
        **_sent_on(models, predictions, references, overall, measuring),
    }


def metrics(space: LabelSpace, main: str) -> list[str]:
    """The figures that two models are compared by, the run's own `quality.metric` (`main`) always among them."""
    known = [name for name in METRICS if name != "f1_positive" or space.positive]
    return known if main in known else [*known, main]


def _require_paired(one: CalibratedPredictions, other: CalibratedPredictions) -> None:
    if one.measured_valid is not None:
        require_same_rows(one.valid, other.valid)
    require_same_rows(one.tests[ALL], other.tests[ALL])


def _measured(predictions: Mapping[str, BySeed], measuring: Measuring) -> dict[str, ByTest]:
    """Every model on each test split and on all; all models share the resamples."""
    lead, replicates = next(iter(predictions.values()))[0], measuring.quality.replicates
    draws = {test: scored.bootstrap(replicates, measuring.seed) for test, scored in lead.tests.items()}
    found: dict[str, ByTest] = {}
    with progress("resampling", len(predictions), unit="models") as advance:
        for name, by_seed in predictions.items():
            found[name] = {test: Seeded([one.tests[test] for one in by_seed], draws[test]) for test in draws}
            advance(len(found))
    return found


def _at_thresholds(model: Seeded, predictions: BySeed) -> Json:
    """`at_thresholds`: the figures at a threshold for each class; nothing where one label holds."""
    thresholds = [one.class_thresholds for one in predictions if one.class_thresholds is not None]
    return {"at_thresholds": at_thresholds(model, thresholds)} if thresholds else {}


def _beside(
    models: Sequence[Model], measured: Mapping[str, ByTest], baseline: str | None
) -> dict[tuple[str, str], Json]:
    """`over_baseline` by model and test; empty without a baseline, and none of the baseline itself.

    Rows on another view are corrected apart: asked for or not, they change no other row's p-value.
    """
    if baseline is None:
        return {}
    tables = [[one.name for one in models if (one.role == REMEASURED) is apart] for apart in (False, True)]
    return {
        (name, test): {"over_baseline": found}
        for test in measured[baseline]
        for table in tables
        for name, found in beside_baseline({one: measured[one][test] for one in [baseline, *table]}, baseline).items()
    }


def _chosen(
    predictions: Mapping[str, BySeed], measuring: Measuring, on_valid: Bootstrap | None
) -> dict[str, list[Thresholds]]:
    """The thresholds of every model in each seed, chosen again on resamples of validation that all models share."""
    return {
        name: [
            Thresholds(one.thresholds, choose_again(one.valid, on_valid, *_rules(measuring)))
            for one in by_seed
            if one.thresholds is not None and on_valid is not None
        ]
        for name, by_seed in predictions.items()
    }


def _comparisons(models: Sequence[Model], overall: Mapping[str, Seeded], names: Sequence[str]) -> Iterator[Json]:
    for model in models:
        for rival in model.rivals:
            for metric in names:
                yield comparison(overall[model.name], overall[rival], metric)


def _disagreements(models: Sequence[Model], overall: Mapping[str, Seeded], references: References) -> Iterator[Json]:
    """Every student, in its first seed, against the document teacher."""
    if references.document is not None and references.document in overall:
        teacher = overall[references.document].scored[0]
        for model in (model for model in models if model.role == "student"):
            yield disagreements(overall[model.name].scored[0], teacher)


def _by_class(models: Sequence[Model], overall: Mapping[str, Seeded], space: LabelSpace) -> Json:
    """Of each teacher and student `precision_recall`, in its first seed, and the whole `confusion_matrix`.

    The latter where a record has one of at most ten labels.
    """
    shown = [model.name for model in models if model.role in ("teacher", "student")]
    whole = shown if len(space.labels) <= MOST_CLASSES and not space.objective.several else []
    return {
        "precision_recall": {name: precision_recall(overall[name].scored[0]) for name in shown},
        "confusion_matrix": {name: confusion_matrix(overall[name]) for name in whole},
    }


def _slices_apart(
    models: Sequence[Model], overall: Mapping[str, Seeded], references: References, measuring: Measuring
) -> Iterator[Json]:
    """Every student against the document teacher, slice by slice; nothing without slices."""
    teacher = overall.get(references.document or "")
    if teacher is None or teacher.scored[0].slices is None:
        return

    def draw(scored: Scored) -> Bootstrap | None:
        enough = scored.cluster_count >= FEWEST_CLUSTERS
        return scored.bootstrap(measuring.quality.replicates, measuring.seed) if enough else None

    draws = slice_draws(teacher.scored[0], draw, MOST_SLICES)
    for model in (model for model in models if model.role == "student"):
        yield by_slice(overall[model.name].scored, teacher.scored, draws)


def _calibration(
    models: Sequence[Model],
    predictions: Mapping[str, BySeed],
    overall: Mapping[str, Seeded],
    measuring: Measuring,
) -> Iterator[Json]:
    """Each teacher and student with and without calibration, where validation calibrates."""
    if measuring.quality.calibrate and measuring.space.objective.tempered:
        for model in (model for model in models if model.role in ("teacher", "student")):
            yield calibration_effect(overall[model.name], predictions[model.name])


def _order(
    models: Sequence[Model],
    predictions: Mapping[str, BySeed],
    overall: Mapping[str, Seeded],
    on_valid: Bootstrap | None,
    metric: str,
) -> Json:
    """`validation_order` of everything that was fitted; nothing without validation rows or two models."""
    fitted = [one.name for one in models if one.role in ("teacher", "student", "baseline") and one.name not in _UNSURE]
    if on_valid is None or len(fitted) < 2:
        return {}
    valid = {name: Seeded([one.valid for one in predictions[name]], on_valid) for name in fitted}
    return {"validation_order": validation_order(valid, {name: overall[name] for name in fitted}, metric)}


def _joined(models: Sequence[Model], measured: Mapping[str, ByTest], names: Sequence[str]) -> Json:
    """`joined`: the comparisons on test and validation rows together; nothing where they are not asked for."""
    overall = {name: by_test[JOINED] for name, by_test in measured.items() if JOINED in by_test}
    return {"joined": {"comparisons": corrected(list(_comparisons(models, overall, names)))}} if overall else {}


def _sent_on(
    models: Sequence[Model],
    predictions: Mapping[str, BySeed],
    references: References,
    overall: Mapping[str, Seeded],
    measuring: Measuring,
) -> Json:
    """`fall_through`: the curves of every file that may be served; nothing without a teacher, or a choice to make."""
    teacher = references.document or references.card
    if teacher is None or not measuring.quality.calibrate or predictions[teacher][0].measured_valid is None:
        return {}
    how = Sending(measuring.sent_on, overall[teacher].bootstrap, measuring.seed)
    found = [
        {"model": one.name, "teacher": teacher, **fall_through(predictions[one.name], predictions[teacher], how)}
        for one in models
        if one.role == "artifact" or one.only_measured
    ]
    return {"fall_through": found} if found else {}


def _kept(model: Model, predictions: Mapping[str, BySeed], measuring: Measuring, on_valid: Bootstrap | None) -> Json:
    """`fidelity`: what an exported file changes of its student's answers; nothing for other models."""
    if model.role != "artifact" or model.made_from is None or on_valid is None:
        return {}
    pair, rules = (predictions[model.made_from], predictions[model.name]), _rules(measuring)
    return {"fidelity": fidelity(*pair, rules, on_valid, measuring.seed)}


def _rules(measuring: Measuring) -> tuple[float, float]:
    return measuring.quality.precision_at_least, measuring.quality.recall_at_least


def _entry(model: Model, predictions: BySeed, blocks: Mapping[str, Json], against: Mapping[str, Any]) -> Json:
    """One of the `models` of report.json. Args: blocks: quality by test. against: of `against_baselines`, `_kept`."""
    thresholds = [one.thresholds for one in predictions if one.thresholds is not None]
    return ModelFigures(
        name=model.name,
        role=model.role,
        preset=model.preset,
        view=model.view,
        layers=model.layers,
        parameters=model.parameters,
        temperature=float(np.mean([one.temperature for one in predictions])),
        thresholds=mean_thresholds(thresholds),
        valid={"log_loss": valid_log_loss(predictions)},
        quality=blocks[ALL],
        tests={_short(test): block for test, block in blocks.items() if test not in (ALL, JOINED)},
        joined=blocks.get(JOINED),
        **against,
        at_bound=True if any(at_bound(one.temperature) for one in predictions) else None,
        class_thresholds=mean_thresholds([one.class_thresholds for one in predictions if one.class_thresholds]),
        made_from=model.made_from,
        recipe_of=model.recipe_of,
        only_measured=model.only_measured,
        control=model.control,
        mixture=model.mixture,
    ).as_json()


def _keys(any_model: ByTest, names: Sequence[str]) -> list[Json]:
    """How each key is drawn in each test and in all."""
    draws = {_short(test): seeded.bootstrap for test, seeded in any_model.items() if test != JOINED}
    known = min(len(one.values) for one in draws.values())
    return [
        {
            "name": name,
            "values": {test: one.values[place] for test, one in draws.items()},
            "left_out": [test for test, one in draws.items() if not one.drawn[place]],
        }
        for place, name in enumerate(names[:known])
    ]


def _short(test: str) -> str:
    """The name of a test split as the user wrote it: `unseen` for `test.unseen`."""
    return test.removeprefix("test.")
