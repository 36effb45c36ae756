"""Sheets of a labelled pool: drawn, filled in, read back, compared; and rows worth a label."""

import csv
from dataclasses import replace
from pathlib import Path

import pytest

from distill.core.errors import UserError
from distill.core.files import read_json, write_json
from distill.core.sheets.sheet import read_sheet
from distill.pipeline.sampling.command import SampleOptions, sampled
from tests.pipeline.sampling.labelled_run import gold_of, pool_records, write_labels, write_pool, write_run
from tests.training.toy import LABELS


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run whose cascade has labelled 75 of 90 rows."""
    return write_run(tmp_path_factory.mktemp("run") / "run", "cascade")


@pytest.fixture
def sheet(run, tmp_path):
    """A sheet of 40 rows."""
    sampled(run, SampleOptions(rows=40, out=tmp_path / "sheet.csv"))
    return tmp_path / "sheet.csv"


def _cells(path):
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.reader(file))


def _fill(path, label=gold_of, change=None, delimiter=","):
    """Fill in labels as a person would. Args: change: of all rows, the header first."""
    rows = _cells(path)
    column = rows[0].index("label")
    for row in rows[1:]:
        row[column] = label(row[0])
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        csv.writer(file, delimiter=delimiter).writerows(change(rows) if change else rows)
    return path


def test_a_sheet_hides_the_labels_and_the_key_has_them(run, sheet):
    rows = _cells(sheet)
    assert rows[0] == ["id", "product.title", "page.title", "page.body", "label", "note"] and len(rows) == 41
    assert {cell for row in rows[1:] for cell in row[4:]} == {""} and all(row[1].startswith("'=") for row in rows[1:])
    assert not {"one", "two"} & {cell for row in rows for cell in row}
    assert "мимо" not in sheet.read_text(encoding="utf-8-sig").replace("мимо ", "")
    found = sampled(run, SampleOptions(rows=40, out=sheet, force=True)).content
    key = read_json(Path(found["key"]))
    assert {row["id"] for row in key["rows"]} == {row[0] for row in rows[1:]}
    assert {row["stratum"][0] for row in key["rows"]} == {"one", "two"} and key["labelled"] == 75
    stages = {one["stage"]: one for one in found["stages"]}
    assert stages["one"]["pool_rows"] == 60 and stages["two"]["rows"] == 15 and stages["one"]["rows"] == 25


def test_figures_are_those_of_the_pool_not_of_the_sheet(run, sheet):
    found = sampled(run, SampleOptions(read=_fill(sheet))).content
    stages = {one["stage"]: one for one in found["stages"]}
    assert stages["one"]["accuracy"]["value"] == 1 and stages["one"]["right"] == 25
    assert stages["two"]["accuracy"]["value"] == pytest.approx(5 / 15)
    # Of 75 labelled rows 60 and 5 are right, though 15 of the 40 in the sheet are of the worse stage.
    assert found["accuracy"]["value"] == pytest.approx(65 / 75, abs=0.01)
    assert found["accuracy"]["low"] < 65 / 75 < found["accuracy"]["high"] and 0.7 < found["kappa"] < 0.9
    shares = {one["label"]: one for one in found["shares"]}
    assert shares["мимо"]["labels"] == pytest.approx(35 / 75)
    assert shares["мимо"]["judged"]["value"] == pytest.approx(1 / 3, abs=0.05)
    assert [sum(row) for row in found["confusion"]] == [
        sum(1 for row in _cells(sheet)[1:] if gold_of(row[0]) == label) for label in LABELS
    ]
    assert {one["stage"] for one in found["mistakes"]} == {"two"} and len(found["mistakes"]) == 10
    assert read_json(run / "samples" / found["sample"] / "result.json") == found


def test_what_excel_saves_is_read_in_any_order(run, sheet):
    plain = sampled(run, SampleOptions(read=_fill(sheet))).content
    turned = _fill(sheet, change=lambda rows: [rows[0], *rows[:0:-1]], delimiter=";")
    assert sampled(run, SampleOptions(read=turned)).content == plain


def test_a_second_judge_is_compared_with_the_first(run, sheet, tmp_path):
    other = tmp_path / "other.csv"
    other.write_bytes(sheet.read_bytes())
    _fill(sheet)
    first = _cells(sheet)[1][0]
    _fill(other, label=lambda name: LABELS[(LABELS.index(gold_of(name)) + (name == first)) % 3])
    finding = sampled(run, SampleOptions(read=sheet, second=other))
    judges = finding.content["judges"]
    assert [one["id"] for one in judges["disagreements"]] == [first] and judges["agreement"]["value"] == 39 / 40
    assert judges["kappa"] > 0.9 and any(first in line for line in finding.parts)
    assert finding.content["second"]["accuracy"] != finding.content["accuracy"]


def _without(rows):
    return rows[:-1]


def _foreign(rows):
    return [*rows, ["п999", *rows[1][1:]]]


def _twice(rows):
    return [*rows, rows[1]]


def _other_text(rows):
    return [*rows[:-1], [rows[-1][0], rows[-1][1], "другой текст", *rows[-1][3:]]]


@pytest.mark.parametrize(
    ("change", "label", "message"),
    [
        (_without, gold_of, "1 rows of the sheet are missing: п"),
        (_foreign, gold_of, "line 42, id п999: a row that the sheet did not have"),
        (_twice, gold_of, "a duplicate id, first in line 2"),
        (_other_text, gold_of, "its text in page.title is another one"),
        (None, lambda name: "", "no label"),
        (None, lambda name: "мимa", "unknown label 'мимa', did you mean 'мимо'"),
    ],
)
def test_a_sheet_that_was_spoilt_is_refused_row_by_row_and_nothing_is_lost(change, label, message, run, sheet):
    before = _fill(sheet, label, change).read_bytes()
    kept = {path: path.read_bytes() for path in run.glob("samples/*/*")}
    with pytest.raises(UserError) as caught:
        sampled(run, SampleOptions(read=sheet))
    assert message in str(caught.value) and str(sheet) in str(caught.value) and "line" in str(caught.value) or change
    assert sheet.read_bytes() == before
    assert kept == {path: path.read_bytes() for path in run.glob("samples/*/*")}


def test_a_sheet_is_read_by_its_own_key_whatever_else_was_drawn(tmp_path):
    run, sheets = write_run(tmp_path / "run", "cascade"), {}
    for rows in (20, 60, 75):
        sheets[rows] = tmp_path / f"{rows}.csv"
        sampled(run, SampleOptions(rows=rows, out=sheets[rows]))
        _fill(sheets[rows])
    for rows, sheet in sheets.items():
        assert sampled(run, SampleOptions(read=sheet)).content["rows"] == rows


def test_a_sheet_whose_rows_two_models_have_is_read_for_the_one_that_is_named(tmp_path):
    run, read = write_run(tmp_path / "run", "cascade", "base"), tmp_path / "cascade.csv"
    for teacher in ("cascade", "base"):
        sampled(run, SampleOptions(teacher=teacher, rows=75, out=tmp_path / f"{teacher}.csv"))
        _fill(tmp_path / f"{teacher}.csv")
    with pytest.raises(UserError, match="several models") as caught:
        sampled(run, SampleOptions(read=read))
    assert "base, cascade" in str(caught.value) and "--teacher" in str(caught.value)
    right = {name: sampled(run, SampleOptions(read=read, teacher=name)).content for name in ("cascade", "base")}
    assert [len(right[name]["mistakes"]) for name in ("cascade", "base")] == [10, 11]
    assert {name: one["teacher"] for name, one in right.items()} == {"cascade": "cascade", "base": "base"}
    with pytest.raises(UserError, match="no sheet of basis"):
        sampled(run, SampleOptions(read=read, teacher="basis"))


def test_a_sheet_of_another_run_or_of_labels_that_are_gone_is_refused(run, sheet, tmp_path):
    other = write_run(tmp_path / "run", "cascade")
    _fill(sheet)
    with pytest.raises(UserError, match="no sheet of this run"):
        sampled(other, SampleOptions(read=sheet))
    sampled(other, SampleOptions(rows=40, out=tmp_path / "own.csv"))
    write_labels(other / "labels" / "cascade", pool_records(), 1)
    with pytest.raises(UserError, match="made anew since"):
        sampled(other, SampleOptions(read=_fill(tmp_path / "own.csv")))


@pytest.mark.parametrize("imported", [False, True])
@pytest.mark.parametrize(
    "later", [pool_records()[5:], [replace(row, fields=dict.fromkeys(row.fields, "новый")) for row in pool_records()]]
)
def test_labels_of_a_pool_that_the_run_has_no_more_are_refused(later, imported, tmp_path):
    run, sheet = write_run(tmp_path / "run", "cascade"), tmp_path / "sheet.csv"
    write_labels(run / "labels" / "cascade", pool_records(), imported=imported)
    sampled(run, SampleOptions(rows=40, out=sheet))
    _fill(sheet)
    write_pool(run, later)
    proposing = SampleOptions(purpose="labelling", budget=10, out=tmp_path / "b.csv")
    for options in (SampleOptions(rows=40, out=tmp_path / "a.csv"), proposing, SampleOptions(read=sheet)):
        with pytest.raises(UserError, match="labels of records that the run has no more") as caught:
            sampled(run, options)
        assert "pool.urls" in str(caught.value.found) and "distill label" in str(caught.value.do)


def test_rows_worth_a_label_have_reasons_and_no_text_twice(tmp_path):
    run, out = write_run(tmp_path / "run", "cascade", "base"), tmp_path / "sheet.csv"
    with pytest.raises(UserError, match="several models have labelled"):
        sampled(run, SampleOptions(purpose="labelling"))
    options = SampleOptions(teacher="cascade", purpose="labelling", budget=30, out=out)
    finding = sampled(run, options)
    rows = read_sheet(out)
    reasons = {row.id: row.cells["reason"] for row in rows}
    assert len(rows) == 30 and finding.content["uncovered_slices"] == ["аптека"]
    assert finding.content["reasons"] == {"uncertain": 15, "disputed": 1, "uncovered": 14}
    assert [name for name, why in reasons.items() if "disputed" in why] == ["п0"]
    assert reasons["п0"].startswith("disputed: cascade says мимо, base says рядом; uncovered")
    assert sum("uncertain: cascade gives no label" in why for why in reasons.values()) >= 7
    assert sum("slice аптека has no gold row" in why for why in reasons.values()) >= 14
    texts = [(row.cells["product.title"], row.cells["page.title"]) for row in rows]
    assert len(set(texts)) == 30
    again = tmp_path / "again.csv"
    sampled(run, SampleOptions(teacher="cascade", purpose="labelling", budget=30, out=again))
    assert again.read_bytes() == out.read_bytes()
    with pytest.raises(UserError, match="it checks no labels"):
        sampled(run, SampleOptions(read=_fill(out)))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"purpose": "training"}, "unknown purpose"),
        ({"rows": 0}, "--rows"),
        ({"budget": 0, "purpose": "labelling"}, "--budget"),
        ({"budget": 5}, "--for labelling"),
        ({"rows": 5, "purpose": "labelling"}, "--budget"),
        ({"second": "a.csv"}, "--read SHEET"),
        ({"read": "a.csv", "rows": 5}, "draws none"),
        ({"teacher": "base"}, "unknown teacher"),
    ],
)
def test_options_that_do_not_go_together_are_refused(options, message, run, tmp_path):
    with pytest.raises(UserError) as caught:
        sampled(run, SampleOptions(**options))
    assert message in str(caught.value)
    with pytest.raises(UserError, match="no run here"):
        sampled(tmp_path, SampleOptions())


def test_of_a_run_of_several_seeds_that_of_a_seed_is_asked_for(tmp_path):
    write_run(tmp_path / "run" / "seed-4", "cascade")
    config = read_json(tmp_path / "run" / "seed-4" / "run.json")["config"]
    write_json(tmp_path / "run" / "run.json", {"config": {**config, "seeds": [4, 5]}, "stages": []})
    with pytest.raises(UserError, match="no labels here") as caught:
        sampled(tmp_path / "run", SampleOptions(out=tmp_path / "sheet.csv"))
    assert str(tmp_path / "run" / "seed-4") in str(caught.value.do) and not (tmp_path / "sheet.csv").exists()
    sampled(tmp_path / "run" / "seed-4", SampleOptions(out=tmp_path / "sheet.csv"))
