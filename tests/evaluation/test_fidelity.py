"""What an exported file may change: faults that leave every label alone are seen in the probabilities."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from distill.core.activations import softmax
from distill.core.halves import choosing_half
from distill.core.label_space import LabelSpace
from distill.core.objectives.multi_label import MultiLabel
from distill.core.project import Gates
from distill.evaluation.bootstrap import Bootstrap
from distill.evaluation.calibrated_predictions import ALL, CalibratedPredictions
from distill.evaluation.calibration import fit_temperature
from distill.evaluation.entries import ModelFigures, Parity
from distill.evaluation.fidelity import fidelity
from distill.evaluation.flipped import Flips, flipped_points
from distill.evaluation.gates import fidelity_gates
from distill.evaluation.operating_points import Curves
from distill.evaluation.scored import Scored

DRAWS = Bootstrap(400, None, 100)
SPACE = LabelSpace(("мимо", "рядом", "точно"))
FILE, STUDENT = "8L@card.onnx-int8", "8L@card"
PARITY = [Parity(name="8L", target="onnx-int8", criterion="decisions", model=FILE)]


def rows(seed, count=400):
    """Logits of a fair classifier that is too sure of itself, and gold."""
    random = np.random.default_rng(seed)
    gold = random.integers(0, 3, count)
    target = np.eye(3)[gold]
    return 2 * (random.normal(size=(count, 3)) + 1.5 * target), target


def calibrated(change=lambda logits: logits, space=SPACE):
    """A model's predictions on validation and test, after a change of its logits, calibrated as the evaluation does."""
    parts = {split: rows(seed) for split, seed in (("valid", 1), (ALL, 2))}
    temperature = fit_temperature(change(parts["valid"][0]), parts["valid"][1], space.objective)
    scored = {
        split: Scored("8L", space, [str(i) for i in range(len(target))], change(logits) / temperature, target)
        for split, (logits, target) in parts.items()
    }
    return CalibratedPredictions(scored["valid"], temperature, None, {ALL: scored[ALL]})


def changed(change, space=SPACE):
    return fidelity([calibrated(space=space)], [calibrated(change, space)], (0.9, 0.9), DRAWS)


def failed(figures, **gates):
    model = ModelFigures(FILE, "artifact", fidelity=figures)
    return {gate.metric: gate for gate in fidelity_gates(Gates(**gates), [model], PARITY) if not gate.passed}


def rounded(logits):
    """What int8 does: a small error of every logit."""
    return logits + np.random.default_rng(7).normal(scale=0.004, size=logits.shape)


def test_the_same_answers_change_nothing():
    nothing = {"value": 0.0, "at": None}
    points = {**nothing, "high": 0.0}
    figures = {"rows": 800, "shift_max": 0.0, "shift_mean": 0.0, "points": points, "class_loss": nothing}
    assert changed(lambda logits: logits) == figures and failed(figures) == {}


def test_rounding_passes():
    assert failed(changed(rounded)) == {}


@pytest.mark.parametrize(
    "fault",
    [lambda logits: 3 * logits, softmax, lambda logits: logits * 0.5, lambda logits: logits + [0, 0, 1.5]],
    ids=["logits times 3", "softmax twice", "half", "one class favoured"],
)
def test_a_fault_in_the_probabilities_fails_though_each_model_is_calibrated_on_its_own(fault):
    assert "int8_shift_mean" in failed(changed(fault)) and "int8_points" in failed(changed(fault))


def test_scaled_logits_change_no_label_and_no_class():
    assert set(failed(changed(lambda logits: 3 * logits))) == {"int8_shift_max", "int8_shift_mean", "int8_points"}


def test_several_labels_are_looked_at_one_by_one():
    space = LabelSpace(SPACE.labels, MultiLabel())
    assert failed(changed(rounded, space)) == {}
    assert "int8_points" in failed(changed(lambda logits: 3 * logits, space))


def lost(count):
    """The change that turns so many right answers of the last class into wrong ones."""

    def change(logits):
        right = np.flatnonzero(logits.argmax(1) == 2)
        gold = {len(part[0]): part[1].argmax(1) for part in map(rows, (1, 2))}[len(logits)]
        other = logits.copy()
        for row in [row for row in right if gold[row] == 2][:count]:
            other[row, :2] = other[row, 2] + 0.01
        return other

    return change


def test_a_class_that_loses_over_a_point_is_named():
    figures = changed(lost(4))["class_loss"]
    assert figures["at"] == "recall of точно" and 0.01 < figures["value"] < 0.05
    gate = failed(changed(lost(4)), int8_class_loss=0.01)["int8_class_loss"]
    assert (gate.required, gate.why) == (0.01, "recall of точно")
    assert "int8_class_loss" not in failed(changed(lost(4)), int8_class_loss=0.2)


