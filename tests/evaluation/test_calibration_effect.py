"""Both ways of calibrating beside none: planted faults are mended on test rows, and validation alone chooses."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import brier_score_loss

from distill.core.activations import softmax
from distill.core.halves import FEWEST_CLUSTERS
from distill.core.label_space import LabelSpace
from distill.core.objectives.multi_label import MultiLabel
from distill.core.objectives.single_label import SINGLE
from distill.evaluation.calibrated_predictions import ALL, CalibratedPredictions
from distill.evaluation.calibration import fit_temperature
from distill.evaluation.calibration_effect import calibration_effect, row_brier
from distill.evaluation.isotonic import FEWEST_ROWS, fit_isotonic
from distill.evaluation.over_seeds import Seeded
from distill.evaluation.scored import Scored

SPACE = LabelSpace(("мимо", "точно"))


def drawn(rows, bend, seed):
    """Logits that `bend` made of those that the gold was drawn from."""
    random = np.random.default_rng(seed)
    true = np.stack([np.zeros(rows), 2.5 * random.normal(size=rows)], axis=1)
    gold = (random.random(rows) < softmax(true)[:, 1]).astype(int)
    return bend(true), np.eye(2)[gold]


def scored(logits, target):
    return Scored("8L@card", SPACE, [f"r{i}" for i in range(len(logits))], logits.astype(np.float32), target)


def effect(bend, rows=FEWEST_ROWS, replicates=100, clusters=None):
    (valid, gold), (test, own) = drawn(rows, bend, 1), drawn(2000, bend, 2)
    temperature = fit_temperature(valid, gold)
    model = scored(test / temperature, own)
    clusters = clusters or [f"c{i // 2}" for i in range(rows)]
    read = CalibratedPredictions(scored(valid / temperature, gold), temperature, None, {ALL: model}, clusters)
    return calibration_effect(Seeded([model], model.bootstrap(replicates)), [read])


def jump(logits):
    """Sure of everything: no temperature mends it, as the true logits are a bend of these."""
    return np.sign(logits) * np.abs(logits) ** 0.2 * 4 + np.array([0.0, 2.5])


def test_a_planted_temperature_is_mended_by_both_ways_and_not_by_none():
    found = effect(lambda logits: 3 * logits)
    none, temperature, isotonic = (found["ways"][way] for way in ("none", "temperature", "isotonic"))
    for figure in ("log_loss", "brier", "ece"):
        assert temperature[figure]["value"] < none[figure]["value"]
        assert none[figure]["low"] <= none[figure]["value"] <= none[figure]["high"]
    assert temperature["ece"]["value"] < 0.03 < none["ece"]["value"] and isotonic["ece"]["value"] < 0.05
    assert found["better"] == "temperature" and found["rows"] == FEWEST_ROWS
    said = sum(one["decisions"] * (one["confidence"] - one["right"]) for one in found["before"])
    assert said / 2000 == pytest.approx(none["ece"]["value"], abs=0.02)


def test_what_no_temperature_mends_validation_gives_to_the_isotonic_way():
    found = effect(jump)
    assert found["better"] == "isotonic" and found["cross_fitted"]["isotonic"] < found["cross_fitted"]["temperature"]
    assert found["ways"]["isotonic"]["log_loss"]["value"] < found["ways"]["temperature"]["log_loss"]["value"]


def test_as_few_clusters_as_an_interval_needs_leave_no_fold_empty():
    """Dealt by the hashes of their names, these would all come to four of the five folds."""
    found = effect(jump, clusters=[f"25.site{i % FEWEST_CLUSTERS}.example" for i in range(FEWEST_ROWS)])
    assert found["better"] == "isotonic"


def test_with_fewer_validation_rows_the_isotonic_way_is_not_tried():
    found = effect(jump, rows=FEWEST_ROWS - 1)
    assert set(found["ways"]) == {"none", "temperature"} and "better" not in found


def test_the_brier_score_is_that_of_scikit_learn():
    logits, target = drawn(300, lambda logits: logits, 5)
    expected = 2 * brier_score_loss(target[:, 1], softmax(logits)[:, 1])  # both classes count
    assert row_brier(logits, target, SINGLE).mean() == pytest.approx(expected)
    several = row_brier(np.zeros((4, 3)), np.ones((4, 3)), MultiLabel())
    assert several == pytest.approx(0.25)


def test_isotonic_probabilities_sum_to_one_and_never_say_never():
    logits, target = drawn(200, lambda logits: 9 * logits, 7)
    chances = softmax(fit_isotonic(logits, target, SINGLE)(100 * logits))
    assert chances.sum(axis=1) == pytest.approx(1) and chances.min() > 1e-3
