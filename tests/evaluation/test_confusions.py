"""Which classes are taken for which."""

from __future__ import annotations

import numpy as np
from sklearn import metrics as reference

from distill.core.label_space import LabelSpace
from distill.core.objectives.multi_label import MultiLabel
from distill.evaluation.bootstrap import Bootstrap
from distill.evaluation.calibrated_predictions import CalibratedPredictions
from distill.evaluation.confusions import MOST_PAIRS, confusions
from distill.evaluation.over_seeds import Seeded
from distill.evaluation.random_answers import random_predictions
from distill.evaluation.scored import Scored


def scored(logits, target, space):
    ids = [str(index) for index in range(len(target))]
    return Scored("model", space, ids, np.asarray(logits, np.float64), np.asarray(target, np.float64))


def seeded(*models):
    return Seeded(models, Bootstrap(len(models[0]), None, 100))


def of_many_classes(rows=3000, classes=151):
    random = np.random.default_rng(3)
    space = LabelSpace(tuple(f"class {index}" for index in range(classes)))
    gold, predicted = random.integers(0, classes, rows), random.integers(0, classes, rows)
    return space, gold, predicted


def test_the_most_frequent_pairs_are_those_of_the_confusion_matrix():
    space, gold, predicted = of_many_classes()
    found = confusions(seeded(scored(np.eye(151)[predicted], np.eye(151)[gold], space)))
    matrix = reference.confusion_matrix(gold, predicted, labels=range(151))
    per_class = matrix.sum(axis=1)
    np.fill_diagonal(matrix, 0)
    assert found["kinds"] == (matrix > 0).sum() and len(found["pairs"]) == MOST_PAIRS
    assert [pair["rows"] for pair in found["pairs"]] == sorted(matrix.ravel(), reverse=True)[:MOST_PAIRS]
    for pair in found["pairs"]:
        actual, taken = space.labels.index(pair["gold"]), space.labels.index(pair["predicted"])
        assert pair["rows"] == matrix[actual, taken]
        assert pair["share"] == pair["rows"] / 3000 and pair["of_gold"] == pair["rows"] / per_class[actual]


def test_seeds_are_averaged_and_a_model_without_errors_has_no_pair():
    space, target = LabelSpace(("да", "нет")), np.eye(2)[[0] * 20 + [1] * 20]
    right, wrong = scored(target, target, space), scored(1 - target, target, space)
    assert confusions(seeded(right)) == {"kinds": 0, "pairs": []}
    pairs = confusions(seeded(right, wrong))["pairs"]
    assert [(pair["gold"], pair["predicted"], pair["rows"]) for pair in pairs] == [("да", "нет", 10), ("нет", "да", 10)]


def test_of_several_labels_a_missed_one_is_confused_with_each_that_is_wrong():
    space = LabelSpace(("a", "b", "c"), MultiLabel())
    target, logits = np.tile([1, 1, 0], (30, 1)), np.tile([9.0, -9, 9], (30, 1))
    pairs = confusions(seeded(scored(logits, target, space)))["pairs"]
    assert [(pair["gold"], pair["predicted"], pair["rows"]) for pair in pairs] == [("b", "c", 30)]


def test_answers_by_chance_are_confused_as_often_as_is_expected():
    space, target = LabelSpace(("a", "b", "c")), np.eye(3)[[0] * 20 + [1] * 20]
    like = scored(target, target, space)
    drawn = random_predictions(CalibratedPredictions(like, 1.0, None, {"all": like}), np.array([0.5, 0.2, 0.3]))
    pairs = confusions(seeded(drawn.tests["all"]))["pairs"]
    assert (pairs[0]["gold"], pairs[0]["predicted"]) == ("b", "a")
    np.testing.assert_allclose([pair["rows"] for pair in pairs], [10, 6, 6, 4])
