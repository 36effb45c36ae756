"""What a model is worth beside its controls: the majority answer, its twins trained on gold alone, and the teachers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from distill.evaluation.calibrated_predictions import Answers, Model, References
from distill.evaluation.majority import MAJORITY
from distill.evaluation.over_seeds import Seeded
from distill.evaluation.statistics import share_interval

OVER_MAJORITY = ("accuracy", "f1_macro", "log_loss")


def better_twins(models: Sequence[Model], answers: Mapping[str, Sequence[Answers]]) -> dict[str, dict[str, Any]]:
    """The gold-only twins of each student that has any: `{student: {"best": name, "other": [names]}}`.

    The best has the lowest log loss on validation, after its temperature; the test rows have no say.

    Args: answers: by model, one for each seed.
    """
    found = {}
    for student in models:
        twins = [model.name for model in models if model.twin_of == student.name]
        if twins:
            best, *other = sorted(twins, key=lambda name: valid_log_loss(answers[name]))
            found[student.name] = {"best": best, "other": other}
    return found


def valid_log_loss(answers: Sequence[Answers]) -> float:
    """Log loss on validation after the temperature, the mean over seeds."""
    return float(np.mean([one.valid.tally.total().log_loss for one in answers]))


def standings(
    models: Sequence[Model],
    overall: Mapping[str, Seeded],
    references: References,
    twins: Mapping[str, Mapping[str, Any]],
    metric: str,
) -> dict[str, dict[str, Any]]:
    """The `retention`, `over_majority` and `over_gold` of each model in report.json; None where they do not apply.

    Args: overall: by model, over all test rows. twins: of `better_twins`. metric: that `over_gold` is measured in.
    """
    majority = overall[MAJORITY]
    found = {}
    for model in models:
        own, kept, gold = overall[model.name], None, None
        if model.role != "teacher" and model.name != MAJORITY:
            kept = {view: retention(own, overall[name], majority) for view, name in references.by_view.items()}
        pair = twins.get(model.made_from or model.name)
        if model.role in ("student", "artifact") and pair is not None:
            twin = overall[pair["best"]]
            apart = (own.metric(metric) - twin.metric(metric)).mean_difference()
            gold = {"twin": twin.name, "metric": metric, **apart}
        over = None if model.name == MAJORITY else over_majority(own, majority)
        found[model.name] = {"retention": kept, "over_majority": over, "over_gold": gold}
    return found


def retention(model: Seeded, reference: Seeded, majority: Seeded) -> dict[str, Any]:
    """What the model keeps of the reference's macro F1 over the majority answer: `{"value", "low", "high"}`.

    Formula: (F1(model) − F1(majority)) / (F1(reference) − F1(majority)), all three on the same rows and resamples. The
    value is None where the reference is not above the majority answer, and so are the ends of its interval where more
    than one resample in 40 says so.
    """
    own, top, floor = (one.metric("f1_macro") for one in (model, reference, majority))
    return (own - floor).share_of(top - floor).mean(share_interval)


def over_majority(model: Seeded, majority: Seeded) -> dict[str, Any]:
    """The paired difference to the majority answer in accuracy and macro F1, and to the class priors in log loss."""
    return {name: (model.metric(name) - majority.metric(name)).mean_difference() for name in OVER_MAJORITY}
