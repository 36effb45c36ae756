"""What another form of a model changes of its answers on the same records: labels, decisions, F1 of each class.

Thresholds and temperature are the original's, chosen once and given to both, so that only the form differs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from distill.core.files import Json
from distill.core.objectives.objective import Objective
from distill.evaluation.calibration import fit_temperature
from distill.evaluation.metrics import BoolArray, FloatArray, f1_score
from distill.evaluation.operating_points import choose

FIGURES = ("flips", "shift_max", "decisions", "class_f1")
LEAST_ROWS = 1  # one record more or less is no evidence, however few there are
NOTHING: Json = {"value": 0.0, "at": None}


@dataclass(frozen=True)
class Point:
    """An operating point. Attributes: index: of its class. name: as reports have it. least: probability."""

    index: int
    name: str
    least: float


@dataclass(frozen=True)
class Points:
    """Where a model is read. Attributes: temperature: of its logits. points: of every class, as far as it has them."""

    temperature: float
    points: Sequence[Point]


def choose_points(
    logits: NDArray[np.float32], target: NDArray[np.float32], objective: Objective, rules: tuple[float, float]
) -> Points:
    """The temperature and the operating points of every class that these records choose.

    Args: logits: of the original, (N, K). target: gold (N, C). rules: least precision and recall, as for `choose`.
    """
    temperature = fit_temperature(logits, target, objective)
    chances = objective.probabilities(logits.astype(np.float64) / temperature)
    gold = objective.gold_decisions(target.astype(np.float64))
    found = [
        Point(index, name, least)
        for index in range(chances.shape[1])
        for name, least in choose(chances[:, index], gold[:, index], *rules).items()
        if least is not None
    ]
    return Points(temperature, found)


@dataclass(frozen=True)
class Reading:
    """How records are read and what is known of them.

    Attributes: objective: of the task. labels: its C classes. points: temperature and operating points. target: gold
        (N, C) of the records; None where nobody knows it.
    """

    objective: Objective
    labels: Sequence[str]
    points: Points
    target: NDArray[np.float32] | None = None


def changed_answers(before: NDArray[np.float32], after: NDArray[np.float32], how: Reading) -> Json:
    """What a form with the logits `after` changes of the answers of the one with `before`, both (N, K).

    Returns: `flips`, the share of records whose label differs; `shift_max`, the largest change of a probability;
        `decisions`, `{"value", "at"}`: the share decided otherwise at the operating point where that is most;
        `class_f1`, `{"value", "at"}`: the most F1 that a class loses, None without gold. A difference of one record
        counts as none in the last two. Logits that are not finite count as another label.
    """
    here, there = before.astype(np.float64), after.astype(np.float64)
    objective, temperature = how.objective, how.points.temperature
    old, new = objective.probabilities(here / temperature), objective.probabilities(there / temperature)
    flipped = (objective.decisions(here) != objective.decisions(there)).any(axis=1) | ~np.isfinite(after).all(axis=1)
    found: Json = {
        "flips": float(flipped.mean()),
        "shift_max": float(np.abs(old - new).max()),
        "decisions": max([NOTHING, *_decided_otherwise(old, new, how)], key=_value),
    }
    if how.target is None:
        return {**found, "class_f1": None}
    gold = objective.gold_decisions(how.target.astype(np.float64))
    lost = _lost(objective.decisions(here), objective.decisions(there), gold)
    named = [{"value": loss, "at": label} for label, loss in zip(how.labels, lost, strict=True)]
    return {**found, "class_f1": max([NOTHING, *named], key=_value)}


def _decided_otherwise(old: FloatArray, new: FloatArray, how: Reading) -> Iterator[Json]:
    for point in how.points.points:
        rows = int(((old[:, point.index] >= point.least) != (new[:, point.index] >= point.least)).sum())
        share = rows / len(old) if rows > LEAST_ROWS else 0.0
        yield {"value": share, "at": f"{point.name} of {how.labels[point.index]}"}


def _lost(before: BoolArray, after: BoolArray, gold: BoolArray) -> list[float]:
    """The F1 that each class loses; 0 where at most one record more is decided wrongly."""
    scores = [
        f1_score(*((one & gold).sum(axis=0).astype(np.float64), one.sum(axis=0), gold.sum(axis=0)))
        for one in (before, after)
    ]
    more_wrong = (after != gold).sum(axis=0) - (before != gold).sum(axis=0)
    return [float(loss) for loss in np.where(more_wrong > LEAST_ROWS, scores[0] - scores[1], 0.0)]


def _value(figure: Json) -> float:
    return float(figure["value"])
