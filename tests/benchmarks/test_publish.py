"""Stored results, and the pages and sentences made from them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from benchmarks import publish
from benchmarks.figures import RUN, fill, without_figures
from benchmarks.quality_summary import summarise
from benchmarks.results_page import FOLDER, PAGE, anchor, pages
from benchmarks.summaries import FILE, read_summaries
from distill.core.errors import UserError
from distill.core.files import write_json
from distill.core.sealed import write_sealed
from tests.benchmarks.quality_reports import new_report, write_run
from tests.report.sample import sample_report

ROOT = Path(__file__).resolve().parents[2]
RESULTS, DOCS = ROOT / "benchmarks" / "results", ROOT / "docs"
WORDS = {"title": "Offers", "asked": "Does it?", "answer": "Yes", "ran": "One run.", "found": "Yes.", "follows": "So."}


@pytest.fixture
def root(tmp_path):
    (tmp_path / "benchmarks" / "results").mkdir(parents=True)
    (tmp_path / "run").mkdir()
    write_sealed(tmp_path / "run" / "report.json", sample_report())
    block = "before\n<!-- results:wdc -->\nstale table\n<!-- /results -->\nafter\n"
    (tmp_path / "README.md").write_text(block, encoding="utf-8")
    return tmp_path


def test_a_run_becomes_json_page_and_readme_table(root):
    options = ["--name", "wdc", "--title", "WDC", "--command", "distill --config wdc.yaml", "--root", str(root)]
    assert publish.main([str(root / "run"), *options]) == 0
    stored = json.loads((root / "benchmarks" / "results" / "wdc.json").read_text(encoding="utf-8"))
    readme, page = ((root / name).read_text(encoding="utf-8") for name in ("README.md", "docs/results/wdc.md"))
    assert stored["models"] == sample_report()["models"] and "audit" not in stored
    assert "stale table" not in readme and readme.startswith("before\n") and readme.endswith("after\n")
    names = {model["name"] for model in stored["models"]}
    assert all(f"`{name}`" in page for name in names)
    assert {name for name in names if f"`{name}`" not in readme} == {"8L_trunc-gold-steps@card"}
    assert all(stored[key] == sample_report()[key] for key in ("twins", "choice", "training_history", "gates_off"))
    assert "distill --config wdc.yaml" in page


def test_the_page_begins_with_a_row_for_each_result(root):
    for name, title in (("wdc", "Teachers, old and new"), ("a", "The demo's latency")):
        assert publish.main([str(root / "run"), "--name", name, "--title", title, "--root", str(root)]) == 0
    page = (root / "docs" / "results.md").read_text(encoding="utf-8")
    overview, *chapters = page.split("\n## ")
    links = ["[The demo's latency](#the-demos-latency)", "[Teachers, old and new](#teachers-old-and-new)"]
    assert re.findall(r"^\| (\[.*?\)) \|", overview, re.MULTILINE) == links
    assert [chapter.splitlines()[0] for chapter in chapters] == ["The demo's latency", "Teachers, old and new"]
    assert all(f"({FOLDER}/{name}.md)" in chapter for name, chapter in zip(("a", "wdc"), chapters, strict=True))


def test_a_short_chapter_has_the_words_about_it_with_their_figures(root):
    words = {**WORDS, "found": "It has {f1_macro: base@document}.", "earlier": "Made before."}
    (root / "benchmarks" / "results" / FILE).write_text(json.dumps({"wdc": {**words, "models": ["base@document"]}}))
    assert publish.main([str(root / "run"), "--name", "wdc", "--title", "unused", "--root", str(root)]) == 0
    page, details = ((root / "docs" / name).read_text(encoding="utf-8") for name in ("results.md", "results/wdc.md"))
    quality = next(model for model in sample_report()["models"] if model["name"] == "base@document")["quality"]
    assert f"One run. It has {100 * quality['f1_macro']['value']:.1f} (" in page and "| [Offers](#offers) |" in page
    assert "\n| `base@document` |" in page and "\n| `base@card` |" not in page and "| `base@card` |" in details
    assert all("*Made before.*" in text for text in (page, details)) and "\n# Offers\n" in details


def test_pages_of_results_that_are_gone_are_removed_and_others_kept(root):
    publish.main([str(root / "run"), "--name", "wdc", "--root", str(root)])
    publish.main([str(root / "run"), "--name", "old", "--root", str(root)])
    (root / "benchmarks" / "results" / "old.json").unlink()
    (root / "docs" / FOLDER / "notes.md").write_text("by hand")
    assert publish.main(["--root", str(root)]) == 0
    assert sorted(path.name for path in (root / "docs" / FOLDER).iterdir()) == ["notes.md", "wdc.md"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"other": WORDS}, "unknown result"),
        ({"wdc": {**WORDS, "askd": "?"}}, "askd"),
        ({"wdc": {**WORDS, "found": "{f1_macr: base@document}"}}, "f1_macro"),
        ({"wdc": {**WORDS, "found": "{f1_macro: base@documnt}"}}, "holds no such figure"),
        ({"wdc": {**WORDS, "found": "{seconds}"}}, "holds no such figure"),
        ({"wdc": {**WORDS, "models": ["base@documnt"]}}, "base@document"),
    ],
)
def test_words_that_do_not_fit_their_result_are_refused(root, words, said, capsys):
    (root / "benchmarks" / "results" / FILE).write_text(json.dumps(words))
    assert publish.main([str(root / "run"), "--name", "wdc", "--root", str(root)]) == 2
    assert said in capsys.readouterr().err


def test_figures_of_a_sentence_are_those_of_the_file():
    demo = json.loads((RESULTS / "demo.json").read_text(encoding="utf-8"))
    pair = {"a": "8L_trunc@card", "b": "8L_trunc-gold@card", "metric": "accuracy"}
    row = next(row for row in demo["comparisons"] if pair.items() <= row.items())
    text = fill("({difference: 8L_trunc@card, 8L_trunc-gold@card, accuracy})", demo, RUN, "here")
    assert text == f"({100 * row['difference']:+.2f} ({100 * row['low']:+.1f}…{100 * row['high']:+.1f}))"


def test_the_pages_of_this_repository_are_those_of_its_results():
    made = pages(RESULTS)
    assert {name for name in made if (DOCS / name).read_text(encoding="utf-8") != made[name]} == set()
    there = {f"{FOLDER}/{path.name}" for path in (DOCS / FOLDER).iterdir()}
    assert there == {*made} - {PAGE} == {f"{FOLDER}/{path.stem}.md" for path in RESULTS.glob("*.json")}


def test_what_the_readme_says_in_words_is_what_was_measured():
    readme = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    counts = ("none", "one", "two", "three", "four", "five", "six")
    sets = json.loads((RESULTS / "quality.json").read_text(encoding="utf-8"))["sets"]
    above = [found for found in sets if any(one["over_twin"]["f1_macro"]["low"] > 0 for one in found["students"])]
    stopped = [found for found in above if any(gate.startswith("retention") for gate in found["failed_gates"])]
    assert f"On {counts[len(above)]} of {counts[len(sets)]} sets the student is above its better twin" in readme
    assert f"{counts[len(stopped)].capitalize()} of the {counts[len(above)]} are stopped too, by the gate on" in readme
    demo = json.loads((RESULTS / "demo.json").read_text(encoding="utf-8"))
    apart = next(one for one in demo["models"] if one["name"] == "8L_trunc@card")["over_gold"]
    value, low, high = (f"{100 * apart[key]:.1f}" for key in ("difference", "low", "high"))
    assert (
        f"the student is {value} points of macro F1 ({low} to {high}) above the better of its gold-only twins" in readme
    )


def test_the_page_is_short_and_says_something_of_every_result():
    assert len((DOCS / PAGE).read_text(encoding="utf-8").split()) < 3200
    assert {*read_summaries(RESULTS)} == {path.stem for path in RESULTS.glob("*.json")}


def test_no_measured_figure_is_written_out():
    for name, summary in read_summaries(RESULTS).items():
        words = [text for key, text in summary.as_json().items() if isinstance(text, str) and key != "title"]
        assert not re.search(r"\d\.\d", without_figures(" ".join(words))), name


def test_chapters_that_docstrings_name_exist():
    titles = [summary.title.lower() for summary in read_summaries(RESULTS).values()]
    folders = ("distill", "teachers", "students", "export", "benchmarks")
    files = [path for folder in folders for kind in ("py", "yaml") for path in (ROOT / folder).rglob(f"*.{kind}")]
    texts = " ".join(" ".join(path.read_text(encoding="utf-8").split()) for path in files)
    named = re.findall(r"docs/results\.md, ([^):;]+)", texts)
    assert named and all(any(title.startswith(chapter) for title in titles) for chapter in named)
    assert anchor("The demo's: 3 (seeds)") == "the-demos-3-seeds"


def test_pages_are_stable(root):
    publish.main([str(root / "run"), "--name", "wdc", "--root", str(root)])
    first = (root / "README.md").read_text(encoding="utf-8")
    publish.main(["--root", str(root)])
    assert (root / "README.md").read_text(encoding="utf-8") == first


def test_slices_of_two_models_and_the_seeds_are_stored_and_shown(root, monkeypatch):
    def row(name, rows, a, b):
        apart = {"difference": a - b, "low": a - b - 0.05, "high": a - b + 0.05, "p_value": 0.01}
        return {"name": name, "rows": rows, "clusters": rows, "a": a, "b": b, **apart}

    def compare_by(run, a, b, by):
        rows = [row("аптека", 40, 0.2888, 0.8717), row(None, 60, 0.6, 0.8099)]
        return {"a": a, "b": b, "by": by, "seeds": [1, 2], "fewest_clusters": 30, "rows": rows}

    monkeypatch.setattr(publish, "compare_by", compare_by)
    report = {**sample_report(), "seeds": [1, 2], "stopped_seeds": []}
    write_sealed(root / "run" / "report.json", report)
    options = ["--name", "wdc", "--root", str(root), "--slices", "old@document", "new@document"]
    assert publish.main([str(root / "run"), *options]) == 0
    stored = json.loads((root / "benchmarks" / "results" / "wdc.json").read_text(encoding="utf-8"))
    assert stored["slices"] == [compare_by(None, "old@document", "new@document", "slice")] and stored["seeds"] == [1, 2]
    page = (root / "docs" / "results" / "wdc.md").read_text(encoding="utf-8")
    assert "| Model | аптека (40 rows) | all (60 rows) |" in page and "| `old@document` | 28.88 | 60.00 |" in page
    assert "| `new@document` | 87.17 | 80.99 |" in page and "−58.29 (−63.3…−53.3)" in page
    assert "mean of 2 seeds (1, 2)" in page


def test_slices_of_an_unknown_model_end_with_2(root, capsys):
    options = ["--name", "wdc", "--root", str(root), "--slices", "old@document", "new@document"]
    assert publish.main([str(root / "run"), *options]) == 2
    assert "no run here" in capsys.readouterr().err


def test_run_without_models_is_refused(root):
    write_sealed(root / "run" / "report.json", {"models": []})
    with pytest.raises(UserError, match="no evaluated models"):
        publish.store(root / "run", root / "benchmarks" / "results", publish.About("wdc"))


def test_block_without_a_stored_result_is_an_error(root):
    assert publish.main(["--root", str(root)]) == 2


def test_the_budget_is_stored_and_shown(root):
    parts = [{"name": "audit", "budget": 10, "seconds": 3.0}]
    limits = {"limit_seconds": 360, "limit_gib": 4.0}
    budget = {"command": "distill", "seconds": 301.0, "peak_gib": 2.5, "parts": parts, **limits}
    (root / "run" / "budget.json").write_text(json.dumps(budget), encoding="utf-8")
    options = ["--name", "wdc", "--root", str(root)]
    assert publish.main([str(root / "run"), *options]) == 0
    stored = json.loads((root / "benchmarks" / "results" / "wdc.json").read_text(encoding="utf-8"))
    assert stored["budget"] == budget and stored["comparisons"] == sample_report()["comparisons"]
    page = (root / "docs" / "results" / "wdc.md").read_text(encoding="utf-8")
    assert "| whole command | 360 | 301 |" in page


def test_a_result_of_the_quality_benchmark_has_its_own_tables(root):
    found = summarise("bbc_news", write_run(root, "new", new_report()))
    shown = "python -m benchmarks.quality bbc_news --data DATA --encoder ENCODER"
    document = {"kind": "quality", "title": "Defaults", "command": shown, "sets": [found], "before": []}
    write_json(root / "benchmarks" / "results" / "wdc.json", document)
    assert publish.main(["--root", str(root)]) == 0
    readme, page = ((root / name).read_text(encoding="utf-8") for name in ("README.md", "docs/results.md"))
    details = (root / "docs" / "results" / "wdc.md").read_text(encoding="utf-8")
    assert "| [Defaults](#defaults) |" in page and "| `3L@card` |" in page
    assert "## What is asked" in details and shown in details
    assert "| `3L@card` |" in readme and "## What is asked" not in readme and shown in readme
