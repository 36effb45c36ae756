"""What the page's drawings show, and where their marks stand."""

from __future__ import annotations

import re

from distill.core.current import Current
from distill.core.files import write_json
from distill.report import latency_plot, plots, reliability_plot, slice_plot
from distill.report.cost_plot import Mark, cost_plot
from distill.report.disagreement_tables import disagreement_sentence, disagreement_sheet
from distill.report.lineage_table import lineage_entries, lineage_sheet
from distill.report.page import page
from distill.report.tables import markdown
from tests.report.sample import sample_report

BINS = [
    {"decisions": 25, "confidence": 0.5, "right": 0.4},
    {"decisions": 75, "confidence": 0.9, "right": 0.9},
]
FOUND = {
    "student": "8L@card",
    "teacher": "base@document",
    "rows": 200,
    "differ": 30,
    "student_right": 9,
    "teacher_right": 18,
    "both_wrong": 3,
    "examples": [
        {
            "id": "t-1",
            "slice": "diy",
            "gold": "yes",
            "student": {"label": "no", "sure": 0.8},
            "teacher": {"label": "yes", "sure": 0.97},
            "texts": {"title": "<script>alert(1)</script>", "url": "x.example"},
        }
    ],
}


def numbers(pattern: str, drawing: str) -> list[float]:
    return [float(found) for found in re.findall(pattern, drawing)]


def test_the_front_joins_what_nothing_beats_in_both():
    fast, better, beaten = (
        plots.Point(name, "student", ms, quality, (quality, quality))
        for name, ms, quality in (("fast", 1.0, 70.0), ("better", 4.0, 80.0), ("beaten", 5.0, 75.0))
    )
    assert plots.pareto_front([beaten, better, fast]) == [fast, better]
    assert 'class="front"' in plots.scatter([fast, better, beaten], "F1")
    assert 'class="front"' not in plots.scatter([fast, beaten][:1], "F1")


def test_the_tail_is_a_bar_to_the_right():
    report = sample_report()
    points = {point.name: point for point in plots.measured_points(report)}
    assert points["base@document"].tail_ms == 251.3 and points["6L_trunc@card"].tail_ms == 47.9  # p95 for want of p99
    alone = plots.scatter([points["base@document"]], "F1")
    (start, y1, end, y2), *_ = re.findall(
        r'class="error" x1="([\d.]+)" y1="([\d.]+)" x2="([\d.]+)" y2="([\d.]+)"', alone
    )[1:]
    assert float(end) > float(start) and y1 == y2


def test_each_timed_model_has_a_line_the_fastest_first():
    report = sample_report()
    report["latency"][0]["p95_ms"] = None
    drawing = latency_plot.figure(report)
    names = re.findall(r"class=\"label\">([^ ]+) ·", drawing)
    assert names[0] == "8L_trunc@card.onnx-int8" and names[-1] == "base@document" and len(names) == 7
    assert drawing.count('class="thick"') == 6 and drawing.count('class="thin"') == 5  # 6L_trunc has no p99
    assert latency_plot.figure({"latency": [{"model": "x", "batch": 8, "p50_ms": 1.0}]}) == ""


def test_slices_show_the_new_model_beside_the_old_one():
    report = sample_report()
    drawing = slice_plot.figure(report)
    assert "Diamonds: base@document; dots: 8L_trunc@card.onnx-int8." in drawing
    assert "старый пул: 76.2 and 72.9 (−3.4 points)" in drawing
    assert "Diamonds: 6L_trunc@card" in slice_plot.figure(report | {"baseline": "6L_trunc@card"})
    assert slice_plot.figure({}) == ""


