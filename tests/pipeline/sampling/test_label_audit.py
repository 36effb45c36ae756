"""Planted label errors: suspected, hidden in the sheet, judged blind, and counted for all test rows."""

from __future__ import annotations

import csv
import dataclasses

import numpy as np
import pytest

from distill.core.errors import UserError
from distill.core.files import read_json, write_json
from distill.core.label_space import LabelSpace
from distill.core.manifest import write_manifest
from distill.core.predictions import Predictions, write_predictions
from distill.core.record_store import write_records
from distill.evaluation.label_errors import suspects
from distill.evaluation.scored import Scored
from distill.pipeline.sampling.command import SampleOptions, sampled
from distill.report.decision_record import decision_record
from distill.report.judged_labels import JUDGED, with_judged_labels
from distill.report.sections.statistics import JudgedLabels
from tests.training.toy import CARD, DOCUMENT, LABELS, toy_records

ROWS, PLANTED = 120, 12
TRUE = np.random.default_rng(0).integers(0, 3, ROWS)
GOLD = np.where(np.arange(ROWS) < PLANTED, (TRUE + 1) % 3, TRUE)
MODELS = {"base@document": 8.0, "8L@card": 3.0}


def answers(name, gold, true):
    """Logits of a model that mostly knows the truth, whatever the label says."""
    noise = np.random.default_rng(len(name)).normal(size=(len(gold), 3))
    return (MODELS[name] * np.eye(3)[true] + noise).astype(np.float32)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """An evaluated run with 120 test rows, the first twelve of which have a wrong label."""
    folder = tmp_path_factory.mktemp("audited") / "run"
    records = toy_records("э", ROWS)
    (folder / "records").mkdir(parents=True)
    write_records(folder / "records" / "test.x.parquet", records)
    for name in MODELS:
        for split, gold, true in (("test.x", GOLD, TRUE), ("valid", TRUE, TRUE)):
            part = Predictions(
                ids=[record.id for record in records],
                logits=answers(name, gold, true),
                target=np.eye(3, dtype=np.float32)[gold],
                slices=[""] * ROWS,
                clusters=[record.id for record in records],
            )
            write_predictions(folder / "predictions" / name / f"{split}.parquet", part)
        write_manifest(folder / "predictions" / name, {"step": "predict"})
    told = [
        {"name": name, "role": role, "view": name.partition("@")[2]} for name, role in zip(MODELS, ROLES, strict=True)
    ]
    (folder / "evaluation").mkdir()
    write_json(folder / "evaluation" / "evaluation.json", {"models": told})
    write_manifest(folder / "evaluation", {"step": "evaluate"})
    views = {"document": DOCUMENT.as_json(), "card": CARD.as_json()}
    write_json(folder / "run.json", {"config": {"task": {"labels": list(LABELS)}, "views": views}, "stages": []})
    return folder


ROLES = ("teacher", "student")
IDS = [record.id for record in toy_records("э", ROWS)]


def drawn(run, out, budget=60):
    return sampled(run, SampleOptions(purpose="audit", budget=budget, out=out)).content


def filled(path, label=lambda at: LABELS[TRUE[at]]):
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.reader(file))
    for row in rows[1:]:
        row[rows[0].index("label")] = label(IDS.index(row[0]))
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        csv.writer(file).writerows(rows)
    return path


def test_planted_errors_are_suspected_the_worst_first():
    space = LabelSpace(tuple(LABELS))
    scored = Scored("base@document", space, IDS, answers("base@document", GOLD, TRUE), np.eye(3)[GOLD])
    found = suspects(scored)
    assert set(found.places.tolist()) == set(range(PLANTED))
    assert found.expected == pytest.approx(PLANTED / ROWS, abs=0.03)
    clean = suspects(dataclasses.replace(scored, target=np.eye(3)[TRUE]))
    assert not len(clean.places) and clean.expected == 0


