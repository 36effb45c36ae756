"""What the intervals of a report are over is said, and every table has one rule for its F1."""

from __future__ import annotations

from typing import Any

import pytest

from distill.evaluation.entries import Comparison, ModelFigures
from distill.report import (
    breakdown_tables,
    certainty,
    labels_tables,
    majority_table,
    quality_tables,
    seeds_table,
    twins_table,
    verdict,
)
from distill.report.lines import comparison_lines
from distill.report.page import page
from distill.report.table_model import Sheet
from distill.report.tables import markdown
from tests.report.sample import LABELS, sample_report
from tests.report.test_page import visible


def keys(pages: dict[str, int], left_out: list[str]) -> list[dict[str, Any]]:
    products = {"all": 1200, "unseen": 700, "seen": 800}
    return [
        {"name": "product.id", "values": products, "left_out": []},
        {"name": "page.id", "values": pages, "left_out": left_out},
    ]


def said(report: dict[str, Any]) -> str:
    return "\n".join(verdict.sentences(report))


def test_the_keys_that_are_drawn_are_named_with_their_values() -> None:
    report = sample_report() | {"keys": keys({"all": 640, "unseen": 300, "seen": 400}, [])}
    assert "They draw product.id (1\u202f200 values) and page.id (640 values)." in said(report)
    assert "They draw product.id" in visible(page(report))


@pytest.mark.parametrize(
    ("left_out", "expected"),
    [
        (
            ["all", "unseen", "seen"],
            "page.id has under 30 values (12) and is not drawn: intervals are for these values",
        ),
        (["unseen"], "page.id has under 30 values in test “unseen” (4) and is not drawn"),
    ],
)
def test_a_key_with_too_few_values_is_named(left_out: list[str], expected: str) -> None:
    report = sample_report() | {"keys": keys({"all": 12, "unseen": 4, "seen": 10}, left_out)}
    assert expected in said(report)
    assert ("They draw" in said(report)) == (left_out == ["unseen"])


def test_older_reports_and_one_key_have_no_such_sentence() -> None:
    assert certainty.drawn_keys(sample_report()) == []
    assert certainty.drawn_keys({"keys": keys({"all": 12}, [])[:1]}) == []


def test_intervals_of_several_seeds_are_over_seeds_too_but_for_older_reports() -> None:
    several = sample_report() | {"seeds": [1, 2]}
    assert "(1, 2); intervals are over test rows." in said(several)
    assert "(1, 2); intervals are over test rows and seeds." in said(several | {"keys": []})


def sheets(report: dict[str, Any]) -> list[Sheet]:
    """Every table with an F1 in it."""
    return [
        quality_tables.quality_sheet(report),
        quality_tables.per_test_sheet(report, "seen"),
        quality_tables.comparison_sheet(report),
        seeds_table.spread_sheet(report),
        twins_table.twin_sheet(report),
        majority_table.majority_sheet(report),
        labels_tables.choice_sheet(report),
        labels_tables.choice_pairs_sheet(report),
        labels_tables.asked_twins_sheet(report),
        breakdown_tables.class_sheet(report),
        breakdown_tables.chances_sheet(report),
    ]


def test_every_table_but_that_of_the_operating_points_is_at_the_most_probable_class() -> None:
    for report in (sample_report(), sample_report() | {"seeds": [1, 2]}):
        for sheet in sheets(report):
            assert "most probable class" in sheet.caption and "threshold" not in sheet.caption
    report = sample_report()
    several = report | {"task": report["task"] | {"kind": "multi"}}
    for sheet in sheets(several):
        assert "a probability of 0.5 for each label" in sheet.caption and "most probable" not in sheet.caption
    points = breakdown_tables.points_sheet(sample_report())
    assert "at the threshold that each rule chose on validation" in points.caption
    assert "most probable" not in points.caption


def test_f1_at_a_threshold_is_in_the_table_of_operating_points_alone() -> None:
    """The planted fault: an F1 of the positive class that only its threshold gives."""
    report = sample_report() | {"seeds": [1, 2]}
    for model in report["models"]:
        for block in (model["quality"], *model["tests"].values()):
            for point in block["positive"]["operating_points"].values():
                if point:
                    point |= {"f1": 0.12345, "f1_interval": [0.1, 0.2], "f1_spread": [0.12345, 0.12345]}
            block["per_class"][LABELS[2]]["f1_spread"] = [0.7, 0.8]
            block["f1_macro"]["spread"] = [0.7, 0.8]
    assert not any("12.3" in markdown(sheet) for sheet in sheets(report))
    assert "12.35 (10.0–20.0)" in markdown(breakdown_tables.points_sheet(report))
    assert "12.35" not in page(report).partition("Operating points")[0]


def corrected(p_holm: float | None) -> Comparison:
    return Comparison("a", "b", "f1_macro", 0.02, 0.01, 0.03, 0.01, p_holm)


def test_the_reading_goes_by_the_corrected_p_value_and_the_table_says_so() -> None:
    readings = [quality_tables.reading(corrected(p)) for p in (0.04, 0.06, None)]
    assert readings == ["A is better", "no difference shown", "A is better"]
    sheet = quality_tables.pairs_sheet([corrected(0.04), corrected(0.06)], "Differences.")
    assert "p after Holm’s correction for the 2 comparisons of this table." in sheet.caption
    assert "| 0.010 | 0.060 | no difference shown |" in markdown(sheet)
    older = quality_tables.pairs_sheet([corrected(None)], "Differences.")
    assert "Holm" not in older.caption and "Holm" not in markdown(older)


def test_the_console_prints_both_p_values() -> None:
    row = {"metric": "accuracy", "difference": 0.01, "low": 0.0, "high": 0.02, "p_value": 0.04, "p_holm": 0.16}
    assert comparison_lines([row])[0].endswith("p = 0.040, Holm 0.160")


def test_above_the_majority_answer_goes_by_the_corrected_p_value() -> None:
    above = {"difference": 0.1, "low": 0.05, "high": 0.15, "p_value": 0.004}
    figures = {"accuracy": {**above, "p_holm": 0.07}, "f1_macro": {**above, "p_holm": 0.03}, "log_loss": above}
    assert list(ModelFigures(over_majority=figures).shortfalls()) == ["accuracy", "log_loss"]


def test_sentences_on_gold_twins_go_by_the_corrected_p_value() -> None:
    report = sample_report()
    student = next(model for model in report["models"] if model["name"] == "8L_trunc@card")
    student["over_gold"] |= {"p_holm": 0.2}
    assert "8L_trunc@card is not shown to differ from training on gold alone" in said(report)
    student["over_gold"] |= {"p_holm": 0.01}
    assert "8L_trunc@card is better than training on gold alone" in said(report)


def test_a_twin_is_better_than_the_labels_by_the_corrected_p_value() -> None:
    report = sample_report()
    row = report["asked_twins"]["comparisons"][2]
    row |= {"difference": 0.04, "low": 0.02, "high": 0.06}
    assert len(labels_tables.better_twins(report | {})) == 1
    row["p_holm"] = 0.3
    assert labels_tables.better_twins(report) == []
