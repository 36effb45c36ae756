"""What limits a figure is said beside it and among the first sentences."""

from __future__ import annotations

from typing import Any

from distill.report import quality_tables, verdict
from distill.report.page import page
from distill.report.quality_tables import comparison_sheet, per_test_sheet
from distill.report.tables import markdown_results, markdown_table
from tests.report.sample import LABELS, sample_report
from tests.report.test_page import visible

HEADLINE = "8L_trunc@card.onnx-int8"


def said(report: dict[str, Any]) -> str:
    return "\n".join(verdict.sentences(report))


def blocks(report: dict[str, Any], test: str | None = None) -> list[dict[str, Any]]:
    return [model["quality"] if test is None else model["tests"][test] for model in report["models"]]


def test_classes_without_test_rows_are_named_with_the_most_that_macro_f1_can_be() -> None:
    report = sample_report()
    for block in [*blocks(report), *blocks(report, "seen"), *blocks(report, "unseen")]:
        block["absent"] = [LABELS[1]]
    expected = f"No test row has the label {LABELS[1]}: it counts as 0 in macro F1, which is at most 66.7% there."
    assert said(report).count(expected) == 1 and expected in quality_tables.quality_sheet(report).caption
    assert expected in visible(page(report)) and expected in markdown_table(report)
    assert f"{LABELS[1]} (no test row)" in visible(page(report))
    assert "counts as 0" not in said(sample_report()) and "no test row" not in page(sample_report())


def test_a_class_that_one_test_lacks_is_told_of_that_test() -> None:
    report = sample_report()
    for block in blocks(report, "seen"):
        block["absent"] = [LABELS[0], LABELS[2]]
    expected = f"No row of test “seen” has the label {LABELS[0]}, {LABELS[2]}: it counts as 0 in macro F1"
    assert expected in said(report) and expected in quality_tables.per_test_sheet(report, "seen").caption
    assert "No test row" not in said(report) and "counts" not in quality_tables.per_test_sheet(report, "unseen").caption


def test_a_temperature_at_its_bound_is_told_beside_the_probabilities() -> None:
    report = sample_report()
    report["models"][3] |= {"temperature": 20.0, "at_bound": True}
    expected = "Temperature at its bound: 8L_trunc@card (20)"
    assert expected in said(report) and "20 (at its bound)" in markdown_results(report, "x")
    assert visible(page(report)).count(expected) == 2
    assert "bound" not in said(sample_report())


def test_what_a_fit_could_not_have_here_is_told_once_with_the_models() -> None:
    report = sample_report()
    remark = "trained without 4-bit weights (lora.four_bit): PyTorch finds no CUDA device"
    for fit in report["training_history"][:2]:
        fit["remarks"] = [remark]
    models = ", ".join(fit["model"] for fit in report["training_history"][:2])
    expected = f"Trained without 4-bit weights (lora.four_bit): PyTorch finds no CUDA device: {models}."
    assert said(report).count(expected) == 1 and visible(page(report)).count(expected) == 1
    assert "4-bit" not in said(sample_report())


def test_operating_points_that_validation_did_not_reach_are_told() -> None:
    missed = f"{HEADLINE} did not reach recall@P>=0.9 of “{LABELS[2]}” on validation: there is no threshold."
    assert missed in said(sample_report())
    report = sample_report()
    for model in report["models"]:
        points = model["quality"]["positive"]["operating_points"]
        model["quality"]["positive"]["operating_points"] = dict.fromkeys(points)
    assert f"{HEADLINE} did not reach any operating point of “{LABELS[2]}” on validation" in said(report)


def test_one_seed_is_told_in_the_first_sentences_and_in_the_caption() -> None:
    told = "Quality: {}; intervals are over test rows, another seed may be outside them."
    named = [({"seeds": [3]}, "one seed: 3"), ({"training_seed": 1}, "one seed: 1"), ({}, "one training seed")]
    for more, seed in named:  # older reports have the seed in no place of its own
        report = sample_report() | more
        assert told.format(seed) in said(report) and f"All test rows, {seed};" in markdown_table(report)
        assert f"test rows, {seed};" in comparison_sheet(report).caption
        assert f"rows), {seed}:" in per_test_sheet(report, "seen").caption
    several = sample_report() | {"seeds": [1, 2], "training_seed": 1}
    assert "another seed" not in said(several) and "one seed" not in markdown_table(several)


