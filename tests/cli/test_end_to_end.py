"""The whole path, once, and everything that a user then does with the run."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from distill.core.predictions import read_predictions
from distill.core.soft_labels import read_soft_labels
from tests.tiny_run import distill


def test_report_holds_every_model_of_the_contract(run):
    report = json.loads((run / "report.json").read_text())
    names = {model["name"]: model for model in report["models"]}
    assert set(names) == {
        "base@document",
        "base@card",
        "base@document>card",
        "3L_trunc@card",
        "3L_trunc-gold@card",
        "3L_trunc-gold-steps@card",
        "majority",
        "random",
        "tfidf@card",
        "3L_trunc@card.onnx",
        "3L_trunc@card.onnx-int8",
    }
    student = names["3L_trunc@card"]
    assert student["layers"] == 3 and names["base@document"]["layers"] == 4
    assert set(student["retention"]) == {"document", "card"}
    assert set(student["over_controls"]) == {"random", "tfidf@card"}
    assert set(student["quality"]["accuracy"]) == {"value", "low", "high"}
    assert report["gates"] and all(gate["passed"] for gate in report["gates"])


def test_latency_has_teacher_in_both_runtimes_and_every_student_artifact(run):
    rows = {row["model"]: row for row in json.loads((run / "report.json").read_text())["latency"]}
    assert {"base@document", "base@document.onnx", "base@card", "3L_trunc@card.onnx", "3L_trunc@card.onnx-int8"} <= set(
        rows
    )
    assert rows["base@document"]["speedup_vs_teacher"] == 1
    assert len({row["threads"] for row in rows.values()}) == 1


def test_quality_in_the_report_is_that_of_the_prediction_file(run):
    report = json.loads((run / "report.json").read_text())
    models = [model for model in report["models"] if model["name"] not in ("majority", "random")]
    assert "3L_trunc@card.onnx" in {model["name"] for model in models}
    for model in models:
        stored = read_predictions(run / "predictions" / model["name"] / "test.unseen.parquet")
        accuracy = (stored.logits.argmax(1) == stored.target.argmax(1)).mean()
        assert model["quality"]["accuracy"]["value"] == pytest.approx(accuracy)


def test_the_labels_taken_have_the_lowest_log_loss_on_validation(run):
    choice = json.loads((run / "report.json").read_text())["choice"]
    losses = {one["name"]: one["log_loss"]["value"] for one in choice["candidates"]}
    assert set(losses) == {"document", "card", "mean", "mixture"} and choice["asked"] == "auto"
    # A mixture is taken only where it is lower by an interval.
    assert losses[choice["taken"]] == min(loss for name, loss in losses.items() if name != "mixture")
    assert choice["rows"] == 120
    assert choice["taken"] == "document" and [path.name for path in (run / "labels").iterdir()] == ["base"]


def test_one_twin_converges_and_the_other_takes_the_students_steps(run):
    fits = {fit["model"]: fit for fit in json.loads((run / "report.json").read_text())["training_history"]}
    assert fits["3L_trunc-gold@card"]["ended"] == "converged"
    assert fits["3L_trunc-gold-steps@card"]["steps"] == fits["3L_trunc@card"]["steps"]


def test_soft_labels_cover_train_and_pool_once(run):
    labels = read_soft_labels(run / "labels" / "base")
    kept = json.loads((run / "audit.json").read_text())["balance"]["classes"]["train"]
    assert len(set(labels.ids)) == len(labels)
    assert labels.sources.count("train") == sum(kept.values())
    assert "pool.runtime" in labels.sources and set(labels.status) == {"ok"}


def test_second_start_does_nothing(run, tiny):
    before = {path: path.stat().st_mtime_ns for path in run.rglob("*.parquet")}
    done = distill(*tiny(run))
    assert done.returncode == 0, done.stderr
    stages = json.loads((run / "run.json").read_text())["stages"]
    assert {stage["status"] for stage in stages} == {"skipped"}
    assert before == {path: path.stat().st_mtime_ns for path in run.rglob("*.parquet")}


def test_json_is_one_document_on_standard_output(run, tiny):
    done = distill(*tiny(run), "--json")
    assert json.loads(done.stdout)["schema"] == 1


def test_changed_student_leaves_the_teacher_alone(run, tiny, tmp_path):
    copy = tmp_path / "run"
    shutil.copytree(run, copy)
    done = distill("train", *tiny(copy), "--set=students.3L_trunc.temperature=3")
    assert done.returncode == 0, done.stderr
    status = {stage["name"]: stage["status"] for stage in json.loads((copy / "run.json").read_text())["stages"]}
    assert status["teach base@document"] == status["label base"] == "skipped"
    assert status["train 3L_trunc"] == "done"


def test_bundle_verifies_and_one_changed_byte_is_refused(run, tmp_path):
    good = distill("verify", run / "bundles" / "3L_trunc", "--threads=1")
    assert good.returncode == 0, good.stderr
    copy = tmp_path / "bundle"
    shutil.copytree(run / "bundles" / "3L_trunc", copy)
    _flip_one_byte(copy / "model.int8.onnx")
    bad = distill("verify", copy)
    assert bad.returncode == 2 and "model.int8.onnx" in bad.stderr and "Traceback" not in bad.stderr


def test_predict_gives_what_the_student_said(run, project, tmp_path):
    answers = tmp_path / "answers.jsonl"
    done = distill(
        "predict", run / "bundles" / "3L_trunc", project / "test.jsonl", "--out", answers, "--precision=fp32"
    )
    assert done.returncode == 0, done.stderr
    said = {row["id"]: row["label"] for row in map(json.loads, answers.read_text().splitlines())}
    stored = read_predictions(run / "predictions" / "3L_trunc@card.onnx" / "test.unseen.parquet")
    labels = ["not_about_pr", "ment_pr", "about_pr"]
    agree = [said[name] == labels[row] for name, row in zip(stored.ids, stored.logits.argmax(1), strict=True)]
    assert np.mean(agree) == 1


def test_status_report_compare_show_and_dry_run(run, tiny):
    assert "teach base@document" in distill("status", run).stdout
    assert "8L" not in distill("report", run).stdout
    compared = distill("compare", run, "3L_trunc@card", "base@card", "--json")
    assert {row["metric"] for row in json.loads(compared.stdout)} >= {"accuracy", "f1_macro", "f1_positive"}
    unknown = distill("compare", run, "3L_trunc@crad", "base@card")
    assert unknown.returncode == 2 and "3L_trunc@card" in unknown.stderr
    name = read_predictions(run / "predictions" / "base@card" / "valid.parquet").ids[0]
    options = [argument for argument in tiny(run) if not argument.startswith("--student")]
    shown = distill("show", name, "--view=document", *options)
    assert shown.returncode == 0 and "tokens" in shown.stdout, shown.stderr
    planned = distill("--dry-run", *tiny(run)).stdout
    assert "bundle 3L_trunc" in planned and "160 rows kept" in planned


def test_labels_made_elsewhere_take_the_place_of_labelling(run, tiny, tmp_path):
    copy, file = tmp_path / "run", tmp_path / "logits.jsonl"
    shutil.copytree(run, copy)
    made = read_soft_labels(run / "labels" / "base")
    rows = [{"id": name, "logits": (2 * logits).tolist()} for name, logits in zip(made.ids, made.logits, strict=True)]
    file.write_text("\n".join(map(json.dumps, rows)))
    arguments = [argument for argument in tiny(copy) if not argument.startswith(("--student", "--set=students"))]
    done = distill("label", "--import", file, *arguments)
    assert done.returncode == 0, done.stderr
    imported = read_soft_labels(copy / "labels" / "base")
    assert imported.ids == made.ids
    np.testing.assert_allclose(imported.logits, 2 * made.logits, rtol=1e-6)
    file.write_text("\n".join(map(json.dumps, rows[:-1])))
    partly = distill("label", "--import", file, *arguments)
    assert partly.returncode == 2 and made.ids[-1] in partly.stderr


def test_finished_teacher_is_used_as_it_is(run, tiny, tmp_path):
    copy = tmp_path / "bought"
    shutil.copytree(run / "teachers" / "base", copy)
    arguments = [argument for argument in tiny(tmp_path / "run") if not argument.startswith("--set=teachers")]
    done = distill("label", "--teacher", copy, *[a for a in arguments if not a.startswith(("--student", "--set=st"))])
    assert done.returncode == 0 and "model shards" not in done.stderr, done.stderr
    made = read_soft_labels(run / "labels" / "base")
    again = read_soft_labels(tmp_path / "run" / "labels" / "bought")
    assert again.ids == made.ids
    assert np.mean(again.logits.argmax(1) == made.logits.argmax(1)) > 0.98


def test_failed_gate_writes_the_report_and_no_bundle(run, tiny, tmp_path):
    copy = tmp_path / "run"
    shutil.copytree(run, copy)
    shutil.rmtree(copy / "bundles")
    done = distill(*tiny(copy), "--set=gates.retention_card=5.0")
    assert done.returncode == 3 and "retention.card" in done.stderr
    assert not (copy / "bundles").exists()
    gates = json.loads((copy / "report.json").read_text())["gates"]
    assert any(not gate["passed"] for gate in gates)


def test_page_is_self_contained(run):
    page = (run / "report.html").read_text(encoding="utf-8")
    assert "3L_trunc@card.onnx-int8" in page and page.count("<script") == 1


def _flip_one_byte(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
