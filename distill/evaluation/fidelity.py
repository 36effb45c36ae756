"""How much of a student's answers an exported file changes: probabilities, decisions, and what each class loses.

Labels alone do not show it: logits three times as large have the same argmax, and none of the probabilities. So both
models are read with the student's temperature and its operating points, as one file that takes the other's place would
be.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from distill.core.files import Json
from distill.core.halves import choosing_half
from distill.evaluation.bootstrap import Bootstrap
from distill.evaluation.calibrated_predictions import ALL, CalibratedPredictions
from distill.evaluation.changed_answers import LEAST_ROWS, NOTHING
from distill.evaluation.flipped import Flips, flipped_points
from distill.evaluation.metrics import BoolArray, FloatArray
from distill.evaluation.ratio import ratio


def fidelity(
    original: Sequence[CalibratedPredictions],
    exported: Sequence[CalibratedPredictions],
    rules: tuple[float, float],
    draws: Bootstrap,
    seed: int = 1,
) -> Json:
    """What a file changes on validation and test rows; over several seeds each figure of the worst.

    Of validation only the half counts that nothing of the file was chosen on, where there are rows enough to halve.

    Args: original: the student's predictions in PyTorch, one for each seed. exported: the file's, on the same rows.
        rules: least precision and recall of the operating points, which every class gets here. draws: resamples of the
        validation rows, on which the operating points are chosen again. seed: of the halves.
    Returns: `rows`; `shift_max` and `shift_mean`, over rows, of the class whose probability changes most; `points`:
        `{"value", "high", "at"}`, the share of rows that an operating point decides otherwise, of the point with the
        largest `high`, the share with the threshold that other validation rows may choose; `class_loss`:
        `{"value", "at"}`, the most precision or recall that a class loses by more than one row.
    """
    pairs = zip(original, exported, strict=True)
    found = [_of_seed(one, other, rules, draws, _judging(one, seed)) for one, other in pairs]
    named = {
        "points": max((one["points"] for one in found), key=_high),
        "class_loss": max((one["class_loss"] for one in found), key=_value),
    }
    shifts = {key: max(one[key] for one in found) for key in ("shift_max", "shift_mean")}
    return {"rows": found[0]["rows"], **shifts, **named}


def _judging(predictions: CalibratedPredictions, seed: int) -> BoolArray:
    """The validation rows that count, bool (N,)."""
    chosen = choosing_half(predictions.valid_clusters, seed)
    return np.ones(len(predictions.valid), np.bool_) if chosen is None else ~chosen


def _of_seed(
    original: CalibratedPredictions,
    exported: CalibratedPredictions,
    rules: tuple[float, float],
    draws: Bootstrap,
    judging: BoolArray,
) -> Json:
    space, objective = original.valid.space, original.valid.space.objective
    here, target = _rows(original, judging)
    there = _rows(exported, judging)[0] * (exported.temperature / original.temperature)
    before, after = objective.probabilities(here), objective.probabilities(there)
    shift = np.abs(before - after).max(axis=1)
    valid = objective.probabilities(original.valid.logits)
    gold = objective.gold_decisions(np.asarray(original.valid.target, np.float64))
    flips = [Flips(before[:, index], after[:, index]) for index in range(len(space))]
    changed: list[Json] = [{**NOTHING, "high": 0.0}]
    for index, name, share in flipped_points(flips, (valid, gold), rules, draws):
        changed.append({**share, "at": f"{name} of {space.labels[index]}"})
    lost: list[Json] = [NOTHING]
    decisions = objective.decisions(here), objective.decisions(there)
    for name, losses in _losses(*decisions, objective.gold_decisions(target)):
        lost += [
            {"value": float(loss), "at": f"{name} of {label}"} for label, loss in zip(space.labels, losses, strict=True)
        ]
    return {
        "rows": len(here),
        "shift_max": float(shift.max()),
        "shift_mean": float(shift.mean()),
        "points": max(changed, key=_high),
        "class_loss": max(lost, key=_value),
    }


def _high(figure: Json) -> tuple[float, float]:
    return float(figure["high"]), _value(figure)


def _value(figure: Json) -> float:
    return float(figure["value"])


def _rows(predictions: CalibratedPredictions, judging: BoolArray) -> tuple[FloatArray, FloatArray]:
    """Logits over the temperature and gold of some validation rows and all tests, float64 (N, K) and (N, C)."""
    valid, test = predictions.valid, predictions.tests[ALL]
    logits = np.concatenate([valid.logits[judging], test.logits]).astype(np.float64)
    return logits, np.concatenate([valid.target[judging], test.target]).astype(np.float64)


def _losses(before: BoolArray, after: BoolArray, gold: BoolArray) -> Iterator[tuple[str, FloatArray]]:
    """Precision and recall (C,) that each class loses; 0 for a loss of no more than one row."""
    rows = np.maximum(before.sum(axis=0), after.sum(axis=0)).astype(np.float64)
    held = [ratio((part & gold).sum(axis=0), part.sum(axis=0)) for part in (before, after)]
    yield "precision", _evident(held[0] - held[1], rows)
    actual = gold.sum(axis=0).astype(np.float64)
    found = [ratio((part & gold).sum(axis=0), actual) for part in (before, after)]
    yield "recall", _evident(found[0] - found[1], actual)


def _evident(loss: FloatArray, rows: FloatArray) -> FloatArray:
    return np.where(loss * rows > LEAST_ROWS + 1e-9, loss, 0.0)
