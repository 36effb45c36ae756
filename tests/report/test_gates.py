"""Gates: what is required, what was measured, and the error that lists each failed one."""

from __future__ import annotations

import pytest

from distill.core.errors import GateFailed
from distill.core.project import Gates
from distill.report.gates import leak_gate, of_seed, parity_gates, require, retention_gates

OFF = Gates(leak=None, parity_fp32=None, int8_flips=None, retention_card=None)


def model(name, role, low):
    retention = None if role == "teacher" else {"document": {"low": 0.1}, "card": {"value": 0.97, "low": low}}
    return {"name": name, "role": role, "retention": retention}


@pytest.mark.parametrize(("allowed", "rows", "passed"), [(0, 0, True), (0, 1, False), (3, 3, True), (3, 4, False)])
def test_leaked_rows(allowed, rows, passed):
    (gate,) = leak_gate(Gates(leak=allowed), {"leak_rows": rows})
    assert gate == {"name": "leak", "required": allowed, "measured": rows, "passed": passed}


@pytest.mark.parametrize(
    ("required", "low", "passed"), [(0.95, 0.95, True), (0.95, 0.9499, False), (0.95, None, False), (0, 0.0, True)]
)
def test_retention_is_judged_by_its_lower_bound(required, low, passed):
    (gate,) = retention_gates(Gates(retention_card=required), [model("8L@card", "student", low)])
    assert gate == {"name": "retention.card 8L@card", "required": required, "measured": low, "passed": passed}


def test_only_students_and_artifacts_are_judged():
    models = [model(role, role, 0.1) for role in ("teacher", "student", "baseline", "artifact")]
    names = [gate["name"] for gate in retention_gates(Gates(), models)]
    assert names == ["retention.card student", "retention.card artifact"]


def test_parity_is_as_its_check_decided():
    entry = {"name": "8L", "required": 1e-4, "label_flips": 0.02, "max_abs_diff": 3e-7, "passed": True}
    fp32, int8 = parity_gates(
        [{**entry, "target": "onnx"}, {**entry, "target": "onnx-int8", "required": 0.01, "passed": False}]
    )
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
    assert caught.value.exit_code == 3 and "2 of 3 gates failed" in message and "runs/x/report.html" in message
    assert "leak: required 0, measured 2" in message
    assert "retention.card 8L@card: required 0.95, measured 0.9" in message and "6L@card" not in message


def test_nothing_happens_when_all_pass():
    require([], "x")
    require(leak_gate(Gates(), {"leak_rows": 0}), "x")


def test_failed_gates_of_a_seed_carry_its_name_but_for_the_leak_that_all_share():
    gates = [{"name": name, "passed": passed} for name, passed in (("leak", False), ("a", True), ("b", False))]
    assert of_seed(7, gates) == [{"name": "seed 7: b", "passed": False}]
