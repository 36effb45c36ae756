"""Several runs on one page: models beside each other, paired differences, what the settings differ in."""

from __future__ import annotations

import copy
import shutil

import pytest

from distill.core.errors import UserError
from distill.core.sealed import write_sealed
from distill.report.config_differences import config_differences, differences_sheet
from distill.report.finding import compared
from distill.report.runs_page import runs_page
from distill.report.runs_table import ComparedRun, points_of_runs, runs_sentences, runs_sheet
from distill.report.tables import markdown
from tests.evaluation.test_across_runs import A, make_run
from tests.report.sample import sample_report
from tests.report.test_page import Outline, visible

CONFIG = {"seed": 1, "data": {"root": "/a", "keys": []}, "students": {"8L": {"training": {"epochs": 1.0}}}}


def run(name, report=None, **more):
    config = copy.deepcopy(CONFIG)
    config["data"]["root"] = f"/{name}"
    config["students"]["8L"]["training"]["epochs"] = more.pop("epochs", 1.0)
    return ComparedRun(name, name, report or sample_report(), config, **more)


@pytest.fixture
def two():
    newer = sample_report()
    newer["models"] = [one for one in newer["models"] if not one["name"].startswith("6L")]
    row = {"old_model": "8L_trunc@card", "new_model": "8L_trunc@card", "metric": "f1_macro"}
    found = {"comparisons": [row | {"difference": 0.0123, "low": 0.004, "high": 0.021}]}
    return [run("<old>"), run("new", newer, epochs=2.0, compared=found)]


def test_every_model_of_any_run_has_a_row_and_differences_are_paired(two):
    rows = markdown(runs_sheet(two)).splitlines()
    heads = "| Model | &lt;old>: figure | &lt;old>: p50 | new: figure | new: difference | new: p50 |"
    assert rows[0] == heads
    (row,) = (row for row in rows if row.startswith("| `8L_trunc@card` |"))
    assert row.endswith("| 75.06 (73.9–76.2) | 53.8 | 75.06 (73.9–76.2) | +1.23 (+0.4…+2.1) | 53.8 |")
    (row,) = (row for row in rows if row.startswith("| `6L_trunc@card` |"))
    assert row.endswith("| 41.0 | – | – | – |")


def test_figures_of_all_runs_are_those_of_the_first_runs_metric():
    other = sample_report() | {"metric": "accuracy"}
    rows = markdown(runs_sheet([run("one"), run("two", other)])).splitlines()
    (row,) = (row for row in rows if row.startswith("| `8L_trunc@card` |"))
    assert row.count("75.06 (73.9–76.2)") == 2
    first, second = points_of_runs([run("one"), run("two", other)])[::7]
    assert first.quality == second.quality


def test_the_page_holds_both_runs_their_points_and_their_settings(two):
    text = runs_page(two)
    Outline(text)
    assert "<old>" not in text and "&lt;old&gt;: 8L_trunc@card" in text and "<h1>2 runs compared</h1>" in text
    assert len(points_of_runs(two)) == 7 + 6
    assert "students.8L.training.epochs" in visible(text) and "data.root" not in visible(text)
    assert 'id="settings"' not in runs_page([run("a"), run("b")])


def test_settings_that_differ_or_that_only_some_have_are_listed():
    one, other = {"a": {"b": 1, "c": []}, "d": None}, {"a": {"b": 2, "c": []}, "e": {}}
    found = config_differences({"one": one, "other": other})
    assert found == [
        {"key": "a.b", "values": {"one": 1, "other": 2}},
        {"key": "d", "values": {"one": None}},
        {"key": "e", "values": {"other": {}}},
    ]
    text = markdown(differences_sheet(found, ["one", "other"]))
    assert "| `a.b` | 1 | 2 |" in text and "| `d` | – | (not set) |" in text


def test_what_cannot_be_compared_says_why(two):
    two[1] = run("new", refused="the two runs have another task")
    assert runs_sentences(two)[-1] == "new is not compared with <old>: the two runs have another task."


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Three finished runs: two of one model, one of another."""
    base = tmp_path_factory.mktemp("several")
    first = make_run(base / "first", {A: A})
    second, third = (shutil.copytree(first, base / name) for name in ("second", "third"))
    (third / "predictions" / A).rename(third / "predictions" / "other@card")
    for folder in (first, second, third):
        write_sealed(folder / "report.json", sample_report())
    return first, second, third


def test_runs_alone_get_a_page_in_the_last_one_or_where_it_is_asked_for(folders, tmp_path):
    first, second, third = folders
    found = compared(first, [str(second)], None)
    assert found.parts[-1] == f"page: {second / 'compare.html'}" and (second / "compare.html").exists()
    assert found.content["models"] == [[A, A]]
    found = compared(first, [str(second), str(third)], None, tmp_path / "all.html")
    text = visible((tmp_path / "all.html").read_text(encoding="utf-8"))
    assert "3 runs compared" in text and "third is not compared with first: the two runs have no model" in text
    assert [one["run"] for one in found.content] == list(map(str, folders))


def test_two_runs_that_share_nothing_have_their_page_too(folders):
    first, _, third = folders
    found = compared(first, [str(third)], None)
    why = found.content[1]["refused"]
    assert why.startswith("the two runs have no model of the same name") and found.content[1]["compared"] is None
    told = f"third is not compared with first: {why}."
    assert told in found.parts and told in visible((third / "compare.html").read_text(encoding="utf-8"))


def test_a_page_is_refused_beside_models_and_slices_and_without_reports(folders, tmp_path):
    first, second, third = folders
    page = tmp_path / "x.html"
    for others, by, told in (
        ([A, A], None, "8L@card, 8L@card"),
        ([str(second), A], None, "8L@card"),
        ([str(second)], "slice", "slice"),
    ):
        with pytest.raises(UserError, match=rf"(?s)a page is of runs alone.*--page.*{told}"):
            compared(first, others, by, page)
    bare = shutil.copytree(third, tmp_path / "bare", ignore=shutil.ignore_patterns("report.json"))
    with pytest.raises(UserError, match="no report here"):
        compared(first, [str(bare)], None, page)
    assert not page.exists()


def test_two_runs_with_models_or_slices_are_told_without_a_page(folders):
    first, second, third = folders
    for others, by in (([A], None), ([], "slice")):
        assert "page" not in str(compared(first, [str(second), *others], by).parts[-1])
    with pytest.raises(UserError, match="more than two runs are compared whole"):
        compared(first, [str(second), str(third), A], None)
