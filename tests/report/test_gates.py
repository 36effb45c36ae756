"""Gates: what is required, what was measured, and the error that lists each failed one."""

from __future__ import annotations

import pytest

from distill.core.errors import GateFailed
from distill.core.project import Gates
from distill.evaluation.entries import Gate, ModelFigures, Parity
from distill.evaluation.gates import (
    judged_parity,
    leak_gate,
    of_seed,
    off_gates,
    over_gold_gates,
    parity_gates,
    retention_gates,
    teacher_gate,
    validation_gate,
)
from distill.report.causes import explained
from distill.report.contents import models_of
from distill.report.failed_gates import gate_line, require, require_no_leak, require_teacher

OFF = Gates(leak=None, parity_fp32=None, int8_flips=None, retention_card=None, over_gold=None)
STUDENT, TWIN, FILE = "8L@card", "8L-gold@card", "8L@card.onnx-int8"


def model(name, role, low):
    retention = None if role == "teacher" else {"document": {"low": 0.1}, "card": {"value": 0.97, "low": low}}
    return ModelFigures(name, role, retention=retention)


@pytest.mark.parametrize(("allowed", "rows", "passed"), [(0, 0, True), (0, 1, False), (3, 3, True), (3, 4, False)])
def test_leaked_rows(allowed, rows, passed):
    (gate,) = leak_gate(Gates(leak=allowed), {"leak_rows": rows})
    assert gate.as_json() == {"name": "leak", "required": allowed, "measured": rows, "passed": passed}


@pytest.mark.parametrize(
    ("required", "low", "passed"), [(0.95, 0.95, True), (0.95, 0.9499, False), (0.95, None, False), (0, 0.0, True)]
)
def test_retention_is_judged_by_its_lower_bound(required, low, passed):
    (gate,) = retention_gates(Gates(retention_card=required), [model("8L@card", "student", low)])
    why = {} if passed else {"why": "it keeps 0.97, its interval is too wide: give more test rows"}
    found = {"name": "retention.card 8L@card", "required": required, "measured": low, "passed": passed}
    assert gate.as_json() == {**found, **why}


def test_a_retention_that_is_too_low_itself_does_not_blame_the_test_rows():
    kept = [{"card": {"value": value, "low": 0.9}} for value in (0.949, None)]
    gates = retention_gates(Gates(), [ModelFigures(STUDENT, "student", retention=one) for one in kept])
    assert [(gate.passed, gate.why) for gate in gates] == [(False, None)] * 2


def test_only_students_and_artifacts_are_judged():
    models = [model(role, role, 0.1) for role in ("teacher", "student", "baseline", "artifact")]
    names = [gate.name for gate in retention_gates(Gates(), models)]
    assert names == ["retention.card student", "retention.card artifact"]


def test_without_a_card_teacher_there_is_no_such_gate():
    kept = [{"document": {"low": 0.1}}, None]
    assert retention_gates(Gates(), [ModelFigures(STUDENT, "student", retention=one) for one in kept]) == []


def test_a_retention_without_a_lower_bound_fails():
    (gate,) = retention_gates(Gates(), [model(STUDENT, "student", None)])
    assert (gate.measured, gate.passed) == (None, False)


def against_twin(name, role, difference, low, high):
    apart = {"twin": TWIN, "metric": "accuracy", "difference": difference, "low": low, "high": high}
    return {"name": name, "role": role, "over_gold": apart}


def scored(name, role, accuracy, valid=0.5):
    view, figures = name.partition("@")[2], {"accuracy": {"value": accuracy}}
    return {"name": name, "role": role, "view": view, "quality": figures, "valid": {"log_loss": valid}}


def run_report(*models, document=0.56, card=0.55, losses=(0.5, 0.6), **more):
    teachers = [
        scored("base@document", "teacher", document, losses[0]),
        scored("base@card", "teacher", card, losses[1]),
    ]
    return {"metric": "accuracy", "models": [*teachers, scored(TWIN, "baseline", 0.751), *models], **more}


def judged(gates, report):
    return over_gold_gates(gates, models_of(report), lambda model: explained(report, model))


BELOW = against_twin(STUDENT, "student", -0.151, -0.165, -0.138)


@pytest.mark.parametrize(
    ("required", "low", "passed"),
    [(-0.01, -0.01, True), (-0.01, -0.0101, False), (0.0, 0.001, True), (0.02, 0.01, False)],
)
def test_a_student_is_judged_by_the_lower_bound_of_its_difference_to_the_twin(required, low, passed):
    (gate,) = judged(Gates(over_gold=required), run_report(against_twin(STUDENT, "student", 0.01, low, 0.03)))
    assert (gate.name, gate.required, gate.measured) == (f"over_gold {STUDENT}", required, low)
    assert gate.passed is passed and ("why" in gate.as_json()) is not passed