def test_one_row_is_no_evidence_of_a_loss():
    small = calibrated()
    few = np.flatnonzero(small.tests[ALL].target[:, 2])[:10]
    part = Scored("8L", SPACE, list(map(str, few)), small.tests[ALL].logits[few], small.tests[ALL].target[few])
    wrong = part.logits.copy()
    wrong[part.logits.argmax(1).tolist().index(2), 0] = 9
    one, other = (
        CalibratedPredictions(small.valid, 1.0, None, {ALL: Scored("8L", SPACE, part.ids, logits, part.target)})
        for logits in (part.logits, wrong)
    )
    assert fidelity([one], [other], (0.9, 0.9), DRAWS)["class_loss"] == {"value": 0.0, "at": None}


def test_of_several_seeds_the_worst_counts():
    both = fidelity([calibrated()] * 2, [calibrated(rounded), calibrated(lambda logits: 3 * logits)], (0.9, 0.9), DRAWS)
    worst = changed(lambda logits: 3 * logits)
    assert {key: both[key] for key in ("shift_max", "points")} == {key: worst[key] for key in ("shift_max", "points")}


def test_only_files_judged_by_their_decisions_are_asked_and_a_gate_set_to_null_is_off():
    model = ModelFigures(FILE, "artifact", fidelity=changed(softmax))
    by_logits = [Parity(name="8L", target="onnx-int8", criterion="parity", model=FILE)]
    assert fidelity_gates(Gates(), [model], by_logits) == []
    assert fidelity_gates(Gates(), [ModelFigures(STUDENT, "student")], PARITY) == []
    off = Gates(int8_shift_max=None, int8_shift_mean=None, int8_points=None, int8_class_loss=None)
    assert fidelity_gates(off, [model], PARITY) == []


def test_validation_rows_that_a_file_was_chosen_on_do_not_judge_it():
    """A file that is wrong on that half alone is as good as its student."""
    clusters = [f"c{row // 4}" for row in range(400)]
    chosen = choosing_half(clusters, 1)
    student = calibrated()
    spoilt = replace(student.valid, logits=np.where(chosen[:, None], -student.valid.logits, student.valid.logits))
    pair = [[replace(one, valid_clusters=clusters)] for one in (student, replace(student, measured_valid=spoilt))]
    found = fidelity(*pair, (0.9, 0.9), DRAWS, 1)
    assert found["rows"] == 600 and found["shift_max"] == 0 and found["points"]["value"] == 0
    assert fidelity(*pair, (0.9, 0.9), DRAWS, 2)["shift_max"] > 0.5
    few = [[replace(one[0], valid_clusters=["a"] * 400)] for one in pair]
    assert (
        fidelity(*few, (0.9, 0.9), DRAWS, 1)["rows"] == 800 and fidelity(*few, (0.9, 0.9), DRAWS, 1)["shift_max"] > 0.5
    )


def test_the_share_of_rows_decided_otherwise_at_any_threshold():
    """Against the definition, at scores and between them."""
    random = np.random.default_rng(0)
    before, after = random.random(60).round(1), random.random(60).round(1)
    at = np.linspace(-0.05, 1.05, 23).round(2)
    expected = [((before >= threshold) != (after >= threshold)).mean() for threshold in at]
    np.testing.assert_allclose(Flips(before, after).share(at), expected)
    assert Flips(before, after).most(at) == pytest.approx(max(expected)) and Flips(before, after).most(at[:0]) == 0


def test_thresholds_are_chosen_again_only_where_they_could_be_decided_otherwise(monkeypatch):
    """A file in fp32: each of 60 classes has some row between two probabilities that differ in the last digits."""
    random, drawn, best = np.random.default_rng(3), [], Curves.best
    before = random.beta(0.2, 2.0, (4000, 60))
    after = np.clip(before * (1 + random.normal(scale=1e-5, size=before.shape)), 0, 1)
    gold = random.random((2000, 60)) < before[:2000]
    flips = [Flips(*pair) for pair in zip(before.T, after.T, strict=True)]

    def counted(curves, weights, *rules):
        drawn.append(len(weights))
        return best(curves, weights, *rules)

    monkeypatch.setattr(Curves, "best", counted)
    assert sum(one.most(column) > 0 for one, column in zip(flips, after.T, strict=True)) == 60
    list(flipped_points(flips, (before[:2000], gold), (0.9, 0.9), Bootstrap(2000, None, 100)))
    assert sum(count > 1 for count in drawn) <= 2 * 10, "two chunks of resamples for a class"


def test_the_gate_asks_for_the_thresholds_that_other_validation_rows_choose():
    """The planted fault: rows change just beside the threshold that validation chose, and none at it."""
    points = changed(rounded)["points"]
    assert points["value"] < points["high"] and points["at"]
    between = (points["value"] + points["high"]) / 2
    assert failed(changed(rounded), int8_points=between)["int8_points"].measured == points["high"]
    assert failed(changed(rounded), int8_points=points["high"]) == {}
    older = ModelFigures(FILE, "artifact", fidelity={**changed(rounded), "points": {"value": 0.01, "at": "f1 of a"}})
    assert [gate.measured for gate in fidelity_gates(Gates(), [older], PARITY) if gate.metric == "int8_points"] == [
        0.01
    ]
