"""What a whole run says of the records that its students send on, and what their bundle does with these records."""

from __future__ import annotations

import numpy as np
import pytest

from distill.core.files import read_json
from distill.core.predictions import read_predictions
from distill.core.record_store import read_records
from export.runtime import load_bundle

FILE, TEACHER = "3L_trunc@card.onnx", "base@document"


@pytest.fixture(scope="module")
def report(run):
    return read_json(run / "report.json")


def splits(run):
    return sorted(path.stem for path in (run / "records").glob("test*.parquet"))


def test_every_file_has_a_curve_from_its_own_quality_to_the_teachers(report):
    quality = {one["name"]: one["quality"] for one in report["models"]}
    timed = {row["model"]: row["p50_ms"] for row in report["latency"] if row["batch"] == 1}
    assert [one["model"] for one in report["fall_through"]] == [FILE, f"{FILE}-int8"]
    for one in report["fall_through"]:
        first, *_, last = one["decision"]
        for figure in ("accuracy", "f1_macro"):
            assert first[figure]["value"] == pytest.approx(quality[one["model"]][figure]["value"])
            assert last[figure]["value"] == pytest.approx(quality[TEACHER][figure]["value"])
        assert first["ms"] == timed[one["model"]] and one["teacher"] == TEACHER
        assert last["ms"] == pytest.approx(first["ms"] + timed[one["teacher_timed"]])


def test_the_bundle_sends_on_the_records_that_were_measured(run, report):
    curve = report["fall_through"][0]
    bundle = load_bundle(run / "bundles" / "3L_trunc", "fp32", threads=1)
    records = [record for test in splits(run) for record in read_records(run / "records", test)]
    gold = {}
    for test in splits(run):
        found = read_predictions(run / "predictions" / TEACHER / f"{test}.parquet")
        rows = zip(found.target.argmax(axis=1), found.logits.argmax(axis=1), strict=True)
        gold |= dict(zip(found.ids, rows, strict=True))
    answers = bundle.predict([record.fields for record in records], fall_through=0.5)
    sent = np.array([one["send_on"] for one in answers])
    row = next(one for one in curve["decision"] if one["share"] == 0.5)
    assert sent.mean() == pytest.approx(row["sent"]["value"], abs=1e-12) and 0 < sent.mean() < 1
    own = [bundle.labels.index(one["label"]) for one in answers]
    actual, teachers = np.array([gold[record.id] for record in records]).T
    assert (actual == np.where(sent, teachers, own)).mean() == pytest.approx(row["accuracy"]["value"])
    at = bundle.predict([record.fields for record in records], "f1", fall_through=0.2)
    around = next(one for one in curve["positive"] if one["share"] == 0.2)
    assert np.mean([one["send_on"] for one in at]) == pytest.approx(around["sent"]["value"], abs=1e-12)


def test_the_page_has_the_curves(run):
    page = (run / "report.html").read_text(encoding="utf-8")
    assert "Records sent on to the teacher" in page and page.count('<section id="fall-through">') == 1
