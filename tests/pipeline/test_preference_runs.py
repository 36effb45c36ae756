"""The embedded project of two answers to a question, made small: from teachers to a bundle, all in both orders."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

from benchmarks.family_checkpoints import FAMILIES, write_checkpoint
from distill.api import run
from distill.core.config import load_yaml
from distill.core.errors import GateFailed
from distill.core.files import read_json, write_json
from distill.core.intake.show import describe
from distill.core.label_space import LabelSpace
from distill.core.predictions import read_predictions
from distill.core.project import Gates
from distill.core.record_store import read_records
from distill.core.rendering import swapped
from distill.core.soft_labels import read_soft_labels
from distill.core.view import View
from distill.demo.generate import Sizes, generate
from distill.evaluation.entries import Parity
from distill.evaluation.gates import judged_parity, parity_gates
from distill.families.family import Lesson, family_of, fit, open_model
from distill.pipeline.entries import teacher_entry
from distill.report.failed_gates import require
from export import runtime
from export.artifact import Artifact, Contents
from export.bundle import bundle
from export.evidence import Sample
from export.parity import Original, measure
from export.targets.onnx_fp32 import OnnxFp32
from export.targets.onnx_int8_dynamic import OnnxInt8Dynamic
from teachers.starting_encoder import adopt_checkpoint
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


class Changed:
    """An exported file with a fault. Args: fault: what becomes of its logits (B, 3)."""

    def __init__(self, inner, fault):
        self.inner, self.fault = inner, fault

    def logits(self, batch):
        return self.fault(self.inner.logits(batch))


@pytest.mark.parametrize(
    ("fault", "stops"),
    [
        (lambda logits: logits[:, [2, 0, 1]], True),
        # A preference for a place is in both halves, and leaves what is served as it is.
        (lambda logits: logits + np.float32([3e-3, -3e-3, 0]), False),
    ],
)
def test_a_bad_int8_file_stops_the_bundle_by_its_name_judged_by_what_is_served(made, fault, stops):
    folder, _ = made
    rows = [row.fields for row in read_records(folder / "records", "valid")]
    original = Original(folder / "students" / "small", Sample(rows), 60)
    runner = Changed(OnnxFp32.open(folder / "export" / "small" / "onnx", 1), fault)
    entry = measure(original, runner, OnnxInt8Dynamic(name="onnx-int8", target="onnx_int8_dynamic"))
    (judged,) = judged_parity(Gates(), [entry])
    gates = parity_gates([Parity.from_json(judged)])
    if not stops:
        assert judged["label_flips"] == 0 and gates[0].passed
        return
    with pytest.raises(GateFailed, match="1 gate failed, no bundle was made[\\s\\S]*parity small.onnx-int8") as stopped:
        require(gates, "report.html")
    assert stopped.value.exit_code == 3


def test_a_view_of_three_texts_is_shown_with_what_tells_them_apart(made):
    folder, _ = made
    record = read_records(folder / "records", "test.unseen")[0]
    view = View.load(folder / "students" / "small")
    whole = View(view.name, view.config.model_copy(update={"budgets": {}}), view.tokenizer_path)
    assert f"left:    {record.fields['prompt']}" in describe(record, whole)
    assert f"right:   A: {record.fields['answer.a']} | B: {record.fields['answer.b']}" in describe(record, whole)


def test_a_decoder_reads_the_view_and_learns_both_orders(made, tmp_path):
    folder, _ = made
    view = View.load(folder / "students" / "small").config
    texts = [text for row in read_records(folder / "records", "train") for text in row.fields.values()]
    for name in ("given", "source", "decoder"):
        (tmp_path / name).mkdir()
    write_checkpoint(FAMILIES["Qwen2"], texts, tmp_path / "given")
    adopt_checkpoint(str(tmp_path / "given"), tmp_path / "source")
    recipe = {"max_steps": 4, "learning_rate": 1e-2, "batch_size": 4, "precision": "fp32", "may_collapse": True}
    entry = teacher_entry("qlora", {"training": {**recipe, "lora": {"r": 4, "alpha": 8}}}, "test", tmp_path)
    lesson = Lesson("toy", LabelSpace(("A", "B", "tie")), "card", view, folder / "records", tmp_path / "source")
    fit("lora_decoder", entry, lesson, tmp_path / "decoder")
    rows = [row.fields for row in read_records(folder / "records", "valid")]
    scorer = open_model(tmp_path / "decoder")
    given, other = scorer.score(rows).logits, scorer.score(exchanged(rows)).logits
    np.testing.assert_allclose(other, given[:, ORDER], atol=1e-5)
    assert np.ptp(given[:, 0] - given[:, 1]) > 1e-3