def test_labels_on_a_scale_have_their_own_columns() -> None:
    report = sample_report()
    for block in blocks(report):
        block |= {"kappa_quadratic": {"value": 0.81, "low": 0.8, "high": 0.82}, "grade_distance": {"value": 0.213}}
    assert "81.00 (80.0–82.0) | 0.213" in markdown_table(report) and "Places off" in visible(page(report))
    assert "Places off" not in page(sample_report())


def test_of_77_classes_every_table_has_a_row_and_the_header_names_some() -> None:
    report, labels = sample_report(), [f"intent {number}" for number in range(77)]
    report["task"] |= {"labels": labels, "positive": None}
    for model in report["models"]:
        for block in (model["quality"], *model["tests"].values()):
            block |= {"per_class": dict.fromkeys(labels, {"f1": 0.5, "precision": 0.4, "recall": 0.6})}
    text = page(report)
    columns = [row.count("<th") + row.count("<td") for row in text.split("<tr")[1:]]
    assert max(columns) <= 16 and "F1 of each of 77 classes" in text
    header = visible(text.partition("</header>")[0])
    assert "77: intent 0, intent 1, intent 2, intent 3, intent 4, intent 5 and 71 more" in header
    assert "intent 6" not in header and text.count("intent 76") >= 2


def test_without_latency_the_model_to_take_is_the_best_one() -> None:
    report = sample_report() | {"latency": []}
    report["models"] = [one for one in report["models"] if one["role"] != "artifact"]
    first, second = (one for one in report["models"] if one["role"] == "student")
    assert verdict.headline(report).startswith(f"{first['name']}: ")
    second["quality"]["f1_macro"]["value"] = 0.9
    assert verdict.headline(report).startswith(f"{second['name']}: ")
    report["metric"] = "accuracy"
    assert verdict.headline(report).startswith(f"{first['name']}: ")


def test_rows_left_out_for_their_card_are_told_and_over_half_with_the_way_back() -> None:
    report = sample_report()
    lost = {"rows": 12, "share": 0.1, "by_reason": {"card_in_test": 12}, "examples": ["a"]}
    report["audit"]["card_overlaps"] = {"train": lost, "pool.urls": {**lost, "rows": 3}}
    expected = "Left out, as they read on cards as rows of validation or of a test: 12 of train, 3 of pool.urls rows."
    assert expected in said(report) and expected in visible(page(report)) and "over half" not in said(report)
    report["audit"]["card_overlaps"]["train"]["share"] = 0.51
    assert f"{expected} That is over half of train; data.on_card_leak: keep keeps them." in said(report)
    assert "Left out" not in said(sample_report())


def test_keys_of_validation_that_training_knows_are_told() -> None:
    report = sample_report()
    leak = {"kind": "key:product.id", "between": ["valid", "train"], "rows": 9, "share": 0.452, "gate": False}
    report["audit"]["leaks"] = [leak, {**leak, "kind": "side"}, {**leak, "between": ["test.seen", "train"]}]
    expected = "Validation shares keys with training: product.id in 45% of its rows; what is chosen on it may favour"
    assert said(report).count(expected) == 1 and "data.on_valid_key: drop" in said(report)
    report["audit"]["leaks"] = report["audit"]["leaks"][1:]
    assert "Validation shares" not in said(report)


def test_a_file_that_is_taken_in_anothers_place_is_named_with_the_figures() -> None:
    report = sample_report()
    assert "in place of" not in said(report)
    gate = {"name": "decisions 8L_trunc.onnx-int8", "required": 0.005, "measured": 0.0081, "why": "f1 of about_pr"}
    report["parity"][1] |= {"target": "onnx-int8-static", "in_place_of": [{"target": "onnx-int8", "failed": [gate]}]}
    expected = (
        "8L_trunc.onnx-int8-static is taken in place of onnx-int8, which failed on validation: decisions 0.0081, "
        "at most 0.005 (f1 of about_pr)."
    )
    assert expected in said(report) and expected in visible(page(report))


def test_files_that_were_chosen_and_judged_on_the_same_rows_are_named() -> None:
    report = sample_report()
    fp32, int8 = report["parity"]
    int8 |= {"rows": 90, "chosen_on": {"rows": 90, "apart": False}}
    expected = (
        "Chosen and judged on the same validation rows: 8L_trunc.onnx-int8 (90); validation has under 60 clusters"
    )
    assert expected in said(report) and expected in visible(page(report))
    int8["chosen_on"]["apart"] = True
    assert "Chosen and judged" not in said(report) and "chosen_on" not in fp32
