"""The section on records that are sent on to the teacher: its sentence, its drawing and its table."""

from __future__ import annotations

import copy
import re

import pytest

from distill.evaluation.entries import FallThroughCurve
from distill.report.fall_through_plot import fall_through_plot
from distill.report.fall_through_table import fall_through_sentence, fall_through_sheet
from distill.report.page import page
from distill.report.tables import markdown_results
from tests.core.test_output import POISON, steering
from tests.report.sample import sample_report
from tests.report.test_page import Outline


def figure(value):
    return {"value": value, "low": value - 0.02, "high": value + 0.02}


def apart(difference, room=0.01):
    return {"difference": difference, "low": difference - room, "high": difference + room}


def row(share, accuracy, **more):
    return {
        "share": share,
        "band": None,
        "sent": figure(share),
        "accuracy": figure(accuracy),
        "f1_macro": figure(accuracy - 0.1),
        "over_model": {"accuracy": apart(accuracy - 0.8), "f1_macro": apart(accuracy - 0.8)},
        "over_random": {"accuracy": apart(0.03), "f1_macro": apart(0.03)},
        "ms": 2 + 40 * share,
        "money_per_1000": None,
        **more,
    }


CURVE = {
    "model": "8L@card.onnx",
    "teacher": "base@document",
    "by": "margin",
    "chosen_on": 150,
    "judged_on": 150,
    "bands": {"decision": {"0.1": 0.2}},
    "over_random": {"decision": {"accuracy": apart(0.02), "f1_macro": apart(0.02)}},
    "decision": [row(0.0, 0.8), row(0.1, 0.85), row(0.3, 0.88), row(1.0, 0.9)],
    "teacher_timed": "base@document.onnx",
    "judged_by": "accuracy",
    "chosen": 0.1,
}


def curve(**changes):
    return FallThroughCurve.from_json({**copy.deepcopy(CURVE), **changes})


def cells(found):
    sheet = fall_through_sheet(found)
    return (
        [column.name for column in sheet.columns],
        [[one.cell(r) for one in sheet.columns] for r in sheet.rows],
        sheet,
    )


def test_the_sentence_says_gain_cost_and_what_random_would_do():
    told = fall_through_sentence(curve())
    assert told == (
        "8L@card.onnx sends 10.0% on to base@document: Accuracy +5.00 (+4.0…+6.0), 6.00 ms a record on average (2.00 "
        "alone, 42.0 with all sent). Over all shares that is +2.00 (+1.0…+3.0) points better than sending as many "
        "records at random."
    )
    random = {"decision": {"accuracy": apart(0.002)}}
    assert "is not shown to be better than sending as many records at random (+0.20" in fall_through_sentence(
        curve(over_random=random)
    )
    assert "is not shown to be better" in fall_through_sentence(
        curve(over_random={"decision": {"accuracy": apart(-0.1)}})
    )
    assert "sending nothing on to base@document is best on validation" in fall_through_sentence(curve(chosen=0.0))
    assert "no share is within the limits" in fall_through_sentence(curve(chosen=None))


def test_the_table_marks_the_chosen_share_and_shows_what_there_is():
    names, rows, sheet = cells(curve())
    assert names == ["Share", "Sent on", "Accuracy", "Macro F1", "over random", "over the file", "Mean, ms"]
    assert rows[1] == [
        *("10%", "10.00 (8.0–12.0)", "85.00 (83.0–87.0)", "75.00 (73.0–77.0)"),
        *("+3.00 (+2.0…+4.0)", "+5.00 (+4.0…+6.0)", "6.00"),
    ]
    assert [sheet.marked(one) for one in sheet.rows] == [False, True, False, False]
    positive = [{"share": one["share"], "sent": figure(0.2), "f1": figure(0.6)} for one in CURVE["decision"]]
    paid = [{**one, "money_per_1000": 5 * one["share"]} for one in CURVE["decision"]]
    names, rows, _ = cells(curve(positive=positive, decision=paid, judged_by="f1"))
    assert names[4] == "F1 at its operating point" and names[-1] == "Money per 1,000" and rows[2][-1] == "1.50"
    assert rows[1][4] == "60.00 (58.0–62.0)" and rows[1][5] == "–"


def test_the_drawing_has_a_point_for_each_share_and_a_line_for_random():
    drawn = fall_through_plot(curve())
    assert drawn.count("<circle") == 4 and drawn.count("<polyline") == 2 and "10.0% sent on: 85.00 (83.0–87.0)" in drawn
    heights = [float(found) for found in re.findall(r'<circle cx="[\d.]+" cy="([\d.]+)"', drawn)]
    assert heights == sorted(heights, reverse=True) and Outline(drawn)
    assert fall_through_plot(curve(decision=CURVE["decision"][:2])) == ""


def test_the_section_is_on_the_page_where_the_report_has_curves():
    report = sample_report()
    assert 'id="fall-through"' not in page(report)
    report["fall_through"] = [CURVE]
    shown = page(report)
    assert "| 10% | 10.00 (8.0–12.0) |" in markdown_results(report, "x") and "sent on" not in markdown_results({}, "x")
    assert Outline(shown) and shown.count('id="fall-through"') == 1 and "8L@card.onnx sends 10.0% on" in shown


@pytest.mark.parametrize("key", [*CURVE, *CURVE["decision"][0]])
def test_any_key_may_be_null(key):
    hurt = {name: None if name == key else value for name, value in copy.deepcopy(CURVE).items()}
    for one in hurt["decision"] or ():
        one.update({key: None} if key in one else {})
    assert Outline(page({**sample_report(), "fall_through": [hurt]}))


def test_names_steer_no_reader():
    named = {**copy.deepcopy(CURVE), "model": POISON, "teacher": POISON, "teacher_timed": POISON}
    assert not steering(page({**sample_report(), "fall_through": [named]}).replace("\n", " "))