def test_the_sheet_holds_suspects_and_as_many_others_and_tells_neither(run, tmp_path):
    found = drawn(run, tmp_path / "sheet.csv")
    assert (found["suspects"], found["rows"]) == (PLANTED, {"suspect": PLANTED, "control": PLANTED})
    with (tmp_path / "sheet.csv").open(encoding="utf-8-sig", newline="") as file:
        header, *rows = csv.reader(file)
    assert header == ["id", "product.title", "page.title", "page.body", "label", "note"]
    assert all(row[-2:] == ["", ""] for row in rows)
    first = [IDS.index(row[0]) < PLANTED for row in rows[:PLANTED]]
    assert any(first) and not all(first)  # no order of kinds
    kinds = {row["id"]: row["stratum"][0] for row in read_json(run / found["key"])["rows"]}
    assert {kind for name, kind in kinds.items() if IDS.index(name) < PLANTED} == {"suspect"}


def test_a_second_verdict_gives_the_share_of_wrong_labels_and_figures_beside_the_originals(run, tmp_path):
    drawn(run, tmp_path / "sheet.csv")
    finding = sampled(run, SampleOptions(read=filled(tmp_path / "sheet.csv")))
    found = finding.content
    assert found["kinds"]["suspect"]["wrong"] == PLANTED and found["kinds"]["control"]["wrong"] == 0
    assert found["wrong"]["value"] == pytest.approx(PLANTED / ROWS)
    assert found["wrong"]["low"] < PLANTED / ROWS < found["wrong"]["high"] and found["kappa"] < 1
    assert len(found["mistakes"]) == PLANTED and {one["kind"] for one in found["mistakes"]} == {"suspect"}
    teacher = found["models"][0]
    assert teacher["model"] == "base@document" and teacher["accuracy"]["judged"] == 1
    assert teacher["accuracy"]["gold"] == pytest.approx(1 - PLANTED / ROWS)
    assert teacher["estimated_accuracy"]["value"] == pytest.approx(1)
    assert any("favours models like it" in line for line in finding.parts)
    assert read_json(run / "samples" / found["sample"] / "result.json") == found


def test_a_sheet_that_came_back_is_on_the_page_until_the_test_rows_change(run, tmp_path):
    drawn(run, tmp_path / "sheet.csv")
    sampled(run, SampleOptions(read=filled(tmp_path / "sheet.csv")))
    (run / "samples" / "broken").mkdir(exist_ok=True)
    (run / "samples" / "broken" / "result.json").write_text("{")
    report = with_judged_labels({"task": {"rows": {"train": 9, "test.x": ROWS - 20, "test.y": 20}}}, run)
    (one, *_), body = report[JUDGED], JudgedLabels().body(report)
    assert one["rows"] == 2 * PLANTED and "12 of 12 suspected labels and 0 of 12 others are wrong" in body
    assert "base@document" in body and "Labels judged blind" in decision_record(report, "run")
    assert with_judged_labels({"task": {"rows": {"test.x": ROWS + 1}}}, run) == {"task": {"rows": {"test.x": ROWS + 1}}}
    assert JudgedLabels().body({}) == ""


def test_of_too_many_suspects_some_stand_for_all(run, tmp_path):
    found = drawn(run, tmp_path / "sheet.csv", budget=10)
    assert found["rows"] == {"suspect": 5, "control": 5}
    read = sampled(run, SampleOptions(read=filled(tmp_path / "sheet.csv"))).content
    assert read["wrong"]["value"] == pytest.approx(PLANTED / ROWS)


def test_two_judges_are_compared(run, tmp_path):
    drawn(run, tmp_path / "sheet.csv")
    other = tmp_path / "other.csv"
    other.write_bytes((tmp_path / "sheet.csv").read_bytes())
    filled(tmp_path / "sheet.csv")
    filled(other, lambda at: LABELS[GOLD[at]])
    judges = sampled(run, SampleOptions(read=tmp_path / "sheet.csv", second=other)).content["judges"]
    assert judges["agreement"]["value"] == pytest.approx(0.5) and len(judges["disagreements"]) == PLANTED


def test_what_cannot_be_audited_is_told(run, tmp_path):
    with pytest.raises(UserError, match="unknown model"):
        sampled(run, SampleOptions(purpose="audit", teacher="6L@card", out=tmp_path / "a.csv"))
    drawn(run, tmp_path / "sheet.csv")
    with pytest.raises(UserError, match="is there already"):
        drawn(run, tmp_path / "sheet.csv")
    with pytest.raises(UserError, match="no label"):
        sampled(run, SampleOptions(read=tmp_path / "sheet.csv"))
    with pytest.raises(UserError, match="--for audit"):
        SampleOptions(budget=5).check()
