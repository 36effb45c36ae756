"""Figures at a threshold that was chosen on validation, where other validation rows would have chosen another one.

Validation is drawn again too, the threshold chosen again on each of its resamples, and applied to a resample of the
rows to report. The interval so holds both: other rows to report, and other rows to choose on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from distill.core.files import Json
from distill.evaluation.bootstrap import Bootstrap
from distill.evaluation.figure import SHARE, Figure
from distill.evaluation.influence import influence
from distill.evaluation.metrics import FloatArray
from distill.evaluation.operating_points import FIGURES, Curves, counts, measured
from distill.evaluation.over_seeds import Seeded
from distill.evaluation.scored import Scored
from distill.evaluation.statistics import whole_interval


@dataclass(frozen=True)
class Thresholds:
    """Thresholds of the positive class by rule, as validation chose them in one seed.

    Attributes: chosen: None for a rule that validation did not reach. drawn: float64 (R,), chosen again on each
        resample of validation, NaN where it was not reached.
    """

    chosen: Mapping[str, float | None]
    drawn: Mapping[str, FloatArray]


def choose_again(
    valid: Scored, bootstrap: Bootstrap, precision_at_least: float, recall_at_least: float
) -> dict[str, FloatArray]:
    """The thresholds of `choose` on each resample of validation, (R,) by rule. Args: bootstrap: over its rows."""
    curves = Curves(*valid.positive())
    chunks = [
        curves.best(bootstrap.by_row(weights), precision_at_least, recall_at_least) for weights in bootstrap.weights()
    ]
    return {rule: np.concatenate([chunk[rule] for chunk in chunks]) for rule in chunks[0]}


def points(model: Seeded, thresholds: Sequence[Thresholds]) -> dict[str, Json | None]:
    """The figures of each operating point by rule: means over seeds, each seed at its own threshold.

    Args: model: on the rows to report. thresholds: one for each seed.
    Returns: None for a rule that validation did not reach in a seed; else `threshold`, `accuracy`, `precision`,
        `recall`, `f1`, and of each of these four its `…_interval`, and its `…_spread` over several seeds. An interval
        has no ends where one resample in 40 does not reach the rule.
    """
    if not thresholds:
        return {}
    rules = thresholds[0].chosen
    reached = [rule for rule in rules if all(one.chosen[rule] is not None for one in thresholds)]
    sums = [_sums(scored, model.bootstrap, one, reached) for scored, one in zip(model.scored, thresholds, strict=True)]
    return {
        rule: _point(model, [_known(one, rule) for one in thresholds], [both[reached.index(rule)] for both in sums])
        if rule in reached
        else None
        for rule in rules
    }


def _known(thresholds: Thresholds, rule: str) -> float:
    threshold = thresholds.chosen[rule]
    assert threshold is not None
    return threshold


def _point(model: Seeded, thresholds: Sequence[float], sums: Sequence[tuple[FloatArray, FloatArray]]) -> Json:
    """Args: thresholds: of each seed. sums: of each seed, (R, 4) at its threshold and at those drawn."""
    seeds = list(zip(model.scored, thresholds, strict=True))
    measured_in = [measured(*scored.positive(), threshold) for scored, threshold in seeds]
    found: Json = {name: float(np.mean([one[name] for one in measured_in])) for name in measured_in[0]}
    columns = [counts(scored.positive()[0] >= threshold, scored.positive()[1]) for scored, threshold in seeds]
    for name, figure in FIGURES.items():
        fixed = np.stack([figure(at_chosen) for at_chosen, _ in sums])
        again = np.stack([figure(at_drawn) for _, at_drawn in sums])
        moved = np.stack([influence(figure, one) for one in columns]) if model.bootstrap.several else None
        values = np.array([one[name] for one in measured_in])
        mean = Figure(values, fixed, model.bootstrap, moved, again - fixed, SHARE).mean(whole_interval)
        found[f"{name}_interval"] = [mean["low"], mean["high"]]
        if "spread" in mean:
            found[f"{name}_spread"] = mean["spread"]
    return found


def _sums(
    scored: Scored, bootstrap: Bootstrap, thresholds: Thresholds, rules: Sequence[str]
) -> list[tuple[FloatArray, FloatArray]]:
    """Of each rule the sums of `counts` on each resample (R, 4): at its threshold, and at those chosen again."""
    if not rules:
        return []
    drawn = np.stack([thresholds.drawn[rule] for rule in rules], axis=1)
    fixed = np.broadcast_to([_known(thresholds, rule) for rule in rules], drawn.shape)
    found = _at(scored, bootstrap, np.concatenate([fixed, drawn], axis=1))
    return [(found[:, place], found[:, place + len(rules)]) for place in range(len(rules))]


def _at(scored: Scored, bootstrap: Bootstrap, thresholds: FloatArray) -> FloatArray:
    """Sums of `counts` (R, T, 4) on each resample at its own thresholds (R, T); NaN where a threshold is."""
    chances, actual = scored.positive()
    order = np.argsort(-chances, kind="stable")
    above = np.searchsorted(-chances[order], -thresholds, side="right")  # rows at or above each threshold
    parts, start = [], 0
    for weights in bootstrap.weights():
        drawn = bootstrap.by_row(weights)[:, order].astype(np.int32)
        places = above[start : start + len(drawn)]
        start += len(drawn)
        predicted, true_positives = _running(drawn), _running(drawn * actual[order])
        parts.append(
            np.stack(
                [
                    np.take_along_axis(true_positives, places, axis=1),
                    np.take_along_axis(predicted, places, axis=1),
                    np.broadcast_to(true_positives[:, -1:], places.shape),
                    np.broadcast_to(predicted[:, -1:], places.shape),
                ],
                axis=-1,
            )
        )
    return np.where(np.isnan(thresholds)[..., None], np.nan, np.concatenate(parts))


def _running(values: NDArray[np.int32]) -> NDArray[np.int32]:
    """Sums of the first 0, 1, … N columns (r, N + 1)."""
    found = np.zeros((len(values), values.shape[1] + 1), np.int32)
    np.cumsum(values, axis=1, out=found[:, 1:])
    return found
