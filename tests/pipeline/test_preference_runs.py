"""The embedded project of two answers to a question, made small: from teachers to a bundle, all in both orders."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

from distill.api import run
from distill.core.config import load_yaml
from distill.core.files import read_json, write_json
from distill.core.label_space import LabelSpace
from distill.core.predictions import read_predictions
from distill.core.record_store import read_records
from distill.core.rendering import swapped
from distill.core.soft_labels import read_soft_labels
from distill.demo.generate import Sizes, generate
from distill.families.family import family_of, open_model
from export import runtime
from export.artifact import Artifact, Contents
from export.bundle import bundle
from export.targets.onnx_fp32 import OnnxFp32
from tests.export.tiny_bundle import reseal

PAIRS, ORDER = [["answer.a", "answer.b"]], [1, 0, 2]
QUICK = {"epochs": 2, "learning_rate": 5e-3, "batch_size": 8, "dropout": 0, "precision": "fp32", "may_collapse": True}
TEACHER = {
    **{"checkpoint": None, "fresh": {"layers": 2, "width": 16, "heads": 2, "vocabulary": 200}, "view": "document"},
    **{"training": {**QUICK, "head_rate": 1}, "labelling": {"precision": "fp32"}},
}
CHANGES = {
    "teachers": {
        "one": {"preset": "base", **TEACHER, "weight": 0.8, "export": False},
        "two": {"preset": "words", "weight": 0.2},
    },
    "students": {"small": {"preset": "3L", "layers": 1, "training": {**QUICK, "epochs": 1}}},
    "controls": {"card_teacher": False, "gold_twins": False, "tfidf": False},
    "gates": {"teacher_over_priors": None},
    "export": ["onnx"],
    "threads": 1,
}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """(run folder, report) of a run up to its figures."""
    folder = tmp_path_factory.mktemp("preference")
    generate(folder, sizes=Sizes(train=90, valid=60, test=90, pool=40), project="demo-preference")
    path = folder / "project.yaml"
    values = load_yaml(path)
    quality = {**values["quality"], "replicates": 100}
    path.write_text(json.dumps({**values, **CHANGES, "quality": quality}), encoding="utf-8")
    return folder / "run", run(path, folder / "run", until="evaluate")


@pytest.fixture(scope="module")
def bundled(made, tmp_path_factory):
    """The bundle of its student."""
    run_folder, place = made[0], tmp_path_factory.mktemp("bundle")
    artifact = Artifact(OnnxFp32(name="onnx", target="onnx_fp32"), run_folder / "export" / "small" / "onnx")
    space = LabelSpace(("A", "B", "tie"))
    bundle(Contents("small", run_folder / "students" / "small", [artifact], space, {}), place, threads=1)
    return place


def exchanged(rows):
    return [swapped(row, PAIRS) for row in rows]


def test_teachers_label_and_are_measured_in_both_orders(made):
    folder, _ = made
    rows = read_records(folder / "records", "train")
    labels = read_soft_labels(folder / "labels" / "one")
    scorer, alone = open_model(folder / "teachers" / "one"), family_of(folder / "teachers" / "one")
    fields = [row.fields for row in rows]
    given, other = scorer.score(fields).logits, scorer.score(exchanged(fields)).logits
    np.testing.assert_allclose(other, given[:, ORDER], atol=1e-6)
    np.testing.assert_allclose(labels.logits[: len(rows)], given, atol=1e-4)
    plain = alone.open(folder / "teachers" / "one")
    halves = plain.score(fields).logits, plain.score(exchanged(fields)).logits[:, ORDER]
    assert np.abs(halves[0] - halves[1]).max() > 1e-3
    np.testing.assert_allclose(given, np.mean(halves, axis=0), atol=1e-5)


def test_the_mixture_counts_its_members_by_their_weights(made):
    folder, report = made
    found = {one["name"]: one["quality"] for one in report["models"]}
    assert {"one@document", "two@document", "ensemble@document", "small@card", "small@card.onnx"} <= set(found)
    assert report["choice"]["taken"] == "document" and report["metric"] == "log_loss"
    shares = report["choice"]["teachers"]
    assert [round(shares[name] / sum(shares.values()), 6) for name in ("one@document", "two@document")] == [0.8, 0.2]


def test_a_bundle_answers_in_both_orders_as_it_was_measured(made, bundled):
    folder, _ = made
    opened = runtime.load_bundle(bundled, threads=1)
    rows = [row.fields for row in read_records(folder / "records", "test.unseen")]
    logits = opened.logits(rows)
    measured = read_predictions(folder / "predictions" / "small@card.onnx" / "test.unseen.parquet").logits
    np.testing.assert_allclose(logits, measured, atol=1e-5)
    nested = [{"prompt": row["prompt"], "answer": {"a": row["answer.b"], "b": row["answer.a"]}} for row in rows]
    np.testing.assert_allclose(opened.logits(nested), logits[:, ORDER], atol=1e-5)
    card = (bundled / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert "`answer.a` and `answer.b`; the mean of both logits counts" in card and "(at most 32 tokens, after" in card


@pytest.mark.parametrize("change", [{"average": False}, {"order": [0, 1, 2]}])
def test_a_bundle_that_lost_an_order_does_not_verify(bundled, tmp_path, change):
    place = shutil.copytree(bundled, tmp_path / "bundle")
    before = read_json(place / "preprocessing.json")
    write_json(place / "preprocessing.json", {**before, "swap": {**before["swap"], **change}})
    with pytest.raises(runtime.BundleError):
        runtime.load_bundle(place, threads=1)
    reseal(place)
    with pytest.raises(runtime.OtherAnswers):
        runtime.load_bundle(place, threads=1)
