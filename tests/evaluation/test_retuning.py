"""Temperature and thresholds on fresh rows: figures are of the half that did not choose, and another mix is weights."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import f1_score

from distill.core.errors import UserError
from distill.core.label_space import LabelSpace
from distill.core.objectives.multi_label import MultiLabel
from distill.evaluation.calibration import fit_temperature
from distill.evaluation.metrics import log_loss
from distill.evaluation.positive_alone import PositiveAlone
from distill.evaluation.retuning import Fresh, Tuned, corrected, measured, tune
from distill.evaluation.safe_points import Chosen, Rule, asked_rule

SPACE = LabelSpace(("no", "maybe", "yes"), positive="yes")
RULES = [Rule("f1", "f1"), asked_rule("precision>=0.6")]


def drawn(count, shares, seed=1, sharpness=2.0):
    """Logits that are calibrated at `sharpness` where the classes are equally frequent, and one-hot gold by
    `shares`.
    """
    random = np.random.default_rng(seed)
    gold = random.choice(3, count, p=shares)
    logits = random.normal(0, 1, (count, 3)) + np.eye(3)[gold]
    return logits * sharpness, np.eye(3, dtype=np.float32)[gold]


def fresh(target, size=2, **more):
    clusters = np.arange(len(target)) // size
    return Fresh(SPACE, target, clusters, [f"c{number}" for number in clusters], **more)


def test_each_half_is_measured_with_what_the_other_has_chosen():
    logits, target = drawn(400, [0.3, 0.3, 0.4])
    rows = fresh(target)
    found = measured(rows, logits, Tuned(1.0, {"f1": Chosen(0.4)}), RULES)
    half, losses, decided = rows.half(), np.empty(400), np.empty(400, np.bool_)
    for chosen_on in (half, ~half):
        tuned = tune(rows.taken(chosen_on), logits[chosen_on], RULES)
        scaled = logits[~chosen_on] / tuned.temperature
        losses[~chosen_on] = SPACE.objective.row_log_loss(scaled, np.asarray(target[~chosen_on], np.float64))
        decided[~chosen_on] = SPACE.objective.probabilities(scaled)[:, 2] >= tuned.points["f1"].threshold
    after, before = found["after"], found["before"]
    assert after["log_loss"]["value"] == pytest.approx(losses.mean())
    assert after["log_loss"]["low"] < losses.mean() < after["log_loss"]["high"]
    assert after["points"]["f1"]["recall"]["value"] == pytest.approx(decided[target[:, 2] == 1].mean())
    assert before["log_loss"]["value"] == pytest.approx(log_loss(logits, target))
    assert before["points"].keys() == {"f1"} and before["points"]["f1"]["cost"] is None
    gap = found["log_loss_change"]
    assert gap["difference"] == pytest.approx(losses.mean() - log_loss(logits, target)) and gap["high"] < 0


def test_a_class_that_was_learnt_alone_is_judged_by_its_yes_or_no():
    """Other rows among the rest, which the model does not know, do not move the probability of the positive class."""
    random = np.random.default_rng(1)
    chance = random.beta(0.6, 1.4, 2000)
    held = random.random(2000) < chance
    logits = np.stack([*np.log(np.full((2000, 2), [0.97, 0.03])).T, np.log(chance / (1 - chance))], axis=1)
    target = np.eye(3, dtype=np.float32)[np.where(held, 2, random.integers(0, 2, 2000))]
    rows = replace(fresh(target), space=replace(SPACE, objective=PositiveAlone(2)))
    tuned = tune(rows, logits, RULES)
    assert tuned.temperature == pytest.approx(1, abs=0.1) and tune(fresh(target), logits, ()).temperature > 2
    found = measured(rows, logits, Tuned(1.0), RULES)["before"]
    said = np.log(np.where(held, chance, 1 - chance))
    assert found["log_loss"]["value"] == pytest.approx(-said.mean())
    sure = np.maximum(chance, 1 - chance)
    assert found["ece"]["value"] == pytest.approx(_ece(sure, (chance >= 0.5) == held)) and found["ece"]["value"] < 0.05


def _ece(sure, right):
    """The formula of `Tally.ece`."""
    bins = np.ceil(sure * 15)
    return sum(abs((right[bins == one] - sure[bins == one]).sum()) for one in np.unique(bins)) / len(sure)


def test_a_point_that_a_half_does_not_reach_has_no_figures():
    logits, target = drawn(300, [0.4, 0.4, 0.2])
    found = measured(fresh(target), logits, Tuned(1.0), [asked_rule("precision>=0.99")])
    assert found["after"]["points"] == {"recall@P>=0.99": None} and found["before"]["points"] == {}


def test_rows_that_are_weighed_choose_as_rows_of_that_mix_do():
    shares = np.array([0.05, 0.25, 0.7])
    logits, target = drawn(6000, [1 / 3] * 3)
    there, true = drawn(6000, shares, seed=2)
    mixed = fresh(target, shares=shares)
    tuned, own = tune(mixed, logits, RULES), tune(fresh(true), there, RULES)
    assert mixed.weights.sum() == pytest.approx(6000) and mixed.weights[target[:, 2] == 1][0] == pytest.approx(
        2.1, rel=0.1
    )
    assert tuned.temperature == pytest.approx(fit_temperature(there, true), rel=0.1)
    chances = [
        SPACE.objective.probabilities(rows / one.temperature)[:, 2] for rows, one in ((logits, tuned), (there, own))
    ]
    for rule in RULES:
        taken = [
            np.mean(chance >= one.points[rule.name].threshold)
            for chance, one in zip(chances, (tuned, own), strict=True)
        ]
        assert abs(mixed.weights @ (chances[0] >= tuned.points[rule.name].threshold) / 6000 - taken[1]) < 0.06
    # What the mix would gain if clients could shift probabilities, which is what the true rows say too.
    temperature = tune(fresh(target), logits, ()).temperature
    shifted = corrected(mixed, logits / temperature)
    assert shifted < log_loss(logits / tuned.temperature, target, SPACE.objective, mixed.weights) - 0.05
    bias = np.log(shares / target.mean(axis=0))
    assert shifted == pytest.approx(log_loss(there / temperature + bias, true), abs=0.03)


def test_costs_decide_between_the_positive_class_and_the_best_other():
    logits, target = drawn(400, [0.3, 0.3, 0.4])
    costs = np.array([[0, 1, 8], [1, 0, 8], [1, 1, 0]], np.float64)
    found = tune(fresh(target, costs=costs), logits, [Rule("f1", "f1"), Rule("least_cost", "least_cost")]).points
    assert found["least_cost"].threshold > found["f1"].threshold
    told = measured(
        fresh(target, costs=costs), logits, Tuned(1.0, {"f1": Chosen(0.5)}), [Rule("least_cost", "least_cost")]
    )
    assert told["after"]["points"]["least_cost"]["cost"] < told["before"]["points"]["f1"]["cost"]


def test_several_labels_have_a_threshold_each():
    random = np.random.default_rng(7)
    space = LabelSpace(("a", "b"), objective=MultiLabel())
    target = (random.random((200, 2)) < 0.4).astype(np.float32)
    logits = random.normal(0, 1, (200, 2)) + 2 * target
    rows = Fresh(space, target, np.arange(200), [str(number) for number in range(200)])
    tuned = tune(rows, logits, ())
    assert tuned.class_thresholds.keys() == {"a", "b"} and tuned.points == {}
    before = Tuned(2.0, class_thresholds={"a": 0.9, "b": 0.2})
    found = measured(rows, logits, before, ())
    assert found["after"]["points"] == {}
    decided, gold = np.empty((200, 2), np.bool_), target > 0
    for chosen_on in (rows.half(), ~rows.half()):
        own = tune(rows.taken(chosen_on), logits[chosen_on], ())
        least = [own.class_thresholds[label] for label in space.labels]
        decided[~chosen_on] = space.objective.probabilities(logits[~chosen_on] / own.temperature) >= least
    old = space.objective.probabilities(logits / 2.0) >= [0.9, 0.2]
    for side, held in (("before", old), ("after", decided)):
        told = found[side]["at_thresholds"]
        assert told["f1_macro"]["value"] == pytest.approx(f1_score(gold, held, average="macro"))
        assert told["f1_micro"]["value"] == pytest.approx(f1_score(gold, held, average="micro"))
        assert told["accuracy"]["value"] == pytest.approx((gold == held).all(axis=1).mean())
        assert all(one["low"] < one["value"] < one["high"] for one in told.values())
    assert found["after"]["at_thresholds"]["f1_macro"]["value"] > found["before"]["at_thresholds"]["f1_macro"]["value"]
    assert measured(rows, logits, Tuned(2.0), ())["before"]["at_thresholds"] is None
    logits, target = drawn(200, [0.3, 0.3, 0.4])
    assert "at_thresholds" not in measured(fresh(target), logits, Tuned(1.0), RULES)["after"]


def test_too_few_clusters_are_refused_with_their_number():
    logits, target = drawn(118, [0.3, 0.3, 0.4])
    with pytest.raises(UserError, match=r"at least 60 clusters[\s\S]*FILE[\s\S]*59 clusters in 118 rows"):
        measured(fresh(target, source="FILE"), logits, Tuned(1.0), RULES)
