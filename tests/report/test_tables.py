from __future__ import annotations

import io
import re

import pytest
from rich.console import Console
from rich.table import Table

from distill.evaluation.entries import Comparison, Parity
from distill.report import breakdown_tables, formats, quality_tables, run_tables
from distill.report.markup import table as html_table
from distill.report.run_tables import latency_sheet
from distill.report.table_model import model_rows
from distill.report.tables import markdown, markdown_results, markdown_table, quality_table, rich_table
from tests.report.sample import LABELS, sample_report


def printed(table: Table, width: int) -> list[str]:
    """The lines that a terminal of `width` characters shows."""
    output = io.StringIO()
    Console(file=output, width=width).print(table)
    return [line.rstrip() for line in output.getvalue().splitlines()]


def cells(text: str, start: str) -> list[str]:
    """The cells of the Markdown row that begins with `start`."""
    row = next(line for line in text.splitlines() if line.startswith(f"| {start}"))
    return [cell.strip() for cell in row.strip("|").split(" | ")]


def test_markdown_cells_of_known_figures() -> None:
    text = markdown_table(sample_report())
    assert cells(text, "`8L_trunc@card.onnx-int8`") == [
        "`8L_trunc@card.onnx-int8`", "8", "82.5 M", "81.82", "73.04", "78.95", "75.88 (74.6–77.1)", "74.78 (73.6–76.0)",
        "yes", "94.50 (93.1–95.9)", "97.10 (95.9–98.4)", "14.2", "19.1", "13.2×", "8.18×",
    ]  # fmt: skip
    assert cells(text, "`base@document>card`")[-4:] == ["–"] * 4


def test_the_mission_row_reads_as_in_its_table() -> None:
    row = cells(markdown_table(sample_report()), "`8L_trunc@card`")
    assert row[3:7] == ["82.10", "73.32", "79.23", "76.16 (74.9–77.4)"]


def test_every_markdown_row_has_the_cells_of_the_heading() -> None:
    lines = [line for line in markdown_results(sample_report(), "Результаты").splitlines() if line.startswith("|")]
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in lines} == {
        4 + 1,
        5 + 1,
        6 + 1,
        8 + 1,
        10 + 1,
        15 + 1,
        16 + 1,
    }


def test_markdown_results_hold_every_part() -> None:
    text = markdown_results(sample_report(), "WDC Products")
    headings = [line for line in text.splitlines() if line.startswith("#")]
    controls = ["Against the majority answer", "Gold-only twins", "Labels", "Training"]
    parts = ["Quality and speed", "Each class", "Each test", "Operating points", *controls, "Comparisons", "Latency"]
    assert headings == ["# WDC Products", *(f"## {part}" for part in parts)]
    assert "Test “unseen” (5\u202f090 rows)" in text and "Environment: cpu 2 × Zen 4" in text
    assert cells(text, "`8L_trunc@card` | `8L_trunc-gold@card`")[3:] == ["+3.12 (+2.0…+4.2)", "<0.001", "A is better"]


def test_each_class_has_its_f1_and_accuracy_has_an_interval() -> None:
    text = markdown_results(sample_report(), "WDC Products").partition("## Each class")[2].partition("\n## ")[0]
    at = cells(text, "Class").index("8L_trunc@card")
    assert [cells(text, label)[at] for label in LABELS] == ["82.91", "70.21", "76.16 (74.9–77.4)"]
    assert cells(text, "`8L_trunc@card`")[1] == "75.76 (74.5–77.1)"


def test_figures_of_several_seeds_are_said_to_be_means_above_the_table() -> None:
    report = sample_report() | {"seeds": [1, 2, 3], "stopped_seeds": [4]}
    for text in (markdown_results(report, "Result"), markdown_table(report)):
        before = text.partition("| Model")[0]
        assert "mean of 3 seeds (1, 2, 3)" in before and "Latency: seed 1." in before and "seed 4" in before
    assert "mean of" not in markdown_table(sample_report())


def test_markdown_of_an_empty_report_has_only_the_title() -> None:
    assert markdown_results({}, "Nothing") == "# Nothing\n"


def test_markdown_escapes_what_would_break_a_table_or_run_as_html() -> None:
    report = sample_report()
    report["models"][0]["name"] = "a|b`c\nd"
    report["comparisons"][0]["metric"] = "<img src=x>|"
    text = markdown_results(report, "<script>")
    assert "`` a\\|b`c d ``" in text and "&lt;img src=x>\\|" in text
    assert "<script>" not in text and "<img" not in text


def test_html_rich_and_markdown_show_the_same_cells() -> None:
    sheet = quality_tables.quality_sheet(sample_report())
    expected = [[column.cell(row) for column in sheet.columns] for row in sheet.rows]
    flat_html = re.sub(r"<[^>]+>", " ", html_table(sheet)).replace("&gt;", ">")
    shown = (markdown(sheet), "\n".join(printed(rich_table(sheet), 300)), " ".join(flat_html.split()))
    for row in expected:
        for value in (part for cell in row[1:] for part in cell.split(" (")):
            assert all(value in text for text in shown)


@pytest.mark.parametrize("width", [80, 100, 120, 200])
def test_the_terminal_table_fits_without_cutting_a_cell(width: int) -> None:
    lines = printed(quality_table(sample_report(), width), width)
    names = {model["name"] for model in sample_report()["models"]} - {"8L_trunc-gold-steps@card"}
    assert all(any(line.startswith(name) for line in lines) for name in names)
    assert max(map(len, lines)) <= width and not any("…" in line for line in lines)


