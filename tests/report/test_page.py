from __future__ import annotations

import base64
import copy
import hashlib
import html
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from distill.core.errors import UserError
from distill.report import plots, scales, verdict
from distill.report.page import page, write_page
from tests.core.test_output import POISON, steering
from tests.report.sample import LABELS, SLICES, sample_report

VOID = {"meta", "wbr", "link", "br", "path", "rect", "line", "circle", "polyline"}


class Outline(HTMLParser):
    """Collects elements and checks that every one is closed where it should be."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in VOID or tag == "rect":
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def count(self, tag: str) -> int:
        return sum(name == tag for name, _ in self.seen)


def visible(text: str) -> str:
    """The page's text with tags and break hints taken out."""
    return html.unescape(re.sub(r"<[^>]+>", "", re.sub(r"<(style|script)>.*?</\1>", "", text, flags=re.S)))


def replaced_everywhere(value: Any, texts: dict[str, str]) -> Any:
    """The report with every string that equals a key of `texts`, also as a key, replaced."""
    if isinstance(value, dict):
        return {texts.get(key, key): replaced_everywhere(inner, texts) for key, inner in value.items()}
    if isinstance(value, list):
        return [replaced_everywhere(inner, texts) for inner in value]
    return texts.get(value, value) if isinstance(value, str) else value


def all_strings(value: Any) -> set[str]:
    """Every string value in the report, and the keys that come from data."""
    if isinstance(value, dict):
        return set().union(
            *(all_strings(inner) for inner in value.values()), {key for key in value if key in data_keys}
        )
    if isinstance(value, list):
        return set().union(*map(all_strings, value)) if value else set()
    return {value} if isinstance(value, str) else set()


data_keys = {*LABELS, *SLICES, "unseen", "seen", "duplicate", "too short", "recall@P>=0.9", "cpu", "test"}


def test_every_model_slice_class_and_test_is_on_the_page() -> None:
    report = sample_report()
    text = visible(page(report))
    names = [model["name"] for model in report["models"]]
    for name in [*names, *LABELS, *SLICES, "unseen", "seen", "too short", "2.13.0"]:
        assert name in text
    main = visible(page(report).split('id="trade-off"')[0])
    assert [name for name in names if name not in main] == ["8L_trunc-gold-steps@card"]


def test_the_page_is_well_formed_with_unique_ids_and_no_dead_links() -> None:
    outline = Outline(page(sample_report()))
    ids = [attributes["id"] for _, attributes in outline.seen if "id" in attributes]
    links = {attributes["href"] for tag, attributes in outline.seen if tag == "a"}
    assert len(ids) == len(set(ids)) and links <= {f"#{name}" for name in ids}
    linked = [name for name, tag in ((one.get("id"), tag) for tag, one in outline.seen) if tag in ("section", "main")]
    assert {f"#{name}" for name in linked} <= links
    rows = [one for tag, one in outline.seen if tag == "tr" and "id" in one]
    assert "quality-table-8L_trunc@card.onnx-int8" in ids and len(rows) > 100


