"""What the first sentences say, and what they must never say."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from distill.core.files import read_json
from distill.report import verdict
from distill.report.page import page
from distill.report.quality_tables import quality_sheet
from distill.report.tables import markdown, markdown_results
from tests.report.sample import TWIN, figure, sample_report
from tests.report.test_page import visible

HEADLINE = (
    "8L_trunc@card.onnx-int8: macro F1 74.8 (73.6–76.0), 94.5% (93.1–95.9) of base@document’s and 97.1% (95.9–98.4) of "
    "base@card’s gain in macro F1 over the majority answer, at 13.2× the speed of base@document; trained on gold alone "
    "71.9 (70.8–73.1), base@document 78.1 (77.0–79.3), base@card 76.0 (74.8–77.2), majority answer 21.0 (20.0–22.0)."
)
RESULTS = sorted((Path(__file__).parents[2] / "benchmarks" / "results").glob("*.json"))
# Reports stored before models were measured against the majority answer.
STORED = [path for path in RESULTS if not {"kind", "metric"} & read_json(path).keys()]


def said(report: dict[str, Any]) -> str:
    return "\n".join(verdict.sentences(report))


def model(report: dict[str, Any], name: str) -> dict[str, Any]:
    return next(one for one in report["models"] if one["name"] == name)


def kept(value: float | None, *ends: float) -> dict[str, Any]:
    """A sample report whose headline model has this retention of the card teacher."""
    report = sample_report()
    low, high = ends or (None, None)
    row = model(report, "8L_trunc@card.onnx-int8")
    row["retention"]["card"] = {"value": value, "low": low, "high": high}
    row["quality"]["f1_macro"] = figure(0.7602 + 0.0123)
    return report


def under_gold(report: dict[str, Any], points: float = 15.1) -> dict[str, Any]:
    """The report with a student that training on gold alone beats by so many points, and its failed gate."""
    apart = {"twin": TWIN, "metric": "f1_macro", "difference": -points / 100, "low": -points / 100 - 0.01}
    model(report, "8L_trunc@card")["over_gold"] = {**apart, "high": -points / 100 + 0.01}
    report["gates"][-1] |= {"measured": -points / 100 - 0.01, "passed": False}
    return report


def test_the_first_sentence_has_student_twin_teachers_and_majority_with_intervals() -> None:
    assert verdict.headline(sample_report()) == HEADLINE
    assert HEADLINE in visible(page(sample_report())) and verdict.sentences(sample_report())[0] == HEADLINE
    assert HEADLINE in markdown_results(sample_report(), "Results")


def test_the_metric_of_the_project_is_the_one_that_is_named() -> None:
    report = sample_report() | {"metric": "accuracy"}
    assert "int8: accuracy 75.5 (74.2–76.8)" in verdict.headline(report)
    report = sample_report() | {"metric": "f1_positive"}
    for one in report["models"]:
        for block in one["quality"]["per_class"].values():
            block["f1_interval"] = [0.1, 0.9]
    assert "int8: F1 of “о товаре” 75.9 (10.0–90.0)" in verdict.headline(report)


def test_of_teachers_alone_the_first_sentence_names_the_best_without_a_speed() -> None:
    report = sample_report()
    report["models"] = [one for one in report["models"] if one["role"] == "teacher"]
    assert verdict.headline(report) == "base@document: macro F1 78.1 (77.0–79.3); base@card 76.0 (74.8–77.2)."


def test_of_log_loss_the_least_is_the_best_and_differences_are_told_as_gains() -> None:
    report = sample_report() | {"metric": "log_loss"}
    figures = {"base@document": 0.7, "base@card": 0.6}
    alone = {**report, "models": [one for one in report["models"] if one["role"] == "teacher"]}
    for one in alone["models"]:
        loss = figures.get(one["name"], 0.9)
        one["quality"]["log_loss"] = {"value": loss, "low": loss - 0.01, "high": loss + 0.01}
    told = "base@card: log loss 0.6000 (0.590–0.610); base@document 0.7000 (0.690–0.710)."
    assert verdict.headline(alone) == told
    own = model(report, "8L_trunc@card")
    own["over_gold"] |= {"metric": "log_loss", "difference": -0.031, "low": -0.042, "high": -0.02}
    assert "8L_trunc@card is better than training on gold alone: +0.0310 (+0.020…+0.042) nats." in said(report)
    own["over_controls"] = {
        "tfidf@card": {"metric": "log_loss", "difference": 0.2, "low": 0.1, "high": 0.3, "p_value": 0.001}
    }
    report["models"].append({"name": "tfidf@card", "role": "baseline", "control": True, "view": "card"})
    assert "better in log loss than 8L_trunc@card by 0.200 nats (0.100–0.300)" in said(report)


def test_the_majority_answer_is_never_the_model_to_take() -> None:
    report = sample_report()
    report["models"] = [one for one in report["models"] if one["name"] == "majority"]
    assert verdict.headline(report) == "No model has been measured yet."


def test_the_first_sentence_has_both_retentions_and_the_documents_comes_first() -> None:
    first = verdict.headline(kept(1.0, 0.99, 1.01))
    both = "94.5% (93.1–95.9) of base@document’s and 100.0% (99.0–101.0) of base@card’s gain in macro F1"
    assert both in first and "worse than" not in said(kept(1.0, 0.99, 1.01))
    report = kept(1.0)
    model(report, "8L_trunc@card.onnx-int8")["retention"]["document"] = figure(0.41)
    assert "41.0% (39.8–42.2) of base@document’s and 100.0% of base@card’s gain" in verdict.headline(report)


@pytest.mark.parametrize(
    ("value", "ends", "end"),
    [
        (1.078, (1.05, 1.11), "the teacher is worse than its student."),
        (1.003, (0.995, 1.012), "the teacher is worse than its student, though not by an interval."),
        (1.2, (), "the teacher is worse than its student, though not by an interval."),
    ],
)
def test_a_share_over_100_percent_is_never_kept(value: float, ends: tuple[float, ...], end: str) -> None:
    report = kept(value, *ends)
    for text in (said(report), visible(page(report)), markdown_results(report, "Results")):
        assert not re.search(r"\bkeeps?\b|\bis kept of\b", text.replace("nothing to keep", ""))
        assert (
            f"8L_trunc@card.onnx-int8 is above base@card by 1.2 points, at {100 * value:.1f}%" in text and end in text
        )
    assert "Over 100%: the teacher is worse" in quality_sheet(report).caption
    assert "Over 100%" not in quality_sheet(sample_report()).caption


def test_what_a_student_of_one_class_keeps_is_told_by_the_f1_of_that_class() -> None:
    report = kept(0.9)
    retention = model(report, "8L_trunc@card.onnx-int8")["retention"]
    retention["card"]["metric"] = retention["document"]["metric"] = "f1_positive"
    assert "of base@card’s gain in F1 of “о товаре” over the majority answer" in verdict.headline(report)
    caption = quality_sheet(report).caption
    assert "in macro F1; of 8L_trunc@card.onnx-int8 in F1 of “о товаре”." in caption
    retention["card"] |= {"value": None}
    assert "base@card is not above the majority answer in F1 of “о товаре”: there is nothing" in said(report)
    retention["card"] |= {"value": 1.2}
    assert "% of its F1 of “о товаре” over the majority answer: the teacher is worse" in said(report)


def test_of_a_teacher_at_the_majority_answer_there_is_nothing_to_keep() -> None:
    text = said(kept(None))
    assert "base@card is not above the majority answer in macro F1: there is nothing to keep of it." in text
    assert "8L_trunc@card.onnx-int8 has nothing of what base@card has" in said(kept(-0.1, -0.2, 0.0))


def test_without_a_card_teacher_the_share_of_the_document_teacher_is_told_and_the_other_is_missed() -> None:
    report = sample_report()
    report["gates"] = [gate for gate in report["gates"] if "retention" not in gate["name"]]
    for one in report["models"]:
        if one["retention"]:
            del one["retention"]["card"]
    assert "94.5% (93.1–95.9) of base@document’s gain in macro F1" in verdict.headline(report)
    missed = "What is kept of a teacher on cards was not measured: none was trained."
    assert missed in said(report) and missed not in said(sample_report())
    assert missed not in said(report | {"gates_off": ["retention_card"]})
    assert missed not in said(report | {"controls_off": ["card_teacher"]})


def test_a_student_under_its_twin_names_the_points_and_the_teacher() -> None:
    report = under_gold(sample_report())
    report["training_history"][0] |= {"ended": "fixed", "reason": "fixed: 3 epochs, still falling 20.0% per epoch"}
    report["training_history"][0]["slope_per_epoch"] = -0.2
    text = said(report)
    assert "8L_trunc@card: training on gold alone is 15.1 points better (14.1–16.1): the teacher is the cause: " in text
    early = "base@document was stopped while it still learned (fixed: 3 epochs, still falling 20.0% per epoch)"
    assert f"{early}: train the teacher longer" in text


def test_a_student_level_with_its_twin_is_said_to_be_so() -> None:
    report = sample_report()
    model(report, "8L_trunc@card")["over_gold"] |= {"difference": 0.001, "low": -0.004, "high": 0.006}
    assert "8L_trunc@card is not shown to differ from training on gold alone: +0.10 (−0.4…+0.6) points." in said(report)
    assert "8L_trunc@card is better than training on gold alone: +3.12 (+2.0…+4.2) points." in said(sample_report())


def test_a_student_without_twins_was_not_compared() -> None:
    assert "6L_trunc@card was not compared with training on gold alone." in said(sample_report())
    assert "8L_trunc@card was not" not in said(sample_report())


def test_a_model_under_the_majority_answer_is_named_everywhere_with_what_to_do() -> None:
    report = sample_report()
    for name in ("6L_trunc@card", "base@document"):
        over = model(report, name)["over_majority"]
        over["accuracy"] = {"difference": -0.074, "low": -0.085, "high": -0.063}
    over["log_loss"] = {"difference": 0.01, "low": -0.01, "high": 0.03}
    expected = (
        "Not shown to be above the majority answer: base@document (accuracy −7.40 (−8.5…−6.3), log loss +0.010 "
        "(−0.01…+0.03))."
    )
    advice = (
        "base@document labels without knowing more than the majority answer: take a larger encoder, or give more gold"
    )
    assert expected in said(report) and advice in said(report)
    assert "no (accuracy, log loss)" in markdown(quality_sheet(report))
    assert '<span class="failed">no</span> <small>(accuracy, log loss)</small>' in page(report)
    reason = "undertrained: still falling 9.0% per epoch at the ceiling of 5 steps"
    assert "of the rows: 6L_trunc@card −7.40 (−8.5…−6.3)." in said(report)
    report["training_history"][0] |= {"ended": "ceiling", "reason": reason, "slope_per_epoch": -0.09}
    assert "base@document labels without knowing more than the majority answer: train it longer." in said(report)


def test_a_teacher_that_is_short_in_accuracy_alone_knows_more_than_the_majority_answer() -> None:
    report = sample_report()
    for name in ("base@document", "8L_trunc@card", "8L_trunc@card.onnx"):
        model(report, name)["over_majority"]["accuracy"] = {"difference": -0.01, "low": -0.02, "high": 0.001}
    share = f"{100 * model(report, 'majority')['quality']['accuracy']['value']:.1f}%"
    named = "base@document −1.00 (−2.0…+0.1), 8L_trunc@card −1.00 (−2.0…+0.1)."
    assert f"not shown to be in accuracy, where the largest class is {share} of the rows: {named}" in said(report)
    assert "labels without knowing more" not in said(report) and "Not shown to be above" not in said(report)


def test_a_teacher_whose_gain_does_not_outlast_correction_is_not_called_ignorant() -> None:
    """Two seeds leave t one degree of freedom: p is about 0.04 however good the teacher is."""
    report = sample_report()
    model(report, "base@document")["over_majority"] = {
        "accuracy": {"difference": 0.391, "low": 0.014, "high": 0.721, "p_value": 0.04, "p_holm": 0.2},
        "f1_macro": {"difference": 0.6669, "low": 0.234, "high": 1.0, "p_value": 0.04, "p_holm": 0.2},
        "log_loss": {"difference": -0.779, "low": -1.71, "high": -0.02, "p_value": 0.04, "p_holm": 0.2},
    }
    assert "labels without knowing more" not in said(report)
    assert "An interval that leaves 0 out is not enough among so many comparisons (Holm)." in said(report)


def test_a_difference_whose_interval_holds_0_is_not_above() -> None:
    report = sample_report()
    model(report, "8L_trunc@card")["over_majority"]["accuracy"] = {"difference": 0.01, "low": -0.001, "high": 0.02}
    assert "of the rows: 8L_trunc@card +1.00 (−0.1…+2.0)." in said(report)
    model(report, "8L_trunc@card")["over_majority"]["f1_macro"] = {"difference": 0.01, "low": -0.001, "high": 0.02}
    assert "Not shown to be above the majority answer: 8L_trunc@card (accuracy +1.00 (−0.1…+2.0), macro" in said(report)
    assert "Not above" not in said(sample_report())


def test_fits_that_ended_too_early_are_named_with_their_reason() -> None:
    reason = "undertrained: still falling 4.0% per epoch at the ceiling of 9000 steps"
    assert f"Stopped while still learning: base@card ({reason})." in said(sample_report())


def test_gates_that_passed_are_those_of_the_seeds_that_no_gate_stopped() -> None:
    report = sample_report() | {"seeds": [2, 3], "stopped_seeds": [1]}
    assert verdict.gates_sentence(report).startswith("All 5 gates passed in seed 2, 3.")


def test_a_run_that_stopped_has_not_passed_all_of_its_gates() -> None:
    report = sample_report() | {"outcome": {"state": "stopped", "step": "label base", "why": "the server is down"}}
    assert verdict.gates_sentence(report) == "The 5 gates asked so far passed."
    assert verdict.gates_sentence(report | {"gates": report["gates"][:1]}) == "The one gate asked so far passed."


def test_gates_set_off_by_hand_are_named() -> None:
    report = sample_report() | {"gates_off": ["retention_card", "over_gold"]}
    assert "All 5 gates passed. Set off by hand: retention_card, over_gold." in visible(page(report))
    assert "by hand" not in said(sample_report())


def test_controls_that_the_config_leaves_out_are_named() -> None:
    report = {**sample_report(), "controls_off": ["card_teacher", "gold_twins"]}
    assert "Not compared with: a teacher on cards, students on gold alone." in said(report)
    assert "Not compared with" not in said(sample_report())


def test_models_under_a_control_by_an_interval_are_named_with_the_points() -> None:
    report = sample_report()
    words = {**report["models"][-1], "name": "tfidf@card", "role": "baseline", "control": True, "parameters": 900}
    report["models"].append(words)
    below = {"metric": "f1_macro", "difference": -0.021, "low": -0.039, "high": -0.003, "p_value": 0.02}
    models = {one["name"]: one for one in report["models"]}
    models["6L_trunc@card"]["over_controls"] = {"tfidf@card": below, "random": {**below, "low": 0.1, "high": 0.2}}
    models["base@card"]["over_controls"] = {"tfidf@card": {**below, "difference": -0.01, "low": -0.02}}
    models["8L_trunc@card"]["over_controls"] = {"tfidf@card": {**below, "high": 0.001}}
    expected = (
        "TF-IDF and a linear model on cards (tfidf@card): better in macro F1 than base@card by 1.0 points (0.3–2.0), "
        "6L_trunc@card by 2.1 points (0.3–3.9)."
    )
    assert expected in said(report) and expected in visible(page(report))
    assert said(report).count("better in macro F1 than") == 1 and "better in macro F1" not in said(sample_report())
    assert "tfidf@card 21.0" in verdict.headline(report)


def test_a_control_is_never_the_model_to_take() -> None:
    report = sample_report()
    report["models"] = [one for one in report["models"] if one["role"] == "teacher"]
    best = {**report["models"][0], "name": "tfidf@card", "role": "baseline", "control": True}
    best["quality"] = {**best["quality"], "f1_macro": {"value": 0.99, "low": 0.98, "high": 1.0}}
    report["models"].append(best)
    assert verdict.headline(report).startswith("base@document:")


def test_a_student_that_cannot_be_handed_over_is_never_the_model_to_take() -> None:
    report = sample_report()
    report["models"] = [one for one in report["models"] if one["role"] != "artifact"]
    student = next(one for one in report["models"] if one["role"] == "student")
    before = verdict.headline(report)
    report["models"].insert(0, {**student, "name": "words@card", "only_measured": True})
    report["latency"] = []
    assert verdict.headline(report).partition(":")[0] != "words@card" != before.partition(":")[0]


def test_the_labels_are_told_with_the_reason() -> None:
    expected = (
        "Labels: document (base@document), asked for auto: the document teacher has the lowest log loss on validation."
    )
    assert expected in said(sample_report())
    report = sample_report()
    report["choice"] |= {"teachers": {"base@document": 0.5, "base@card": 0.5}, "taken": "mean"}
    report["choice"]["taken_by_seed"] = {"1": "mean", "2": "card"}
    assert "Labels: mean (base@document × 0.5, base@card × 0.5)" in said(report)
    assert "By seed: seed 1 mean, seed 2 card." in said(report)


@pytest.mark.parametrize("path", STORED, ids=lambda path: path.stem)
def test_reports_of_older_runs_say_nothing_that_they_did_not_measure(path: Path) -> None:
    report = read_json(path)
    text = said(report)
    assert "not compared" not in text and "majority" not in text and "Above" not in markdown(quality_sheet(report))
    assert "Retention over majority" not in page(report)


def test_an_older_report_keeps_its_plain_ratio() -> None:
    report = sample_report()
    for one in report["models"]:
        one["over_majority"] = None
        del one["over_gold"]
    assert "and 97.1% (95.9–98.4) of base@card’s macro F1, at 13.2×" in verdict.headline(report)
    model(report, "8L_trunc@card.onnx-int8")["retention"]["card"] = figure(1.08)
    assert "keep" not in said(report) and "the teacher is worse than its student." in said(report)


def test_a_run_whose_students_all_failed_still_speaks_of_the_student():
    report = sample_report()
    names = [model["name"] for model in report["models"] if model["role"] in ("student", "artifact")]
    report["gates"] += [{"name": f"over_gold {n}", "required": -0.01, "measured": -0.2, "passed": False} for n in names]
    row = verdict.headline_model(report)
    assert row is not None and row.model.role == "artifact"
