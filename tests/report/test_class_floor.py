"""Floors of single classes: which figure is judged, by which bound, and what a project may not ask for."""

from __future__ import annotations

import pytest

from distill.core.class_floor import ClassFloor
from distill.core.config import parse
from distill.core.errors import UserError
from distill.core.project import Gates, Project
from distill.evaluation.entries import Gate, ModelFigures
from distill.evaluation.gates import class_floor_gates

FIGURES = {"f1_interval": [0.84, 0.9], "precision_interval": [0.8, 0.9], "recall_interval": [0.7, 0.9]}
QUALITY = {"per_class": {"о товаре": FIGURES, "мимо": FIGURES}}


def judged(floor, role="student", quality=QUALITY):
    return class_floor_gates(Gates(class_floor=floor), [ModelFigures("8L@card", role, quality=quality)])


@pytest.mark.parametrize(
    ("floor", "figure", "low", "passed"),
    [
        (0.84, "f1", 0.84, True),
        (0.85, "f1", 0.84, False),
        ({"precision": 0.79}, "precision", 0.8, True),
        ({"recall": 0.71}, "recall", 0.7, False),
    ],
)
def test_each_figure_is_judged_by_its_lower_bound(floor, figure, low, passed):
    (gate,) = judged({"о товаре": floor})
    assert (gate.name, gate.measured, gate.passed) == (f"class_floor.{figure} 8L@card: о товаре", low, passed)
    assert Gate.from_json(gate.as_json()) == gate and gate.subject == "8L@card"


def test_every_floor_of_a_class_is_a_gate_and_teachers_have_none():
    floor = {"о товаре": {"f1": 0.5, "recall": 0.5}, "мимо": 0.5}
    assert len(judged(floor)) == len(judged(floor, "artifact")) == 3
    assert judged(floor, "teacher") == judged(floor, "baseline") == judged(None) == judged({}) == []


def test_a_class_without_test_rows_fails_and_says_why():
    (gate,) = judged({"мимо": 0.5}, quality={"absent": ["мимо"], "per_class": {"мимо": {"f1_interval": [None, None]}}})
    assert not gate.passed and gate.why == "no test row has the label"


def test_a_class_of_too_few_test_rows_fails_and_says_why():
    (gate,) = judged({"мимо": 0.5}, quality={"per_class": {"мимо": {"f1": 1.0, "f1_interval": [None, None]}}})
    assert not gate.passed and gate.why == "too few test rows have the label for an interval"


def test_an_unknown_class_is_an_error_before_anything_runs():
    views = {name: {"left": ["a"], "max_tokens": 32} for name in ("document", "card")}
    data = {"id": "id", "label": "y", "train": ["a.csv"], "test": {"x": "b.csv"}}
    values = {"task": {"labels": ["да", "нет"]}, "data": data, "views": views}
    assert parse(Project, {**values, "gates": {"class_floor": {"да": 0.5}}}, "p.yaml").gates.class_floor
    with pytest.raises(UserError, match=r"gates\.class_floor: 'может быть' is not among the labels"):
        parse(Project, {**values, "gates": {"class_floor": {"может быть": 0.5}}}, "p.yaml")


def test_a_floor_asks_for_something():
    with pytest.raises(ValueError, match="asks for nothing"):
        ClassFloor.model_validate({})
