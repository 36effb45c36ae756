"""The five answers that a report begins with."""

from __future__ import annotations

import pytest

from distill.evaluation.entries import LatencyRow
from distill.report.money import per_million
from distill.report.page import page
from distill.report.questions import answers
from distill.report.verdict import headline
from tests.report.sample import sample_report


def told(report, place):
    return answers(report)[place].text


def test_each_question_is_answered_with_figures_and_intervals():
    report = sample_report()
    report["comparisons"] += [
        {"a": "base@card", "b": "base@document", "metric": "f1_macro", "difference": -0.0211, "low": -0.03,
         "high": -0.012, "p_value": 0.001},
        {"a": "base@document", "b": "8L_trunc@card", "metric": "f1_macro", "difference": 0.0307, "low": 0.02,
         "high": 0.041, "p_value": 0.001},
    ]  # fmt: skip
    assert [one.question for one in answers(report)] == [
        "What do we lose?", "Where?", "Is it noise?", "What do we gain?", "What is to be decided?",
    ]  # fmt: skip
    assert told(report, 0) == (
        "8L_trunc@card.onnx-int8 has macro F1 74.8 (73.6–76.0) where base@document has 78.1 (77.0–79.3): "
        "−3.07 (−4.1…−2.0) points for 8L_trunc@card, on the same rows. Reading cards alone accounts for "
        "−2.11 (−3.0…−1.2) points, the smaller model for −0.96 (−1.9…+0.0) points."
    )
    assert "not noise: −3.07 (−4.1…−2.0) points, p 0.001." in told(report, 2)
    assert told(report, 3) == (
        "A record takes p50 14.2 ms instead of 187, p99 19.1 ms instead of 251 at batch 1, 2 threads: 13.2× "
        "(12.8–13.6) the speed of base@document in PyTorch, 8.18× that of the fastest teacher’s file."
    )
    assert answers(report)[4].sentences[:2] == (
        "Whether 8L_trunc@card.onnx-int8 is good enough to hand over: every gate passed.",
        "At which operating point it serves: best F1 (precision 73.0, recall 79.0); "
        "precision@R>=0.9 (precision 63.9, recall 90.1).",
    )


def test_an_interval_that_holds_nothing_may_be_noise():
    report = sample_report()
    report["comparisons"] += [
        {"a": "8L_trunc@card", "b": "base@document", "metric": "f1_macro", "difference": -0.003, "low": -0.011,
         "high": 0.005, "p_value": 0.4},
    ]  # fmt: skip
    assert told(report, 2).startswith("It may be noise: −0.30 (−1.1…+0.5) points, p 0.400.")
    assert told(report, 2).endswith("One training seed: another one may be outside these intervals.")
    assert told(report | {"seeds": [1, 2]}, 2).endswith("Means of 2 training seeds.")


def test_the_parts_that_lose_most_and_least_are_named():
    report = sample_report()
    models = {one["name"]: one for one in report["models"]}
    student, teacher = models["8L_trunc@card.onnx-int8"], models["base@document"]
    student["quality"]["slices"]["аптека"]["accuracy"]["value"] = 0.5
    teacher["quality"]["slices"]["аптека"]["accuracy"]["value"] = 0.875
    for model in (student, teacher):
        model["quality"]["slices"]["аптека"]["accuracy"] |= {"low": 0.45, "high": 0.9}
    assert told(report, 1).endswith(
        "The slice “аптека” (2\u202f000 rows) loses most: accuracy 50.0 (45.0–90.0) instead of 87.5 (45.0–90.0), "
        "−37.5 points; least “старый пул”, −3.3."
    )
    assert told(report, 1).startswith("Every class alike: F1 −3.3 points. ")
    student["quality"]["per_class"]["о товаре"] |= {"f1": 0.5, "f1_interval": [0.45, 0.55]}
    assert told(report, 1).startswith(
        "The class “о товаре” loses most: F1 50.0 (45.0–55.0) instead of 79.2 (78.0–80.5)"
    )


def test_where_every_class_gains_none_is_said_to_lose_and_a_class_without_test_rows_is_left_out():
    report = sample_report()
    models = {one["name"]: one for one in report["models"]}
    student, teacher = (models[name]["quality"] for name in ("8L_trunc@card.onnx-int8", "base@document"))
    for quality, figures in ((student, (0.9, 0.98, 0.0)), (teacher, (0.87, 0.9, 0.0))):
        for label, f1 in zip(("о товаре", "мимо", "absent"), figures, strict=True):
            quality["per_class"][label] = {"f1": f1, "f1_interval": [f1 - 0.01, f1 + 0.01]}
        quality["per_class"] = {name: quality["per_class"][name] for name in ("о товаре", "мимо", "absent")}
        quality["absent"] = ["absent"]
    assert told(report, 1).startswith(
        "The class “о товаре” gains least: F1 90.0 (89.0–91.0) instead of 87.0 (86.0–88.0), +3.0 points; "
        "most “мимо”, +8.0."
    )


@pytest.mark.parametrize("held_against", ["base@document", "both@document"])
def test_of_two_document_teachers_quality_is_held_against_one_and_speed_against_the_timed_one(held_against):
    report = sample_report()
    other = next(one for one in report["models"] if one["name"] == "base@document")
    report["models"].append({**other, "name": "both@document", "preset": "ensemble"})
    report["references"] = {"document": held_against, "card": "base@card"}
    assert f"where {held_against} has 78.1" in told(report, 0)
    assert "the speed of base@document in PyTorch" in told(report, 3)
    first = headline(report).partition(";")[0]
    assert f"of {held_against}’s" in first and first.endswith("the speed of base@document")


def test_money_is_told_where_there_is_a_price():
    report = sample_report()
    assert "an hour" not in told(report, 3)
    priced = told(report | {"price_per_hour": 0.36}, 3)
    assert priced.endswith("At 0.36 an hour, a million records cost 1.42 instead of 18.9, in full batches.")
    assert per_million(0.36, LatencyRow(throughput_per_s=100.0)) == pytest.approx(1.0)
    assert per_million(None, LatencyRow(throughput_per_s=100.0)) is per_million(1.0, LatencyRow()) is None


def test_what_was_not_measured_is_said_and_failed_gates_hand_nothing_over():
    report = sample_report()
    assert answers({}) == []
    bare = {"models": [report["models"][3]], "latency": [], "comparisons": []}
    assert [one.text for one in answers(bare)][3] == "Not measured."
    report["gates"][0]["passed"] = False
    assert told(report, 4).startswith("Nothing is handed over: 1 of 5 gates failed: ")


def test_answers_link_to_the_sections_that_are_there():
    report = sample_report()
    text = page(report)
    top = text[text.index('class="questions"') : text.index("To know before")]
    assert 'href="#comparisons"' in top and 'href="#latency"' in top and 'href="#fall-through"' not in top
    assert 'href="#seeds"' not in top
