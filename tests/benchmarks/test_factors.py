"""A speed-up taken apart; its factors multiply to the whole."""

import math
from dataclasses import replace

import pytest

from benchmarks.factors import factors
from benchmarks.intervals import Centre

MS = {
    "base@document": 100.0,
    "base@card": 40.0,
    "3L@card": 10.0,
    "3L@card.onnx": 5.0,
    "3L@card.onnx-int8": 2.0,
}


@pytest.fixture
def subjects(subject):
    file = subject("3L@card.onnx", precision="fp32")
    trained = replace(file, name="3L@card", runtime="pytorch", export=None)
    return [
        subject("base@document", "document", "pytorch", "fp32", "teacher"),
        subject("other@card", "card", "pytorch", "fp32", "teacher"),
        subject("base@card", "card", "pytorch", "fp32", "teacher"),
        trained,
        file,
        replace(file, name="3L@card.onnx-int8", precision="int8"),
    ]


def apart(subjects):
    centres = {one.name: Centre(math.log(MS.get(one.name, 1.0)), 1e-4, 3, 2) for one in subjects}
    return {one["model"]: one for one in factors(subjects, centres)}


def test_view_depth_runtime_and_precision_multiply_to_the_whole(subjects):
    found = apart(subjects)
    assert set(found) == {"3L@card.onnx", "3L@card.onnx-int8"}
    int8 = found["3L@card.onnx-int8"]
    named = {part["name"]: part["value"] for part in int8["factors"]}
    assert named == pytest.approx({"view": 2.5, "depth": 4, "runtime": 2, "precision": 2.5})
    assert math.prod(named.values()) == pytest.approx(int8["value"]) and int8["value"] == pytest.approx(50)
    assert all(part["low"] < part["value"] < part["high"] for part in [*int8["factors"], int8])
    assert [part["name"] for part in found["3L@card.onnx"]["factors"]] == ["view", "depth", "runtime"]


def test_what_was_not_timed_is_told_with_the_next_factor(subjects):
    few = [one for one in subjects if one.name not in ("other@card", "base@card", "3L@card")]
    parts = apart(few)["3L@card.onnx-int8"]["factors"]
    assert [(part["name"], part["from"], part["to"]) for part in parts] == [
        ("view × depth × runtime", "base@document", "3L@card.onnx"),
        ("precision", "3L@card.onnx", "3L@card.onnx-int8"),
    ]
    assert math.prod(part["value"] for part in parts) == pytest.approx(50)


def test_a_student_that_reads_documents_has_no_factor_of_the_view(subjects):
    same = [replace(one, view="document") for one in subjects if one.name != "base@card"]
    assert [part["name"] for part in apart(same)["3L@card.onnx"]["factors"]] == ["depth", "runtime"]


def test_without_a_reference_nothing_is_taken_apart(subjects):
    assert apart(subjects[1:]) == {}
