"""Thresholds of each label travel with the bundle, and its golden records hold it to them."""

from __future__ import annotations

import json

import pytest

from distill.core.errors import GateFailed, UserError
from distill.core.files import read_json, sha256, write_json
from distill.families.family import Opening
from export.proof import Proof, Stored, prove
from export.runtime import BundleError, OtherAnswers, load_bundle, verify
from tests.export.batch.files import predict
from tests.export.tiny_bundle import (
    LABELS,
    MULTI,
    POINTS,
    RECORDS,
    TARGETS,
    copy_of,
    make_bundle,
    reseal,
    rewrite_golden,
    shared_bundle,
)

LEAST = {"not_about_pr": 0.9, "ment_pr": 0.5, "about_pr": 0.2}


@pytest.fixture(scope="module")
def multi(tmp_path_factory):
    return make_bundle(tmp_path_factory.mktemp("multi"), MULTI, by_class=LEAST)


def changed(folder, **by_precision):
    """Other thresholds, in both files that hold them."""
    after = read_json(folder / "postprocessing.json")
    manifest = read_json(folder / "manifest.json")
    for name, least in by_precision.items():
        after["class_thresholds"][name] = least
        manifest["artifacts"][name]["class_thresholds"] = least
    write_json(folder / "postprocessing.json", after)
    reseal(folder, artifacts=manifest["artifacts"])


def test_labels_hold_from_their_own_thresholds_on_request(multi):
    bundle = load_bundle(multi, threads=1)
    plain, at = bundle.predict(RECORDS), bundle.predict(RECORDS, "class_f1")
    for one, other in zip(plain, at, strict=True):
        assert other["probabilities"] == one["probabilities"] and "positive" not in other
        assert other["label"] == [label for label in LABELS if one["probabilities"][label] >= LEAST[label]]
        assert one["label"] == [label for label in LABELS if one["probabilities"][label] >= 0.5]
    assert [one["label"] for one in plain] != [one["label"] for one in at]
    assert bundle.class_thresholds == LEAST and verify(multi, 1)["passed"]
    with pytest.raises(ValueError, match="known: f1, recall@P>=0.9, class_f1"):
        bundle.predict(RECORDS, "class_f2")


def test_the_card_and_the_file_of_answers_have_them(multi, tmp_path):
    card = (multi / "MODEL_CARD.md").read_text("utf-8")
    assert "## Thresholds of each label" in card and "| 0.9000 |" in card and "class_f1" in card
    assert "Of the files in this bundle, at a probability of 0.5 for each label, with" in card
    (tmp_path / "in.jsonl").write_text("\n".join(map(json.dumps, RECORDS)), "utf-8")
    predict(multi, tmp_path / "in.jsonl", tmp_path / "out.csv", "class_f1")
    head, *lines = (tmp_path / "out.csv").read_text("utf-8").splitlines()
    assert "positive" not in head and len(lines) == len(RECORDS)


def test_other_thresholds_are_caught_by_the_golden_records(multi, tmp_path):
    folder = copy_of(multi, tmp_path)
    changed(folder, fp32={**LEAST, "about_pr": 0.7})
    with pytest.raises(OtherAnswers, match="labels .* at 'class_f1', expected"):
        load_bundle(folder, threads=1)


@pytest.mark.parametrize(
    "least", [{"ment_pr": 0.5}, {**LEAST, "ment_pr": 1.5}, {**LEAST, "ment_pr": "0.5"}], ids=["few", "over 1", "text"]
)
def test_thresholds_that_are_none_are_refused(multi, tmp_path, least):
    folder = copy_of(multi, tmp_path)
    changed(folder, fp32=least)
    with pytest.raises(BundleError, match="class thresholds of fp32"):
        load_bundle(folder, threads=1)


def test_golden_records_without_them_are_refused(multi, tmp_path):
    folder = copy_of(multi, tmp_path)

    def without(_, line):
        for answer in line["answers"].values():
            answer.pop("class_f1")
        return line

    rewrite_golden(folder, without)
    with pytest.raises(OtherAnswers, match="labels at 'class_f1'"):
        load_bundle(folder, threads=1)


def test_a_bundle_of_one_label_has_none(tmp_path):
    bundle = load_bundle(shared_bundle(), threads=1, verify=False)
    assert bundle.class_thresholds == {} and "class_thresholds" not in read_json(shared_bundle() / "manifest.json")
    with pytest.raises(ValueError, match="no operating point 'class_f1' at fp32; known: f1, recall@P>=0.9"):
        bundle.predict(RECORDS, "class_f1")
    (tmp_path / "in.jsonl").write_text(json.dumps(RECORDS[0]), "utf-8")
    with pytest.raises(UserError, match="no operating point 'class_f1'"):
        predict(shared_bundle(), tmp_path / "in.jsonl", tmp_path / "out.jsonl", "class_f1")


def test_the_proof_holds_a_bundle_to_the_thresholds_that_the_run_measured(multi):
    model, exported = multi.parent / "model", multi.parent / "export" / "fp32"
    logits = TARGETS["fp32"].scorer(exported, model, Opening(threads=1)).score(RECORDS)

    def proof(least):
        stored = {"fp32": Stored(logits.logits, 1.5, POINTS, least)}
        return Proof(list("абвгд"), RECORDS, stored, MULTI, sha256(model / "model.safetensors"))

    prove(multi, proof(LEAST), threads=1)
    with pytest.raises(GateFailed, match="class thresholds .*measured"):
        prove(multi, proof({**LEAST, "ment_pr": 0.6}), threads=1)
