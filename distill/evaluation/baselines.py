"""What a model is worth against the majority answer, the controls, its gold-only twins and its teachers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from distill.core.files import Json
from distill.evaluation.calibrated_predictions import CalibratedPredictions, Model, References
from distill.evaluation.entries import MAJORITY_METRICS, REMEASURED
from distill.evaluation.holm import corrected
from distill.evaluation.majority import MAJORITY
from distill.evaluation.over_seeds import Seeded
from distill.evaluation.random_answers import RANDOM
from distill.evaluation.statistics import whole_interval

Twins = Mapping[str, Mapping[str, Any]]


def better_twins(
    models: Sequence[Model], predictions: Mapping[str, Sequence[CalibratedPredictions]]
) -> dict[str, Json]:
    """The gold-only twins of each student that has any: `{student: {"best": name, "other": [names]}}`.

    The best has the lowest log loss on validation, after its temperature; the test rows have no say.

    Args: predictions: by model, one for each seed.
    """
    found = {}
    for student in models:
        twins = [model.name for model in models if model.twin_of == student.name]
        if twins:
            best, *other = sorted(twins, key=lambda name: valid_log_loss(predictions[name]) or 0.0)
            found[student.name] = {"best": best, "other": other}
    return found


def valid_log_loss(predictions: Sequence[CalibratedPredictions]) -> float | None:
    """Log loss on validation after the temperature, the mean over seeds; None without validation rows."""
    if any(one.measured_valid is None for one in predictions):
        return None
    return float(np.mean([one.valid.tally.total().log_loss for one in predictions]))


def against_baselines(
    models: Sequence[Model], overall: Mapping[str, Seeded], references: References, twins: Twins, metric: str
) -> dict[str, Json]:
    """The `retention`, `over_majority`, `over_gold` and `over_controls` of each model in report.json.

    None where they do not apply: chance has none of them, and only teachers and students are held against controls.

    Args: overall: by model, over all test rows. twins: of `better_twins`. metric: of `over_gold` and `over_controls`.
    """
    majority = overall[MAJORITY]
    controls = [model.name for model in models if model.control and model.name != MAJORITY]
    found = {}
    for model in models:
        own, kept, gold, knows_nothing = overall[model.name], None, None, model.name in (MAJORITY, RANDOM)
        apart_from_all = knows_nothing or model.role == REMEASURED  # a row on request corrects no other row's p-value
        if model.role != "teacher" and not knows_nothing:
            kept = {
                view: {"metric": model.kept_in, **retention(own, overall[name], majority, model.kept_in)}
                for view, name in references.by_view.items()
            }
        pair = twins.get(model.made_from or model.name)
        if model.role in ("student", "artifact") and pair is not None:
            twin = overall[pair["best"]]
            apart = (own.metric(metric) - twin.metric(metric)).mean_difference()
            gold = {"twin": twin.name, "metric": metric, **apart}
        found[model.name] = {
            "retention": kept,
            "over_majority": None if apart_from_all else over_majority(own, majority),
            "over_gold": gold,
            "over_controls": over_controls(own, [overall[name] for name in controls], metric) if _held(model) else None,
        }
    return _corrected(found)


def over_controls(model: Seeded, controls: Sequence[Seeded], metric: str) -> Json | None:
    """By name of each control the paired difference to it in a metric; None without any."""
    apart = {one.name: (model.metric(metric) - one.metric(metric)).mean_difference() for one in controls}
    return {name: {"metric": metric, **difference} for name, difference in apart.items()} or None


def _held(model: Model) -> bool:
    """Whether it is held against controls: a teacher on the view that it was trained on, or a student."""
    return model.role == "student" or (model.role == "teacher" and model.made_from is None)


def retention(model: Seeded, reference: Seeded, majority: Seeded, metric: str = "f1_macro") -> Json:
    """What the model keeps of the reference's F1 over the majority answer: `{"value", "low", "high"}`.

    Formula: (F1(model) − F1(majority)) / (F1(reference) − F1(majority)), all three on the same rows and resamples. The
    value is None where the reference is not above the majority answer, and so are the ends of its interval where more
    than one resample in 40 says so.

    Args: metric: whose F1: of all classes, or of the positive one.
    """
    own, top, bottom = (one.metric(metric) for one in (model, reference, majority))
    return (own - bottom).share_of(top - bottom).mean(whole_interval)


def over_majority(model: Seeded, majority: Seeded) -> dict[str, Json]:
    """The paired difference to the majority answer in accuracy and macro F1, and to the class priors in log loss."""
    return {name: (model.metric(name) - majority.metric(name)).mean_difference() for name in MAJORITY_METRICS}


def _corrected(found: Mapping[str, Json]) -> dict[str, Json]:
    """The same with corrected p-values: over all figures against the majority answer, twins and controls each."""
    tables: dict[str, dict[tuple[str, ...], Json]] = {"over_majority": {}, "over_gold": {}, "over_controls": {}}
    for name, one in found.items():
        tables["over_gold"] |= {(name,): one["over_gold"]} if one["over_gold"] else {}
        for key in ("over_majority", "over_controls"):
            tables[key] |= {(name, part): apart for part, apart in (one[key] or {}).items()}
    by_place = {key: dict(zip(rows, corrected(list(rows.values())), strict=True)) for key, rows in tables.items()}
    return {
        name: {
            **one,
            "over_gold": by_place["over_gold"].get((name,)),
            **{key: _parts(by_place[key], name, one[key]) for key in ("over_majority", "over_controls")},
        }
        for name, one in found.items()
    }


def _parts(rows: Mapping[tuple[str, ...], Json], name: str, parts: Json | None) -> Json | None:
    return {part: rows[name, part] for part in parts} if parts else parts