def test_the_page_runs_its_own_script_and_style_and_no_other() -> None:
    text = page(sample_report())
    policy = html.unescape(re.findall(r'Content-Security-Policy" content="([^"]+)"', text)[0])
    for kind in ("style", "script"):
        (inside,) = re.findall(rf"<{kind}>(.*?)</{kind}>", text, flags=re.S)
        found = base64.b64encode(hashlib.sha256(inside.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{found}'" in policy
    assert "unsafe" not in policy and not re.search(r" (style|on\w+)=", re.sub(r"<script>.*", "", text, flags=re.S))


def test_the_page_loads_nothing() -> None:
    text = page(sample_report())
    assert not re.search(r"https?:|//\w|src=|url\(|@import|<link|<iframe|fetch\(|import\(", text)
    assert "default-src 'none'" in html.unescape(text)


def test_tables_have_captions_and_drawings_have_title_and_description() -> None:
    outline = Outline(page(sample_report()))
    drawings = sum(tag == "svg" and attributes.get("role") == "img" for tag, attributes in outline.seen)
    assert outline.count("table") == outline.count("caption") > 10
    assert (
        drawings == outline.count("desc") == 10
    )  # the plot for two widths, slices, latency, two histograms, four fits


@pytest.mark.parametrize(
    "planted", ["<script>alert(1)</script>", '"><img onerror=x>', "</title></svg><b>", "a & b </td>"]
)
def test_every_text_is_escaped(planted: str) -> None:
    clean = sample_report() | {"baseline": "6L_trunc@card"}
    structural = {"teacher", "student", "baseline", "artifact", "document", "card", "audit", "log_loss", "accuracy"}
    texts = {text: f"{planted}{text}" for text in all_strings(clean) - structural}
    report = replaced_everywhere(clean, texts)
    outline, expected = Outline(page(report)), Outline(page(clean))
    for tag in ("script", "img", "b", "svg", "table", "title"):
        assert outline.count(tag) == expected.count(tag)
    assert visible(page(report)).count(planted) > 100


def test_nothing_on_the_page_steers_its_reader() -> None:
    clean = sample_report()
    structural = {"teacher", "student", "baseline", "artifact", "document", "card", "audit", "log_loss"}
    report = replaced_everywhere(clean, {text: f"{text}{POISON}" for text in all_strings(clean) - structural})
    assert steering(page(report)) == [] and r"\u202egnp.exe" in page(report)


def test_an_empty_report_renders() -> None:
    text = page({})
    assert "No model has been measured yet." in text
    assert Outline(text).count("table") == 0


@pytest.mark.parametrize("missing", [None, [], {}, "absent"])
@pytest.mark.parametrize("section", sorted(sample_report()))
def test_any_section_may_be_missing(section: str, missing: Any) -> None:
    report = sample_report()
    if missing == "absent":
        del report[section]
    else:
        report[section] = missing
    assert Outline(page(report)).count("h1") == 1


@pytest.mark.parametrize("key", sorted(sample_report()["models"][0]))
def test_any_field_of_a_model_may_be_null(key: str) -> None:
    report = sample_report()
    for model in report["models"]:
        model[key] = None
    Outline(page(report))


def test_nan_and_infinity_show_as_missing() -> None:
    report = sample_report()
    report["latency"][0] |= {"p50_ms": float("nan"), "speedup_vs_teacher": float("inf")}
    report["models"][0]["quality"]["log_loss"] = {"value": float("nan"), "low": 0.1, "high": 0.2}
    assert not re.search(r"\b(nan|inf)\b", visible(page(report)), re.IGNORECASE)


def test_a_task_without_positive_class_shows_accuracy_and_macro_f1() -> None:
    report = sample_report()
    report["task"]["positive"] = None
    text = page(report)
    assert "against the rest" not in text and 'id="points"' not in text
    assert "75.76 <small>(74.5–77.1)</small>" in text
    assert plots.quality_name(report) == "Macro F1, %"


def test_the_plot_marks_no_share_above_100_percent() -> None:
    whole = plots.Point("one", "teacher", 1.0, 100.0, (99.9, 100.0))
    assert ">100<" in plots.scatter([whole], "F1") and ">100." not in plots.scatter([whole], "F1")


def test_an_artifact_that_failed_parity_is_not_the_headline() -> None:
    report = sample_report()
    report["parity"][1]["passed"] = False
    row = verdict.headline_model(report)
    assert row is not None and row.name == "8L_trunc@card.onnx"


@pytest.mark.parametrize("gate", ["retention.card 8L_trunc@card.onnx-int8", "parity 8L_trunc.onnx-int8"])
def test_an_artifact_that_failed_a_gate_is_not_the_headline(gate: str) -> None:
    report = sample_report()
    report["gates"].append({"name": gate, "required": 0.95, "measured": 0.9, "passed": False})
    row = verdict.headline_model(report)
    assert row is not None and row.name == "8L_trunc@card.onnx"


def test_a_failed_gate_follows_the_first_sentence_by_name() -> None:
    report = sample_report()
    report["gates"][2]["passed"] = False
    text = page(report)
    assert '<header class="failed">' in text
    assert re.search(r"deciding</h2><ul class=\"verdict\"><li>1 of 5 gates failed: int8_flips\.</li>", text)
    assert text.index("Failed</span>") < text.index("Nothing is handed over: 1 of 5 gates failed: int8_flips.")
    assert '<header class="passed">' in page(sample_report())


def test_an_unmeasured_gate_is_neither_passed_nor_failed() -> None:
    report = sample_report()
    report["gates"][1] |= {"passed": None, "measured": None}
    assert verdict.state(report) == "open"
    assert verdict.gates_sentence(report) == "1 of 5 gates not measured: parity_fp32."


def test_the_plot_has_a_point_per_latency_row_with_quality() -> None:
    report = sample_report()
    drawing = plots.scatter(plots.measured_points(report), "F1")
    assert drawing.count('class="point ') == len(report["latency"]) == 7
    report["latency"][1]["model"] = "nobody"
    report["latency"].append(report["latency"][0] | {"batch": 8})
    assert plots.scatter(plots.measured_points(report), "F1").count('class="point ') == 6


def test_points_stand_where_their_figures_say() -> None:
    points = {point.name: point for point in plots.measured_points(sample_report())}
    teacher, student = points["base@document"], points["8L_trunc@card.onnx-int8"]
    assert (teacher.p50_ms, teacher.quality, teacher.role) == (187.4, 79.23, "teacher")
    assert student.interval == pytest.approx((74.62, 77.12))
    drawing = plots.scatter([teacher, student], "F1")
    diamond = [float(number) for number in re.findall(r'<path d="M([\d.]+) ([\d.]+)l7.5', drawing)[0]]
    triangle = [float(number) for number in re.findall(r'<path d="M([\d.]+) ([\d.]+)l6.5', drawing)[0]]
    assert triangle[0] < diamond[0] and triangle[1] > diamond[1]


def test_labels_of_points_do_not_cover_each_other() -> None:
    points = [
        plots.Point(f"8L_trunc@card.{index}", "student", 10 + index / 10, 76.0, (75.0, 77.0)) for index in range(6)
    ]
    drawing = plots.scatter(points, "F1")
    heights = sorted(float(y) for y in re.findall(r'<text x="[\d.]+" y="([\d.]+)" class="label', drawing))
    rights = drawing.count('class="label end"')
    assert len(heights) == 6 and 0 < rights < 6
    assert len({round(height) for height in heights}) >= 3


def test_one_point_and_equal_points_are_drawn() -> None:
    point = plots.Point("a", "student", 5.0, 50.0, (50.0, 50.0))
    assert "nan" not in plots.scatter([point], "F1")
    assert plots.scatter([point, point], "F1").count("<circle") == 2
    assert plots.scatter([], "F1") == ""


def test_a_histogram_has_a_bar_per_bin_as_high_as_its_count() -> None:
    drawing = plots.histogram([0, 10, 20, 30], [1, 4, 2], "Tokens", {"median": 14, "outside": 99})
    heights = [float(height) for height in re.findall(r'class="bar"[^>]*height="([\d.]+)"', drawing)]
    assert heights == pytest.approx([max(heights) / 4, max(heights), max(heights) / 2], abs=0.1)
    assert "median 14" in drawing and "outside" not in drawing
    assert plots.histogram([0, 1], [], "Tokens", {}) == plots.histogram([0, 1], [0], "Tokens", {}) == ""


def test_ticks_are_round() -> None:
    assert scales.round_ticks(0, 256) == [0, 50, 100, 150, 200, 250]
    assert scales.log_ticks(8, 260) == [10, 20, 50, 100, 200]
    assert scales.round_ticks(0.711, 0.812, about=7) == [0.72, 0.74, 0.76, 0.78, 0.8]


def test_a_ledger_that_does_not_add_up_says_so() -> None:
    report = sample_report()
    assert "read = kept + dropped." in page(report)
    report["audit"]["rows"]["kept"] -= 3
    assert "3 rows are unaccounted for" in page(report)


def test_the_ledger_shows_each_source() -> None:
    report = sample_report()
    sources = {"train": {"read": 41_700, "kept": 41_270, "dropped": {"duplicate": 301}}, "пул": {"read": 5, "kept": 5}}
    report["audit"]["rows"]["by_source"] = sources
    text = page(report)
    assert all(figure in text for figure in ("пул", "By source", "41\u202f700"))


def test_rendering_leaves_the_report_alone_and_is_repeatable() -> None:
    report = sample_report()
    before = copy.deepcopy(report)
    assert page(report) == page(report)
    assert report == before


def test_write_page_writes_the_page_and_nothing_else(tmp_path: Path) -> None:
    write_page(sample_report(), tmp_path / "run" / "report.html")
    assert (tmp_path / "run" / "report.html").read_text(encoding="utf-8") == page(sample_report())
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["report.html"]


def test_write_page_names_the_path_that_it_cannot_write(tmp_path: Path) -> None:
    (tmp_path / "report.html").mkdir()
    with pytest.raises(UserError, match="report.html"):
        write_page(sample_report(), tmp_path / "report.html")
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]
