"""How good a student is at each size of the pool, and by how much a larger size is better: paired, with intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path

from distill.core.files import Json
from distill.evaluation.calibrated_predictions import ALL, Model, read_calibrated
from distill.evaluation.direction import LOWER_IS_BETTER
from distill.evaluation.evaluate import Measuring
from distill.evaluation.holm import corrected
from distill.evaluation.over_seeds import Seeded, comparison
from distill.evaluation.scored import Scored

VALID, TEST = "valid", "test"


def scale_figures(
    labels: Sequence[str], tests: Sequence[str], predictions: Mapping[int, Path], measuring: Measuring
) -> Json:
    """The figures of one student at each size, on validation and on all test rows, means over seeds.

    Args: labels: names of the models, by rising size. tests: the test splits. predictions: seed to its folder.
    Returns: `{"points": [{"valid": {metric: {"value", "low", "high"}}, "test": …}], "over": [{"from", "to",
        "valid": {metric: {"difference", "low", "high", "p_value", "p_holm"}}, "test": …}]}`; `over` has every pair of
        sizes, by number, as larger minus smaller.
    """
    read = [_seeds(label, tests, predictions, measuring) for label in labels]
    both = {split: _on(split, read, measuring) for split in (VALID, TEST)}
    names = list(dict.fromkeys((measuring.quality.metric, "log_loss")))
    return {
        "points": [
            {split: {name: models[index].metric(name).mean() for name in names} for split, models in both.items()}
            for index in range(len(labels))
        ],
        "over": _over(both, names),
    }


def flattens_at(figures: Json, metric: str) -> int | None:
    """The number of the first size from which on none is better than the size before it, by an interval on validation.

    None where the last size is better than the one before it, or there is one size only.
    """
    points = len(figures["points"])

    def better(larger: int, smaller: int) -> bool:
        pair = next(one for one in figures["over"] if (one["from"], one["to"]) == (smaller, larger))
        low, high = (pair[VALID][metric][end] for end in ("low", "high"))
        return bool(high is not None and high < 0 if metric in LOWER_IS_BETTER else low is not None and low > 0)

    flat = (
        first for first in range(1, points) if not any(better(larger, first - 1) for larger in range(first, points))
    )
    return next(flat, None)


def _seeds(
    label: str, tests: Sequence[str], predictions: Mapping[int, Path], measuring: Measuring
) -> dict[str, list[Scored]]:
    model = Model(label, "student", "", "")
    read = [
        read_calibrated(model, tests, folder, measuring.space, measuring.quality) for folder in predictions.values()
    ]
    return {VALID: [one.valid for one in read], TEST: [one.tests[ALL] for one in read]}


def _on(split: str, read: Sequence[Mapping[str, list[Scored]]], measuring: Measuring) -> list[Seeded]:
    """The models on one split, with resamples shared by all."""
    bootstrap = read[0][split][0].bootstrap(measuring.quality.replicates, measuring.seed)
    return [Seeded(one[split], bootstrap) for one in read]


def _over(both: Mapping[str, Sequence[Seeded]], names: Sequence[str]) -> list[Json]:
    """Every pair of sizes on each split, with p-values corrected over all of them."""
    sizes = range(len(next(iter(both.values()))))
    places = [(pair, split, name) for pair in combinations(sizes, 2) for split in both for name in names]
    rows = [comparison(both[split][larger], both[split][smaller], name) for (smaller, larger), split, name in places]
    found: dict[tuple[int, int], Json] = {
        pair: {"from": pair[0], "to": pair[1], **{split: {} for split in both}} for pair in combinations(sizes, 2)
    }
    for (pair, split, name), row in zip(places, corrected(rows), strict=True):
        found[pair][split][name] = {key: row[key] for key in ("difference", "low", "high", "p_value", "p_holm")}
    return list(found.values())
