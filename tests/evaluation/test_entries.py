"""Entries of report.json: what is written comes back, and older reports say the same by their names."""

from __future__ import annotations

from pathlib import Path

import pytest

from distill.core.files import read_json
from distill.evaluation.entries import Comparison, LatencyRow, ModelFigures, Parity

RESULTS = sorted((Path(__file__).parents[2] / "benchmarks" / "results").glob("*.json"))
REPORTS = [path for path in RESULTS if "kind" not in read_json(path)]


@pytest.mark.parametrize("path", REPORTS, ids=lambda path: path.stem)
def test_stored_entries_come_back_as_they_were(path):
    report = read_json(path)
    for key, kind in (("comparisons", Comparison), ("latency", LatencyRow)):
        for entry in report[key]:
            written = kind.from_json(entry).as_json()
            assert {name: written[name] for name in entry} == entry
    for entry in report["models"]:
        written = ModelFigures.from_json(entry).as_json()
        assert {name: written[name] for name in entry} == entry


@pytest.mark.parametrize(
    ("name", "role", "made_from", "recipe_of"),
    [
        ("base@document", "teacher", None, None),
        ("base@card", "teacher", None, "base@document"),
        ("base@document>card", "teacher", "base@document", None),
        ("8L_v1.5@card", "student", None, None),
        ("8L_v1.5@card.onnx-int8", "artifact", "8L_v1.5@card", None),
        ("majority", "baseline", None, None),
    ],
)
def test_an_older_report_says_by_its_name_what_a_model_was_made_from(name, role, made_from, recipe_of):
    model = ModelFigures.from_json({"name": name, "role": role})
    assert (model.made_from, model.recipe_of) == (made_from, recipe_of)
    assert model.student == (made_from if role == "artifact" else name)
    assert model.is_teacher == (role == "teacher" and ">" not in name)


def test_what_a_report_says_goes_before_the_name():
    assert ModelFigures.from_json({"name": "a@card.onnx", "role": "artifact", "made_from": "b"}).student == "b"


def test_optional_keys_are_written_only_where_they_are_set():
    assert not {"made_from", "recipe_of", "asked_over_gold"} & ModelFigures("m").as_json().keys()
    assert ModelFigures("m", made_from="s").as_json()["made_from"] == "s"
    keys = ["a", "b", "metric", "difference", "low", "high", "p_value", "p_holm"]
    assert list(Comparison("a", "b").as_json()) == keys


def test_a_parity_check_is_of_the_file_that_it_names_or_in_older_reports_of_the_one_without_the_view():
    entry = {"name": "8L", "target": "onnx-int8", "label_flips": 0.02, "max_abs_diff": 0.3}
    old, new = Parity.from_json(entry), Parity.from_json({**entry, "model": "8L@document.onnx-int8"})
    assert old.is_of("8L@card.onnx-int8") and not old.is_of("8L@card.onnx") and not old.is_of("8L@card")
    assert new.is_of("8L@document.onnx-int8") and not new.is_of("8L@card.onnx-int8")
    assert old.measured == 0.02 and Parity.from_json({**entry, "criterion": "parity"}).measured == 0.3