def test_of_log_loss_less_is_better():
    worse = against_twin(STUDENT, "student", 0.08, 0.05, 0.11)
    worse["over_gold"]["metric"] = "log_loss"
    (gate,) = judged(Gates(), run_report(worse))
    assert (gate.measured, gate.passed) == (-0.11, False)
    assert "training on gold alone is 0.080 nats better (0.050–0.110)" in gate.why
    better = {**worse, "over_gold": {**worse["over_gold"], "difference": -0.03, "low": -0.05, "high": -0.01}}
    (gate,) = judged(Gates(over_gold=0.005), run_report(better))
    assert (gate.measured, gate.passed) == (0.01, True)


def test_a_student_that_equals_its_twin_passes():
    (gate,) = judged(Gates(), run_report(against_twin(STUDENT, "student", 0.0, -0.006, 0.006)))
    assert gate.passed and "why" not in gate.as_json()


def test_files_are_judged_too_and_baselines_and_teachers_are_not():
    models = [BELOW, {**BELOW, "name": FILE, "role": "artifact"}, {**BELOW, "name": "x", "role": "baseline"}]
    found = judged(Gates(), run_report(*models))
    assert [gate.name for gate in found] == [f"over_gold {STUDENT}", f"over_gold {FILE}"]
    assert all("training on gold alone is 15.1 points better (13.8–16.5)" in gate.why for gate in found)


def test_without_twins_or_with_the_gate_off_nothing_is_judged():
    assert judged(Gates(), run_report({**BELOW, "over_gold": None})) == []
    assert judged(OFF, run_report(BELOW)) == []


def why(report):
    return next(gate.why for gate in judged(Gates(), report) if not gate.passed)


def fit(name, **more):
    reason = "fixed: 3 epochs, still falling 30.0% per epoch"
    return {"model": name, "ended": "fixed", "reason": reason, "slope_per_epoch": -0.3, **more}


def test_a_teacher_stopped_too_early_is_the_cause():
    text = why(run_report(BELOW, document=0.9, training_history=[fit("base@document")]))
    assert "the teacher is the cause: base@document was stopped while it still learned" in text
    assert "(fixed: 3 epochs, still falling 30.0% per epoch): train the teacher longer" in text
    assert "larger encoder" not in text


@pytest.mark.parametrize(
    "more", [{"slope_per_epoch": -0.009}, {"slope_per_epoch": 0.3}, {"slope_per_epoch": None}, {"ended": "converged"}]
)
def test_a_teacher_that_had_learned_is_not_called_undertrained(more):
    text = why(run_report(BELOW, document=0.9, training_history=[fit("base@document", **more)]))
    assert "stopped" not in text


def test_labels_of_the_worse_view_are_the_cause():
    choice = {"taken": "document", "teachers": {"base@document": 1.0}}
    text = why(run_report(BELOW, document=0.9, losses=(0.52, 0.41), choice=choice))
    assert "base@card is better than base@document (log loss 0.410 against 0.520 on validation)" in text
    assert "the labels came from documents: labels: card" in text
    both = {"taken": "mixture", "teachers": {"base@document": 0.3, "base@card": 0.7}}
    assert "came from documents" not in why(run_report(BELOW, document=0.9, losses=(0.52, 0.41), choice=both))
    taken = {"taken": "card", "teachers": {"base@card": 1.0}}
    assert "labels: card" not in why(run_report(BELOW, card=0.9, losses=(0.52, 0.41), choice=taken))


def test_a_teacher_under_the_twin_is_the_cause():
    text = why(run_report(BELOW))
    assert "base@document is 19.1 points under the twin, worse than training the student on gold" in text


def test_a_student_stopped_too_early_is_not_the_teachers_fault():
    text = why(run_report(BELOW, document=0.9, training_history=[fit(STUDENT)]))
    assert f"{STUDENT} was stopped while it still learned" in text and "the teacher is the cause" not in text


def test_where_nothing_else_is_wrong_the_pool_is_not_like_what_is_judged_or_too_small():
    text = why(run_report(BELOW, document=0.9))
    assert "no teacher is under the twin: give a pool of rows like those that are judged, and more of them" in text
    assert "distill scale" in text and "test rows" not in text


def test_where_nothing_else_is_wrong_and_nothing_is_shown_test_rows_are_too_few():
    text = why(run_report(against_twin(STUDENT, "student", -0.015, -0.035, 0.005), document=0.9))
    assert "training on gold alone is 1.5 points better (−0.5…+3.5): the difference is not shown" in text
    assert "give more test rows" in text and "pool" not in text


def test_of_a_file_whose_student_is_sound_the_precision_is_the_cause():
    student = against_twin(STUDENT, "student", 0.01, -0.005, 0.02)
    text = why(run_report(student, {**BELOW, "name": FILE, "role": "artifact"}, document=0.9))
    assert f"{STUDENT} in PyTorch is not under its twin: keep more of it in fp32" in text


