"""Bands of the records that are sent on to the teacher travel with the bundle, and its answers go by them."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest

from distill.core import sending
from distill.core.errors import UserError
from distill.core.files import read_json, write_json
from distill.evaluation.retuning import Tuned
from distill.evaluation.safe_points import Chosen
from export.artifact import Artifact, Contents
from export.batch.predict import predict_files
from export.bundle import bundle
from export.checked_bundle import open_bundle
from export.predict_options import PredictOptions
from export.retuned_bundle import Retuned, write_retuned
from export.runtime import BundleError, load_bundle, verify
from tests.export.tiny_bundle import (
    LABELS,
    POINTS,
    RECORDS,
    SPACE,
    TARGETS,
    copy_of,
    latency,
    make_exports,
    make_model,
    quality,
    reseal,
    shared_bundle,
    some_records,
)

FALL_THROUGH = {
    "by": "margin",
    "bands": {"decision": {"0.1": 0.05, "0.4": 0.3}, "f1": {"0.1": 0.2}, "recall@P>=0.9": {"0.4": 1.0}},
    "teacher": "base@document",
    "decision": [
        {"share": share, "sent": {"value": share}, "accuracy": {"value": 0.8 + share / 10}, "f1_macro": {"value": 0.7}}
        for share in (0.0, 0.1, 0.4, 1.0)
    ],
}
ASKED = some_records(60)


@pytest.fixture(scope="module")
def banded(tmp_path_factory):
    base = tmp_path_factory.mktemp("banded")
    model = make_model(base / "model")
    exports = make_exports(base / "export", model)
    held = {"fp32": FALL_THROUGH, "int8": {**FALL_THROUGH, "by": "probability"}}
    artifacts = [
        Artifact(TARGETS[name], path, 1.5, POINTS, quality(), fall_through=held[name]) for name, path in exports.items()
    ]
    (base / "tiny").mkdir()
    bundle(Contents("tiny", model, artifacts, SPACE, {}, latency()), base / "tiny", threads=1)
    return base / "tiny"


def chances(answers):
    return np.array([[one["probabilities"][label] for label in LABELS] for one in answers])


@pytest.mark.parametrize(("precision", "by", "share"), [("fp32", "margin", 0.4), ("int8", "probability", 0.4)])
def test_the_least_sure_answers_are_sent_on(banded, precision, by, share):
    found = load_bundle(banded, precision, 1).predict(ASKED, fall_through=share)
    sure = np.sort(chances(found), axis=1)
    least = sure[:, -1] - sure[:, -2] if by == "margin" else sure[:, -1]
    assert [one["send_on"] for one in found] == (least < 0.3).tolist()
    assert by == "probability" or 0 < sum(one["send_on"] for one in found) < len(found)


def test_at_an_operating_point_those_around_its_threshold_are(banded):
    opened = load_bundle(banded, "fp32", 1)
    found = opened.predict(ASKED, "f1", fall_through=0.1)
    p = chances(found)[:, LABELS.index("about_pr")]
    apart = np.abs(np.log(p / (1 - p)) - np.log(POINTS["f1"] / (1 - POINTS["f1"])))
    assert [one["send_on"] for one in found] == (apart < 0.2).tolist() and any(apart < 0.2)
    plain = [{key: value for key, value in one.items() if key != "send_on"} for one in found]
    assert plain == opened.predict(ASKED, "f1") and opened.predict([], fall_through=0.1) == []


def test_a_share_without_a_band_is_refused_with_those_that_there_are(banded, tmp_path):
    opened = load_bundle(banded, "fp32", 1)
    for share, point, known in ((0.2, None, "0.1, 0.4"), (0.4, "f1", "known: 0.1"), (float("nan"), None, "0.1, 0.4")):
        with pytest.raises(ValueError, match=known):
            opened.predict(RECORDS, point, fall_through=share)
    with pytest.raises(ValueError, match=r"fallthrough.json: there is none"):
        load_bundle(shared_bundle(), "fp32", 1).predict(RECORDS, fall_through=0.1)


def test_an_open_bundle_goes_by_what_it_was_checked_with(banded, tmp_path, monkeypatch):
    folder = copy_of(banded, tmp_path)
    monkeypatch.chdir(tmp_path)
    opened = load_bundle(folder.name, "fp32", 1)
    before = opened.predict(ASKED, fall_through=0.4)
    (folder / "fallthrough.json").write_text("{}", encoding="utf-8")
    assert opened.predict(ASKED, fall_through=0.4) == before
    monkeypatch.chdir("/")
    assert opened.predict(ASKED, fall_through=0.4) == before


def test_the_runtime_of_a_bundle_without_bands_says_that_it_cannot_read_another_one_s(banded):
    script = (
        "import sys; sys.path.insert(0, sys.argv[1]); from runtime import load_bundle\n"
        "load_bundle(sys.argv[2], 'fp32', 1).predict([{}], fall_through=0.4)"
    )
    command = [sys.executable, "-B", "-c", script, str(shared_bundle()), str(banded)]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", cwd="/")
    assert done.returncode and "open the bundle by its own runtime.py" in done.stderr


@pytest.mark.parametrize("kind", [".jsonl", ".parquet"])
def test_answers_to_files_say_so_too(banded, tmp_path, kind):
    (tmp_path / "in.jsonl").write_text("\n".join(json.dumps(one) for one in ASKED), encoding="utf-8")
    asked = PredictOptions(out=tmp_path / f"out{kind}", operating_point="f1", fall_through=0.1, threads=1)
    predict_files(banded, [str(tmp_path / "in.jsonl")], asked)
    rows = pq.read_table(asked.out).to_pylist() if kind == ".parquet" else read_lines(asked.out)
    said = [{key: row[key] for key in ("positive", "send_on")} for row in rows]
    expected = load_bundle(banded, "fp32", 1).predict(ASKED, "f1", fall_through=0.1)
    assert said == [{key: row[key] for key in ("positive", "send_on")} for row in expected]
    with pytest.raises(UserError, match=r"known: 0.1[\s\S]*--fall-through"):
        predict_files(banded, [str(tmp_path / "in.jsonl")], replace(asked, fall_through=0.4))
    with pytest.raises(UserError, match="no column send_on"):
        predict_files(banded, [str(tmp_path / "in.jsonl")], replace(asked, key="product.title"))


def read_lines(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_the_bundle_answers_so_on_the_command_line(banded, tmp_path):
    (tmp_path / "in.jsonl").write_text("\n".join(json.dumps(one) for one in ASKED), encoding="utf-8")

    def asked(*options):
        command = [sys.executable, "-I", banded / "runtime.py", "--predict", tmp_path / "in.jsonl", *options]
        return subprocess.run([*command, "--threads", "1"], capture_output=True, encoding="utf-8")

    done = asked("--fall-through", "0.4")
    assert done.returncode == 0, done.stderr
    said = [json.loads(line)["send_on"] for line in done.stdout.splitlines()]
    assert said == [one["send_on"] for one in load_bundle(banded, "fp32", 1).predict(ASKED, fall_through=0.4)]
    refused = asked("--fall-through", "0.3")
    assert refused.returncode == 2 and "known: 0.1, 0.4" in refused.stderr and "Traceback" not in refused.stderr
    assert verify(banded, 1)["passed"] and open_bundle(banded, threads=1).labels == list(LABELS)


def test_a_bundle_holds_bands_and_code_where_it_says_so(banded, tmp_path):
    assert read_json(banded / "manifest.json")["holds"]["fall_through"] == ["fp32", "int8"]
    assert read_json(banded / "fallthrough.json")["artifacts"]["fp32"] == FALL_THROUGH
    assert "fall_through" not in read_json(shared_bundle() / "manifest.json")["holds"]
    folder = copy_of(banded, tmp_path)
    (folder / "fallthrough.json").write_text("{}", encoding="utf-8")
    with pytest.raises(BundleError, match=r"fallthrough.json: changed"):
        load_bundle(folder)
    for content in ({}, {"artifacts": {"fp32": {"by": "luck", "bands": {}}}}, {"artifacts": {"fp32": 5}}):
        write_json(folder / "fallthrough.json", content)
        reseal(folder)
        with pytest.raises(BundleError, match=r"fallthrough.json: cannot be read"):
            load_bundle(folder, "fp32", 1).predict(RECORDS, fall_through=0.1)
    (folder / "sending.py").unlink()
    reseal(folder)
    with pytest.raises(BundleError, match=r"sending.py: not in the manifest's list"):
        load_bundle(folder)


def test_the_card_has_the_figures_of_each_share(banded):
    card = (banded / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert "| fp32 | 0.1 | 10.00 | 81.00 | 70.00 | – |" in card and "base@document" in card


def test_a_retuned_bundle_has_no_bands_of_other_probabilities(banded, tmp_path):
    points = {name: Chosen(least) for name, least in POINTS.items()}
    tuned = dict.fromkeys(("fp32", "int8"), Tuned(2.0, points))
    record = {"file": "new.jsonl", "file_sha256": "0" * 64, "rows": 99, "left_out": 0, "clusters": 99, "keys": []}
    record |= dict.fromkeys(("class_mix", "costs", "positive_alone"))
    write_retuned(banded, tmp_path / "new", Retuned(SPACE, tuned, record, {}), 1)
    manifest = read_json(tmp_path / "new" / "manifest.json")
    assert "fall_through" not in manifest["holds"] and "real_records" in manifest["holds"]
    assert not {"fallthrough.json", "sending.py"} & {path.name for path in (tmp_path / "new").iterdir()}
    cards = [(folder / "MODEL_CARD.md").read_text(encoding="utf-8") for folder in (banded, tmp_path / "new")]
    assert ["## Fall-through" in card for card in cards] == [True, False]
    with pytest.raises(ValueError, match=r"there is none: only a bundle built with a teacher, not retuned since"):
        load_bundle(tmp_path / "new", "fp32", 1).predict(RECORDS, fall_through=0.1)


def test_rounding_moves_no_row_across_a_band():
    random = np.random.default_rng(1)
    rows = random.dirichlet([1, 1, 1], 500)
    for several in (False, True):
        sure = sending.decision_sureness(rows, several=several)
        rounded = sending.decision_sureness(rows.astype(np.float32), several=several)
        for share in (0.1, 0.5):
            least = sending.band(sure, share)
            assert ((sure < least) == (rounded < least)).all() and (sure < least).sum() == round(share * 500)