def test_narrow_terminals_lose_the_spare_columns_first() -> None:
    wide, narrow = quality_table(sample_report()), quality_table(sample_report(), 80)
    assert len(wide.columns) == 15
    kept = [" ".join(str(column.header).split()) for column in narrow.columns]
    assert kept[0] == "Model" and "F1" in kept and "Speed-up" in kept and "Over fastest teacher" not in kept


def test_latency_table_shows_every_measurement() -> None:
    lines = printed(rich_table(latency_sheet(sample_report()), 120), 120)
    assert sum("fp32" in line or "int8  " in line for line in lines) == 7
    assert any("0.35" in line for line in printed(rich_table(latency_sheet(sample_report())), 250))


def test_names_are_not_read_as_rich_markup() -> None:
    report = sample_report()
    report["models"][0]["name"] = "[bold]base[/bold]"
    assert any("[bold]base[/bold]" in line for line in printed(quality_table(report), 250))


def test_tables_of_an_empty_report_print() -> None:
    assert printed(quality_table({}), 80) and printed(rich_table(latency_sheet({}), 80), 80)


def test_models_come_in_the_order_of_their_roles() -> None:
    report = sample_report()
    report["models"].reverse()
    roles = [row.model.role for row in model_rows(report)]
    assert roles == ["teacher"] * 3 + ["student"] * 2 + ["baseline"] * 3 + ["artifact"] * 2


@pytest.mark.parametrize(
    ("metric", "low", "high", "reading"),
    [
        ("f1_macro", 0.01, 0.03, "A is better"),
        ("f1_macro", -0.03, -0.01, "B is better"),
        ("f1_macro", -0.01, 0.01, "no difference shown"),
        ("log_loss", 0.01, 0.03, "B is better"),
        ("ece", -0.03, -0.01, "A is better"),
        ("accuracy", None, None, "–"),
    ],
)
def test_reading_of_a_comparison(metric: str, low: float | None, high: float | None, reading: str) -> None:
    assert quality_tables.reading(Comparison("a", "b", metric, low=low, high=high)) == reading


def test_an_operating_point_out_of_reach_differs_from_a_missing_one() -> None:
    report = sample_report()
    del report["models"][0]["quality"]["positive"]["operating_points"]["recall@P>=0.9"]
    text = markdown(breakdown_tables.points_sheet(report))
    assert cells(text, "`base@document`")[-5:] == ["–"] * 5
    assert cells(text, "`base@card`")[-5:] == ["not reached", "–", "–", "–", "–"]


def test_label_flips_are_read_as_a_count_or_a_share() -> None:
    rows = [{"label_flips": 12, "rows": 2048}, {"label_flips": 0.0058, "rows": 2048}, {"label_flips": 0}, {}]
    flips = next(column for column in run_tables.parity_sheet({}).columns if column.name == "Label flips")
    assert [flips.cell(Parity.from_json(row)) for row in rows] == ["12 (0.59%)", "0.58%", "0", "–"]


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (formats.percent_interval({"value": 0.7616, "low": 0.749, "high": 0.774}), "76.16 (74.9–77.4)"),
        (formats.percent_interval(0.7616, [0.749, 0.774]), "76.16 (74.9–77.4)"),
        (formats.percent_interval(0.7616), "76.16"),
        (formats.percent_interval({"value": None, "low": 0.1, "high": 0.2}), "–"),
        (formats.percent(True), "–"),
        (formats.signed_interval(-0.0096, {"low": -0.0191, "high": 0.0003}, 100, 2), "−0.96 (−1.9…+0.0)"),
        (formats.millions(110_890_755), "111 M"),
        (formats.millions(22_713_216), "22.7 M"),
        (formats.millions(850_000), "850 K"),
        (formats.three_digits(0.348), "0.35"),
        (formats.three_digits(187.4), "187"),
        (formats.times(13.24), "13.2×"),
        (formats.times(0.62), "0.62×"),
        (formats.times_interval(13.24, [12.8, 13.6]), "13.2× (12.8–13.6)"),
        (formats.times_interval(13.24, [None, None]), "13.2×"),
        (formats.plain(["avx2", 2]), "avx2, 2"),
        (formats.duration(0.42), "0.4 s"),
        (formats.duration(185), "3 min 05 s"),
        (formats.duration(8120), "2 h 15 min"),
        (formats.p_value(0.0002), "<0.001"),
        (formats.plain(6.1e-07), "6.1e-07"),
        (formats.plain(-0.01), "−0.01"),
        (formats.plain(0), "0"),
        (formats.plain(None), "–"),
        (formats.integer(41_270), "41\u202f270"),
    ],
)
def test_figures_as_text(shown: str, expected: str) -> None:
    assert shown == expected


def test_the_latency_table_says_what_was_not_timed_and_why() -> None:
    report = sample_report()
    plain = rich_table(latency_sheet(report), 250)
    report["environment"]["bench"] = {"left_out": {"bought@document": "there is no model to time"}}
    assert "Not timed: bought@document, there is no model to time." in " ".join(
        " ".join(printed(rich_table(latency_sheet(report), 250), 250)).split()
    )
    assert "Not timed" not in " ".join(printed(plain, 250))


def test_what_rounds_to_zero_has_no_minus():
    assert formats.percent_interval(-1e-9, (-1e-8, 1e-9)) == "0.00 (0.0–0.0)"
    assert formats.percent_interval(-0.02, (-0.03, -0.01)) == "-2.00 (-3.0–-1.0)"