def test_an_interval_too_wide_to_tell_asks_for_test_rows():
    text = why(run_report(against_twin(STUDENT, "student", 0.004, -0.02, 0.03)))
    assert "the difference to training on gold alone is +0.4 points (−2.0…+3.0): give more test rows" in text


def test_gates_that_are_off_are_listed_by_name():
    assert off_gates(Gates()) == []
    assert off_gates(Gates(retention_card=None, validation_rows=None)) == ["retention_card", "validation_rows"]


def test_a_failed_gate_says_why_where_it_is_raised():
    gates = judged(Gates(), run_report(BELOW))
    with pytest.raises(
        GateFailed, match=r"over_gold 8L@card: required −0.01, measured −0.165 \(training on gold alone"
    ):
        require(gates, "x")
    assert gate_line(Gate("leak", None, 0, 2, False)) == "leak: required 0, measured 2"


@pytest.mark.parametrize(("required", "rows", "passed"), [(100, 100, True), (100, 99, False), (1, 40, True)])
def test_validation_rows(required, rows, passed):
    (gate,) = validation_gate(Gates(validation_rows=required), rows)
    assert gate.as_json() == {"name": "validation_rows", "required": required, "measured": rows, "passed": passed}


def test_validation_rows_are_not_judged_before_they_are_counted_or_with_the_gate_off():
    assert validation_gate(Gates(), None) == validation_gate(Gates(validation_rows=None), 1) == []


def choice(high, taken="card"):
    """Labels whose log loss less that of the priors reaches up to `high`; the other candidate is far below."""
    other = "document" if taken == "card" else "card"
    candidates = [{"name": other, "over_priors": {"high": -9.0}}, {"name": taken, "over_priors": {"high": high}}]
    return {"taken": taken, "teachers": {f"base@{taken}": 1.0}, "candidates": candidates}


@pytest.mark.parametrize(
    ("required", "high", "measured", "passed"),
    [(0.0, -0.01, 0.01, True), (0.0, 0.0, 0.0, False), (0.0, 0.2, -0.2, False), (0.1, -0.05, 0.05, False)],
)
def test_the_labels_taken_must_beat_the_priors_by_the_lower_bound(required, high, measured, passed):
    (gate,) = teacher_gate(Gates(teacher_over_priors=required), choice(high))
    assert gate.as_json() == {
        "name": "teacher_over_priors card",
        "required": required,
        "measured": pytest.approx(measured),
        "passed": passed,
    }


def test_of_labels_made_elsewhere_validation_knows_nothing():
    assert teacher_gate(Gates(), {**choice(0.2), "imported": ["base@card"]}) == []
    imported = {**choice(-0.2, "document"), "imported": ["base@document"]}
    text = why(run_report(BELOW, losses=(0.52, 0.41), choice=imported, training_history=[fit("base@document")]))
    assert "the teacher is the cause: the labels of base@document were made elsewhere" in text
    assert "the order of the classes" in text and "labels: card" not in text and "stopped" not in text


def test_labels_without_an_interval_fail_and_before_the_choice_or_with_the_gate_off_nothing_is_judged():
    (gate,) = teacher_gate(Gates(), choice(None))
    assert (gate.measured, gate.passed) == (None, False)
    assert teacher_gate(Gates(), None) == teacher_gate(Gates(teacher_over_priors=None), choice(0.2)) == []


def test_a_teacher_that_knows_nothing_is_named_with_how_its_own_fit_ended():
    fits = [fit("base@card"), fit("base@document", reason="converged"), fit("se@card", reason="not of these labels")]
    gates = [gate.as_json() for gate in teacher_gate(Gates(), choice(0.2))]
    report = {"gates": gates, "choice": choice(0.2), "training_history": fits}
    with pytest.raises(GateFailed) as caught:
        require_teacher(report, "runs/x/report.html")
    message = str(caught.value)
    assert caught.value.exit_code == 3 and "the pool was not labelled: base@card" in message
    assert "teacher_over_priors card: required 0, measured −0.2" in message
    assert "base@card: fixed: 3 epochs, still falling 30.0% per epoch" in message
    assert "converged" not in message and "not of these labels" not in message
    assert "gates.teacher_over_priors: null" in message and "ceiling_steps" in message


def test_a_teacher_without_steps_is_not_told_to_train_longer():
    gates = [gate.as_json() for gate in teacher_gate(Gates(), choice(0.2))]
    with pytest.raises(GateFailed, match="give more gold rows, or take another teacher") as caught:
        require_teacher({"gates": gates, "choice": choice(0.2), "training_history": []}, "x")
    assert "ceiling_steps" not in str(caught.value)