def test_a_bin_stands_where_it_says_and_is_right():
    drawing = reliability_plot.figure("8L@card", BINS)
    x, y = numbers(r'class="bin" cx="([\d.]+)"', drawing), numbers(r'cy="([\d.]+)"', drawing)
    r = numbers(r' r="([\d.]+)"', drawing)
    assert x[0] < x[1] and y[0] > y[1] and abs(r[1] / r[0] - 3**0.5) < 0.02
    diagonal = re.search(r'reference" x1="([\d.]+)" y1="([\d.]+)" x2="([\d.]+)" y2="([\d.]+)"', drawing)
    assert diagonal is not None
    x1, y1, x2, y2 = map(float, diagonal.groups())
    on_line = [y1 + (at - x1) / (x2 - x1) * (y2 - y1) for at in x]
    assert abs(y[1] - on_line[1]) < 0.2 and y[0] > on_line[0] + 5
    assert reliability_plot.figure("8L@card", []) == ""


def test_reliability_of_students_and_teachers_comes_first():
    report = sample_report() | {"reliability": {"8L_trunc@card": BINS, "8L_trunc@card.onnx": BINS}}
    text = page(report)
    section = text[text.index('id="reliability"') :]
    assert section.index("Reliability of 8L_trunc@card<") < section.index("Exported files and baselines")
    assert section.index("Exported files and baselines") < section.index("Reliability of 8L_trunc@card.onnx<")


def test_disagreements_say_who_was_right_and_show_texts_where_they_may():
    assert disagreement_sentence(FOUND) == (
        "8L@card and base@document differ on 30 of 200 test rows (15.0%): "
        "the teacher is right on 18, the student on 9, neither on 3."
    )
    assert "| `t-1` | diy | yes | yes (97%) | no (80%) | title: &lt;script>" in markdown(disagreement_sheet(FOUND))
    text = page(sample_report() | {"disagreements": [FOUND]})
    assert "<script>alert" not in text and "&lt;script&gt;alert(1)" in text
    bare = {**FOUND, "examples": [{key: value for key, value in FOUND["examples"][0].items() if key != "texts"}]}
    assert "Texts" not in markdown(disagreement_sheet(bare))


def test_lineage_is_that_of_the_bundles(tmp_path):
    lineage = {
        "project": {"commit": "abc", "dirty": True},
        "data": {"train": {"files": [{"name": "train.jsonl", "sha256": "ab" * 32, "rows": 1500}]}},
        "encoder": {"name": "base", "revision": "not stated"},
        "artifacts": {"teachers/base": "cd" * 32},
    }
    write_json(tmp_path / "bundles" / "8L" / "manifest.json", {"content_sha256": "ef" * 32, "lineage": lineage})
    (entry,) = lineage_entries(Current(tmp_path, {"bundles/8L"}))
    text = markdown(lineage_sheet(entry))
    assert "| data: train | `train.jsonl` | 1\u202f500 | abababababababab |" in text
    assert "| bundle | `8L` | – | efefefefefefefef |" in text
    assert lineage_sheet(entry).caption.endswith("of commit abc with changes.")
    assert lineage_entries(Current(tmp_path, set())) == []


def test_what_no_other_file_beats_is_named_on_wide_and_narrow_screens():
    def mark(at, front):
        cost, share = {"value": 1.0 + at, "low": 0.9 + at, "high": 1.1 + at}, 0.5 + at / 100
        return Mark(f"file <{at}>", cost, {"value": share, "low": share - 0.01, "high": share + 0.01}, front)

    drawn = cost_plot([mark(at, at % 2 == 0) for at in range(12)], "f1_macro", "p99, ms", bound=4.0)
    for name in ("wide", "narrow"):
        assert f'<div class="{name}">' in drawn
    named = re.findall(r'<text[^>]*class="label[^>]*>([^<]*)</text>', drawn)
    assert sorted(set(named)) == sorted(f"file &lt;{at}&gt;" for at in range(0, 12, 2)) and len(named) == 12
    assert 'class="reference"' in drawn and "the bound, 4 ms" in drawn
    few = cost_plot([mark(at, at == 0) for at in range(3)], "f1_macro", "p99, ms")
    assert len(re.findall(r'class="label', few)) == 6 and 'class="front"' not in few
    assert cost_plot([Mark("a", {}, {"value": 0.5}, True)], "f1_macro", "p99, ms") == ""
