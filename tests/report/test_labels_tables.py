"""Where the labels came from, and both twins of a student, as the page shows them."""

from __future__ import annotations

import pytest

from distill.report.labels_tables import (
    asked_twins_sheet,
    better_twins,
    choice_pairs_sheet,
    choice_sentence,
    choice_sheet,
    class_weights_sheet,
    teachers_sheet,
    worse_classes,
)
from distill.report.majority_table import majority_sheet
from distill.report.page import page
from distill.report.tables import markdown, markdown_results
from distill.report.twins_table import twin_sheet
from tests.report.sample import LABELS, TWIN, sample_report
from tests.report.test_page import visible


def test_candidates_stand_beside_each_other_and_the_one_taken_stands_out():
    sheet = choice_sheet(sample_report())
    assert "| `card` | 0.5288 (0.509–0.549) | 76.32 (75.0–77.6) | 75.62 (74.3–76.9) | −0.4910" in markdown(sheet)
    assert [row["name"] for row in sheet.rows if sheet.marked(row)] == ["document"]
    assert "5\u202f140 validation rows" in sheet.caption
    assert "A is better" in markdown(choice_pairs_sheet(sample_report()))


def _mixed():
    report = sample_report()
    alone = [{**one, "name": f"base@{one['name']}"} for one in report["choice"]["candidates"][:2]]
    weights = {"base@document": 0.7314, "base@card": 0.2686}
    mixture = {"folds": 5, "log_loss": {"plain": 0.4912, "by_class": 0.4808}, "is_by_class": True, "weights": weights}
    by_class = {name: [weight * step for step in range(1, len(LABELS) + 1)] for name, weight in weights.items()}
    report["choice"] |= {"taken": "mixture", "teachers": weights, "class_weights": by_class, "mixture": mixture}
    report["choice"]["alone"] = [*alone, {**alone[0], "name": "third@document"}]
    return report


def test_each_teacher_alone_stands_with_its_weight():
    report = _mixed()
    sheet = teachers_sheet(report)
    assert "| `base@document` | 0.731 | 0.731 | 0.5021 (0.482–0.522) |" in markdown(sheet)
    assert [row["name"] for row in sheet.rows if sheet.marked(row)] == ["base@document", "base@card"]
    assert "third@document" in visible(page(report)) and "What each teacher alone would give" in visible(page(report))
    assert "mixture (base@document × 0.731, base@card × 0.269)" in choice_sentence(report)


def test_weights_by_class_are_shown_where_there_are_such():
    report = _mixed()
    sheet = class_weights_sheet(report)
    assert f"| {LABELS[1]} | 1.463 | 0.537 |" in markdown(sheet)
    assert "is 0.4808, with one weight for each teacher 0.4912" in sheet.caption and sheet.caption in visible(
        page(report)
    )
    assert not class_weights_sheet(sample_report()).rows
    assert "Weights by class" not in page(sample_report())


def test_a_class_in_which_a_teacher_is_worse_is_named():
    expected = f"In “{LABELS[1]}” base@document is 4.1 points of F1 (1.9–6.3) under base@card on validation."
    assert worse_classes(sample_report()) == [expected] and expected in visible(page(sample_report()))
    report = sample_report()
    (row,) = report["choice"]["worse_classes"]
    row |= {"difference": 0.041, "low": 0.019, "high": 0.063, "a": "base@card", "b": "base@document"}
    assert worse_classes(report) == [expected]


def test_a_run_without_a_choice_has_no_such_section():
    report = sample_report() | {"choice": None}
    assert choice_sentence(report) == "" and worse_classes(report) == [] and not choice_sheet(report).rows
    assert 'id="labels"' not in page(report) and 'id="labels"' in page(sample_report())


def test_the_labels_stand_beside_each_gold_only_twin():
    sheet = asked_twins_sheet(sample_report())
    assert "The labels (document)" in sheet.caption and "5\u202f140 validation rows" in sheet.caption
    assert [row.metric for row in sheet.rows] == ["accuracy", "f1_macro", "log_loss"]
    assert all(line.endswith("| A is better |") for line in markdown(sheet).splitlines()[2:])
    assert not any(map(sheet.marked, sheet.rows)) and better_twins(sample_report()) == []
    assert "The labels (document) against training on gold alone" in visible(page(sample_report()))
    assert "The labels (document)" in markdown_results(sample_report(), "run")


@pytest.mark.parametrize(("low", "said"), [(0.012, True), (0.0, False), (-0.012, False), (None, False)])
def test_a_twin_that_is_better_than_the_labels_is_named_where_the_interval_says_so(low, said):
    report = sample_report()
    report["asked_twins"]["comparisons"][2] |= {"difference": 0.031, "low": low, "high": 0.05}
    expected = (
        f"{TWIN}, trained on gold alone, is better than the labels on validation by 0.031 (0.012–0.050) in log loss: "
        "distilling will hardly help."
    )
    assert better_twins(report) == ([expected] if said else [])
    assert (expected in visible(page(report))) == said
    sheet = asked_twins_sheet(report)
    assert [row.metric for row in sheet.rows if sheet.marked(row)] == (["log_loss"] if said else [])


def test_a_figure_other_than_log_loss_names_no_twin():
    report = sample_report()
    report["asked_twins"]["comparisons"][0] |= {"difference": 0.031, "low": 0.012, "high": 0.05}
    assert better_twins(report) == []


def test_a_run_before_its_twins_has_no_such_table():
    for missing in ({"asked_twins": None}, {"asked_twins": {}}):
        report = sample_report() | missing
        assert not asked_twins_sheet(report).rows and better_twins(report) == []
        assert "against training on gold alone, on the same" not in visible(page(report))


def test_both_twins_are_listed_with_the_one_taken_first():
    sheet = twin_sheet(sample_report())
    lines = markdown(sheet).splitlines()[2:]
    assert [line.split("|")[1].strip() for line in lines] == [f"`{TWIN}`", "`8L_trunc-gold-steps@card`"]
    assert lines[0].endswith("| yes: lowest log loss on validation |") and lines[1].endswith("| no |")
    assert "0.5696" in lines[0] and "71.94 (70.8–73.1)" in lines[0]
    assert sheet.section(sheet.rows[0]) == "Twins of 8L_trunc@card" and sheet.marked(sheet.rows[0])


def test_a_twin_without_figures_and_a_report_without_twins_are_no_error():
    report = sample_report()
    report["models"] = [one for one in report["models"] if one["name"] != TWIN]
    assert len(twin_sheet(report).rows) == 1
    assert twin_sheet({}).rows == [] and twin_sheet({"twins": {"a": None}}).rows == []


def test_every_model_stands_beside_the_majority_answer():
    report = sample_report()
    sheet = majority_sheet(report)
    assert len(sheet.rows) == len(report["models"]) - 1 and not any(map(sheet.marked, sheet.rows))
    assert "| `base@card` | +30.60 (+28.6…+32.6) | +54.98 (+53.0…+57.0) | −0.4729" in markdown(sheet)
    report["models"][1]["over_majority"]["log_loss"] = {"difference": 0.1, "low": -0.1, "high": 0.2}
    sheet = majority_sheet(report)
    assert [row.name for row in sheet.rows if sheet.marked(row)] == ["base@card"]