def test_a_teacher_that_knows_something_may_label():
    gates = [*teacher_gate(Gates(), choice(-0.1)), *leak_gate(Gates(), {"leak_rows": 2})]
    require_teacher({"gates": [gate.as_json() for gate in gates]}, "x")


def exported(criterion, target="any", **changes):
    figures = {"label_flips": 0.02, "max_abs_diff": 3e-7, "finite": True}
    return {"name": "8L", "target": target, "criterion": criterion, **figures, **changes}


@pytest.mark.parametrize(
    ("criterion", "gates", "changes", "required", "passed"),
    [
        ("parity", {}, {}, 1e-4, True),
        ("parity", {}, {"max_abs_diff": 2e-4}, 1e-4, False),
        ("parity", {}, {"max_abs_diff": None, "finite": False}, 1e-4, False),
        ("parity", {"parity_fp32": None}, {"max_abs_diff": 9.0}, None, True),
        ("parity", {"parity_fp32": None}, {"finite": False}, None, False),
        ("decisions", {}, {}, 0.01, False),
        ("decisions", {"int8_flips": 0.02}, {"max_abs_diff": 9.0}, 0.02, True),
        ("decisions", {"int8_flips": None}, {}, None, True),
    ],
)
def test_an_export_is_judged_by_its_criterion(criterion, gates, changes, required, passed):
    entry = exported(criterion, **changes)
    assert judged_parity(Gates(**gates), [entry]) == [{**entry, "required": required, "passed": passed}]


def test_figures_that_were_judged_while_measuring_are_left_out():
    assert judged_parity(Gates(), [{"name": "8L", "target": "onnx", "required": 1e-4, "passed": True}]) == []


def test_a_parity_gate_names_the_figure_of_the_criterion():
    judged = judged_parity(Gates(), [exported("parity", "onnx"), exported("decisions", "onnx-int8")])
    fp32, int8 = (gate.as_json() for gate in parity_gates(map(Parity.from_json, judged)))
    assert fp32 == {"name": "parity 8L.onnx", "required": 1e-4, "measured": 3e-7, "passed": True}
    assert int8 == {"name": "parity 8L.onnx-int8", "required": 0.01, "measured": 0.02, "passed": False}


def test_a_gate_set_to_null_is_off():
    assert leak_gate(OFF, {"leak_rows": 9}) == []
    assert retention_gates(OFF, [model("8L@card", "student", 0.0)]) == []


def test_failed_gates_are_listed_with_both_figures():
    gates = [
        *leak_gate(Gates(), {"leak_rows": 2}),
        *retention_gates(Gates(), [model("8L@card", "student", 0.9), model("6L@card", "student", 0.99)]),
    ]
    with pytest.raises(GateFailed) as caught:
        require(gates, "runs/x/report.html")
    message = str(caught.value)
    assert caught.value.exit_code == 3 and "2 gates failed" in message and "runs/x/report.html" in message
    assert "leak: required 0, measured 2" in message
    assert "retention.card 8L@card: required 0.95, measured 0.9" in message and "6L@card" not in message


def test_a_leak_names_its_rows_and_the_way_on():
    examples = {"test.a": [f"a{i}" for i in range(20)], "test.b": ["b"]}
    with pytest.raises(GateFailed) as caught:
        require_no_leak(leak_gate(Gates(), {"leak_rows": 21, "leak_examples": examples}), "x")
    message = str(caught.value)
    assert "test.a: a0, a1" in message and "a9; test.b: b" in message and "a10" not in message
    assert "data.on_leak: drop_train" in message and "data.id: null" in message and "bundle" not in message
    require_no_leak(leak_gate(Gates(leak=21), {"leak_rows": 21, "leak_examples": examples}), "x")


def test_nothing_happens_when_all_pass():
    require([], "x")
    require(leak_gate(Gates(), {"leak_rows": 0}), "x")


def test_failed_gates_of_a_seed_carry_its_name_but_for_the_leak_that_all_share():
    passed = {"leak": False, "validation_rows": True, "parity": False}
    gates = [Gate(metric, None, 1, 0, fine) for metric, fine in passed.items()]
    assert [gate.name for gate in of_seed(7, gates)] == ["seed 7: parity"]


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("leak", ("leak", None, None)),
        ("retention.card 8L@card.onnx", ("retention.card", "8L@card.onnx", None)),
        ("seed 12: parity 8L.onnx-int8", ("parity", "8L.onnx-int8", 12)),
    ],
)
def test_a_gate_keeps_its_subject_through_a_report(name, parts):
    entry = {"name": name, "required": 0.9, "measured": None, "passed": False, "why": "few rows"}
    gate = Gate.from_json(entry)
    assert (gate.metric, gate.subject, gate.seed) == parts and gate.as_json() == entry
