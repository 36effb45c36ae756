"""The best cell of each column, and differences to the named baseline beside the figures."""

from __future__ import annotations

import io
import re

import pytest
from rich.console import Console

from distill.report import (
    breakdown_tables,
    confusion_table,
    formats,
    labels_tables,
    majority_table,
    quality_tables,
    twins_table,
)
from distill.report.markup import table as html_table
from distill.report.page import page
from distill.report.tables import markdown, markdown_results, rich_table
from tests.report.sample import LABELS, sample_report

STUDENT = "8L_trunc@card"


def with_baseline(name="base@card"):
    report = sample_report() | {"baseline": name}
    for model in report["models"]:
        if model["name"] != name:
            model["quality"]["over_baseline"] = {
                "f1_macro": {"difference": 0.0123, "low": 0.001, "high": 0.02, "p_value": 0.03, "p_holm": 0.2},
                "log_loss": {"difference": -0.05, "low": -0.2, "high": 0.1, "p_value": 0.3, "p_holm": 0.9},
                "per_class": {LABELS[2]: {"f1": {"difference": -0.03, "low": -0.05, "high": -0.01, "p_holm": 0.01}}},
            }
    return report


def row_of(text, name):
    return next(line for line in text.splitlines() if line.startswith(f"| `{name}` |"))


def test_differences_stand_beside_their_figures_with_their_marks():
    text = row_of(markdown(quality_tables.quality_sheet(with_baseline())), STUDENT)
    assert "Δ+1.23\\* |" in text or "Δ+1.23* |" in text
    assert re.search(r"76\.16 \(74\.9–77\.4\) Δ−3\.00(\\\*|\*){2} \|", text)
    unsure = row_of(markdown(breakdown_tables.chances_sheet(with_baseline())), STUDENT)
    assert "Δ−0.0500 |" in unsure, "an interval that holds 0 has no star"
    base = row_of(markdown(quality_tables.quality_sheet(with_baseline())), "base@card")
    assert "Δ" not in base
    assert "Δ: difference to base@card" in quality_tables.quality_sheet(with_baseline()).caption


def test_what_has_no_interval_has_a_plain_difference():
    report = with_baseline()
    figures = {model["name"]: model["quality"]["slices"]["аптека"]["accuracy"] for model in report["models"][:4]}
    apart = 100 * (formats.number(figures[STUDENT]) - formats.number(figures["base@card"]))
    shown = f"Δ{apart:+.2f}".replace("-", "−")
    assert f"{shown} |" in row_of(markdown(breakdown_tables.slice_sheet(report)), STUDENT)
    assert "without interval" in breakdown_tables.slice_sheet(report).caption


def test_without_a_baseline_there_is_no_difference_anywhere():
    assert "Δ" not in markdown_results(sample_report(), "run") and "Δ" not in page(sample_report())
    assert "Δ" not in page(sample_report() | {"baseline": "gone@card"})
    assert "Δ" in page(with_baseline())


def bold(sheet):
    """What the terminal shows in bold; headings too."""
    output = io.StringIO()
    Console(file=output, width=400, force_terminal=True, color_system="truecolor").print(rich_table(sheet))
    return re.findall(r"\x1b\[1m([^\x1b]+)\x1b", output.getvalue())


def test_the_best_cell_of_each_column_is_bold_on_page_and_terminal():
    sheet = breakdown_tables.chances_sheet(sample_report())
    best = {}
    for column in sheet.columns:
        known = [(column.figure(row), row) for row in sheet.rows] if column.figure else []
        known = [(value, row) for value, row in known if value is not None]
        if known:
            top = (min if column.lower else max)(value for value, _ in known)
            best[column.name] = {column.cell(row) for value, row in known if value == top}
    assert sheet.columns[3].lower and set(best) == {"Accuracy", "Macro F1", "Log loss", "ECE"}
    strong = re.findall(r"<strong>([\d.]+)", html_table(sheet))
    cells = {cell.partition(" ")[0] for found in best.values() for cell in found}
    assert set(strong) == cells
    assert {text.strip() for text in bold(sheet)} >= cells
    second = {column.cell(row).partition(" ")[0] for column in sheet.columns[1:3] for row in sheet.rows} - cells
    assert second and not second & {text.strip() for text in bold(sheet)}


def test_classes_are_compared_across_models_and_one_figure_alone_is_not_the_best():
    sheet = breakdown_tables.class_sheet(sample_report())
    best = sheet.best()
    for label in sheet.rows:
        figures = {column.name: column.figure(label) for column in sheet.columns if column.figure}
        marked = {column.name for column in sheet.columns if best(column, label)}
        assert marked == {name for name, value in figures.items() if value == max(figures.values())} != set()
    alone = sample_report()
    alone["models"] = alone["models"][:1]
    assert "<strong>" not in html_table(breakdown_tables.chances_sheet(alone))


@pytest.mark.parametrize(
    "sheet_of", [majority_table.majority_sheet, labels_tables.choice_sheet, twins_table.twin_sheet]
)
def test_every_table_of_figures_marks_its_best(sheet_of):
    sheet = sheet_of(sample_report())
    best, compared = sheet.best(), [column for column in sheet.columns if column.figure]
    assert {column.name for column in compared} >= {"Accuracy", "Macro F1", "Log loss"}
    assert all(any(best(column, row) for row in sheet.rows) for column in compared)


def test_the_most_confused_pairs_of_teachers_and_students_are_shown():
    report, pair = (
        sample_report(),
        {"gold": LABELS[0], "predicted": LABELS[2], "rows": 7, "share": 0.07, "of_gold": 0.5},
    )
    for model in report["models"]:
        model["quality"]["confusions"] = {"kinds": 9, "pairs": [{**pair, "rows": rows} for rows in range(20, 0, -1)]}
    sheet = confusion_table.confusion_sheet(report)
    names = {model["name"] for model in report["models"] if model["role"] in ("teacher", "student")}
    assert {row[0].name for row in sheet.rows} == names and len(sheet.rows) == 5 * len(names)
    text = page(report)
    assert f"{STUDENT}: 9 different pairs" in text and "Confused classes" in text
    assert "Confused classes" not in page(sample_report())


def test_weighted_f1_is_shown_where_it_is_known():
    report = sample_report()
    assert "Weighted F1" not in page(report)
    for model in report["models"]:
        model["quality"]["f1_weighted"] = {"value": 0.81, "low": 0.8, "high": 0.82}
    assert "81.00 (80.0–82.0)" in markdown(breakdown_tables.chances_sheet(report))
    assert "Weighted F1" not in markdown(quality_tables.quality_sheet(report))
    assert "Weighted F1" in markdown(quality_tables.quality_sheet(report | {"metric": "f1_weighted"}))
