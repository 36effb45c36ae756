"""What a target declares that its files may change: asked of each file, named where it fails."""

import pytest

from distill.core.limits import Limits
from distill.core.project import Gates
from distill.evaluation.entries import Parity
from distill.evaluation.gates import changes_gates, exceeded, judged_parity

LIMITS = {"decisions": 0.005, "class_f1": 0.01}


def changes(decisions=0.0, class_f1=0.0, shift_max=0.0, flips=0.0):
    places = {"decisions": {"value": decisions, "at": "recall@P>=0.9 of yes"}, "class_f1": None}
    places["class_f1"] = {"value": class_f1, "at": "maybe"}
    return {"flips": flips, "shift_max": shift_max, **places}


def check(limits=LIMITS, **found):
    return Parity("8L", "onnx-int8", criterion="decisions", changes=changes(**found), limits=limits)


def told(gates, parity):
    return {gate.metric: (gate.required, gate.measured, gate.passed, gate.why) for gate in changes_gates(gates, parity)}


@pytest.mark.parametrize(
    ("metric", "measured", "at"),
    [("decisions", 0.006, "recall@P>=0.9 of yes"), ("class_f1", 0.011, "maybe"), ("shift_max", 0.2, None)],
)
def test_what_a_target_declares_is_asked(metric, measured, at):
    limits = {**LIMITS, "shift_max": 0.1}
    good, bad = (told(Gates(), [check(limits, **found)]) for found in ({}, {metric: measured}))
    assert set(good) == set(bad) == {"shift_max", "decisions", "class_f1"}
    assert all(passed and why is None for _, _, passed, why in good.values())
    assert bad[metric] == (limits[metric], measured, False, at)
    assert all(passed for name, (_, _, passed, _) in bad.items() if name != metric)


def test_the_gate_names_file_and_point():
    gates = changes_gates(Gates(), [check(decisions=0.02)])
    assert gates[0].as_json() == {
        "name": "decisions 8L.onnx-int8",
        "required": 0.005,
        "measured": 0.02,
        "passed": False,
        "why": "recall@P>=0.9 of yes",
    }


@pytest.mark.parametrize("metric", ["decisions", "class_f1"])
def test_the_project_may_say_otherwise_than_the_target(metric):
    parity = [check(**{metric: 0.03})]
    assert not told(Gates(), parity)[metric][2]
    assert told(Gates(**{metric: 0.04}), parity)[metric] == (0.04, 0.03, True, None)
    assert not told(Gates(**{metric: 0.02}), [check({}, **{metric: 0.03})])[metric][2]
    assert metric not in told(Gates(**{metric: None}), parity)


def test_nothing_is_asked_of_files_without_such_figures_or_limits():
    assert changes_gates(Gates(), [Parity("8L", "onnx"), check({}, decisions=0.5)]) == []
    without_gold = Parity("8L", "onnx-int8", changes={**changes(), "class_f1": None}, limits=LIMITS)
    assert set(told(Gates(), [without_gold])) == {"decisions"}


@pytest.mark.parametrize(
    ("project", "target", "required"), [(0.01, 0.002, 0.002), (0.001, 0.002, 0.001), (None, 0.3, 0.3)]
)
def test_of_two_limits_of_labels_the_smaller_counts(project, target, required):
    entry = {"criterion": "decisions", "finite": True, "label_flips": 0.0015, "limits": {"flips": target}}
    (found,) = judged_parity(Gates(int8_flips=project), [entry])
    assert (found["required"], found["passed"]) == (required, required >= 0.0015)


def test_what_is_exceeded_is_named_and_what_is_not_finite_exceeds():
    found = changes(decisions=0.006, shift_max=float("nan"), flips=0.01)
    assert exceeded(Limits(decisions=0.005, shift_max=1, flips=0.01), found) == ["shift_max", "decisions"]
    assert exceeded(Limits(), found) == []
