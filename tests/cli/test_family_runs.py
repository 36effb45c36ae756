"""Whole runs with models of several families, of the user's own too, through the command line."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from benchmarks import latency
from distill.core.predictions import read_predictions
from distill.core.soft_labels import read_soft_labels
from distill.evaluation.metrics import mixture
from tests.tiny_run import distill

CONSTANT = '''
import numpy as np
from pydantic import Field

from distill.core.config import Config
from distill.core.files import read_json, write_json
from distill.core.record_store import class_shares
from distill.core.rendering import Encoded
from distill.families.family import Facts, Family
from distill.inference.scorer import Scorer


class Constant(Family, Scorer):
    """One answer for every record: the class shares of the training rows."""

    class Settings(Config):
        least: float = Field(1e-6, description="probability of a class that was never seen")

    def fit(self, config, lesson, folder):
        shares = np.log(class_shares(lesson.records) + config.least)
        write_json(folder / "config.json", {"logits": shares.tolist()})

    def open(self, folder, how=None):
        self.logits = np.float32(read_json(folder / "config.json")["logits"])
        return self

    def facts(self, folder):
        return Facts(None, len(read_json(folder / "config.json")["logits"]))

    def prepare(self, rows):
        return [Encoded(windows=[], tokens=1, cut_tokens=0) for row in rows]

    def answer(self, prepared, on_progress=None):
        return np.tile(self.logits, (len(prepared), 1))
'''
PRESET = "# The class shares, whatever the text.\nfamily: our_families:Constant\nleast: 1.0e-3\n"


def _project(planted, folder, teachers="", students="", more=""):
    """The planted project in a folder of its own, with more teachers, students and sections."""
    config = shutil.copytree(planted.parent, folder) / planted.name
    text = config.read_text(encoding="utf-8")
    text = text.replace("students:\n", f"{teachers}students:\n{students}") + more
    config.write_text(text, encoding="utf-8")
    return config


def _run(config, *arguments, verb=None, code=0, **environment):
    run = config.parent / "run"
    done = distill(*([verb] if verb else []), f"--config={config}", f"--out={run}", *arguments, **environment)
    assert done.returncode == code, done.stdout + done.stderr
    return run, done.stdout


def _report(run):
    return json.loads((run / "report.json").read_text(encoding="utf-8"))


def _names(folder):
    return {path.name for path in folder.iterdir()}


@pytest.fixture(scope="module")
def words(planted, tmp_path_factory):
    """A whole run with words as a teacher of weight 0 and as a student, without anything to compare with."""
    config = _project(
        planted,
        tmp_path_factory.mktemp("words") / "project",
        teachers="  words: {preset: words, weight: 0}\n",
        students="  words_small: {preset: words}\n",
        more="controls: {card_teacher: false, gold_twins: false, random: false, tfidf: false}\n",
    )
    return _run(config)


def test_words_are_measured_and_nothing_of_them_is_handed_over(words):
    run, printed = words
    models = {model["name"]: model for model in _report(run)["models"]}
    assert set(models) == {
        "base@document",
        "words@document",
        "words_small@card",
        "small@card",
        "base@document>card",
        "majority",
        "small@card.onnx",
    }
    for name, role in (("words@document", "teacher"), ("words_small@card", "student")):
        one = models[name]
        assert (one["role"], one["preset"], one["layers"]) == (role, "words", None) and one["parameters"] > 100
        assert name in (run / "report.html").read_text(encoding="utf-8")
    accuracy = {name: model["quality"]["accuracy"]["value"] for name, model in models.items()}
    assert accuracy["words@document"] == 1 and accuracy["words_small@card"] == accuracy["base@document"] > 0.6
    assert _names(run / "export") == {"base", "small"} and _names(run / "bundles") == {"small"}
    assert f"bundle: {run / 'bundles' / 'small'}\n" in printed
    assert _names(run / "labels") == {"base"}


@pytest.mark.slow
def test_words_are_timed_as_they_are_and_take_no_part_in_speed_ups_but_their_own(words, tmp_path):
    run, _ = words
    timed = {row["model"]: row for row in _report(run)["latency"]}
    files = {"base@document.onnx", "small@card.onnx"}
    assert set(timed) == {"base@document", "words@document", "words_small@card", *files}
    teachers = [timed[name]["p50_ms"] for name in ("base@document", "base@document.onnx")]
    for name, role in (("words@document", "teacher"), ("words_small@card", "student")):
        row = timed[name]
        assert (row["role"], row["runtime"], row["precision"]) == (role, "scikit-learn", "fp64")
        assert 0 < row["tokenise_ms"] < row["p50_ms"] and row["tokens"] > 1 and row["throughput_per_s"] > 0
        assert row["speedup_vs_teacher"] == pytest.approx(teachers[0] / row["p50_ms"])
    assert timed["small@card.onnx"]["speedup_vs_best_teacher"] == pytest.approx(
        min(teachers) / timed["small@card.onnx"]["p50_ms"]
    )
    again = tmp_path / "again.json"
    asked = ["--set=requests=3", "--set=trained_students=true", "--set=processes=1"]
    assert latency.main([str(run), *asked, f"--out={again}"]) == 0
    assert set(timed) < {row["model"] for row in json.loads(again.read_text(encoding="utf-8"))["rows"]}


def test_a_bag_of_tokens_is_handed_over_as_any_student_without_int8(planted, tmp_path):
    config = _project(planted, tmp_path / "project", more="controls: {card_teacher: false}\n")
    quick = ("--set=students.bag.training={epochs: 20, learning_rate: 0.01}", "--set=export=[onnx, onnx-int8]")
    # The middle of sixty requests is not moved by a busy machine as that of eight is.
    run, _ = _run(config, "--student=bag", *quick, "--set=bench.requests=60")
    assert _names(run / "export" / "bag") == {"onnx"}
    done = distill("verify", str(run / "bundles" / "bag"))
    assert done.returncode == 0, done.stdout + done.stderr
    report = _report(run)
    models = {model["name"]: model for model in report["models"]}
    assert {"bag@card", "bag-gold@card", "bag@card.onnx"} <= set(models) and models["bag@card"]["layers"] is None
    timed = {row["model"]: row for row in report["latency"]}
    assert timed["bag@card.onnx"]["p50_ms"] < timed["base@document.onnx"]["p50_ms"]


def test_gates_ask_nothing_of_a_model_that_cannot_be_handed_over(words):
    run, _ = words
    models = {model["name"]: model for model in _report(run)["models"]}
    assert models["words_small@card"]["only_measured"] and "only_measured" not in models["small@card"]
    assert not any("words" in gate["name"] for gate in _report(run)["gates"])


def test_without_controls_there_is_nothing_measured_against_them_and_the_verdict_says_so(words):
    run, printed = words
    report = _report(run)
    assert report["controls_off"] == ["card_teacher", "gold_twins", "random", "tfidf"] and report["twins"] == {}
    small = next(model for model in report["models"] if model["name"] == "small@card")
    assert set(small["retention"]) == {"document"} and small["over_gold"] is None
    kinds = {gate["name"].partition(" ")[0] for gate in report["gates"]}
    assert kinds == {"leak", "validation_rows", "teacher_over_priors", "parity"}
    chance = "answers by chance, TF-IDF and a linear model on cards"
    left_out = f"Not compared with: a teacher on cards, students on gold alone, {chance}."
    assert left_out in " ".join(printed.split()) and left_out in (run / "report.html").read_text(encoding="utf-8")
    assert set(report["choice"]["teachers"]) == {"base@document"}
    assert not (run / "twins").exists() and not list((run / "students").glob("*-gold*"))
    assert "over_controls" not in small and not (run / "controls").exists()


@pytest.fixture(scope="module")
def both(planted, tmp_path_factory):
    """A whole run in which an encoder and words label as one teacher."""
    config = _project(
        planted,
        tmp_path_factory.mktemp("both") / "project",
        teachers="    weight: 0\n  words: {preset: words, weight: 0}\n"
        "  both: {preset: ensemble, members: {base: 0.8, words: 0.2}, calibrated: false}\n",
        students="  words_small: {preset: words}\n",
    )
    return _run(config, "--set=students.small.source=base")


@pytest.mark.slow
def test_an_ensemble_labels_with_the_mean_of_its_members(both):
    run, _ = both
    assert _names(run / "labels") == {"both"} and _names(run / "teachers") == {"base", "words", "both"}
    assert _report(run)["choice"]["teachers"] == {"both@document": 1.0}
    assert len(read_soft_labels(run / "labels" / "both")) == 90 + 40
    split = "test.unseen.parquet"
    parts = {
        name: read_predictions(run / "predictions" / f"{name}@document" / split) for name in ("base", "words", "both")
    }
    expected = mixture([parts["base"].logits, parts["words"].logits], [0.8, 0.2])
    np.testing.assert_allclose(parts["both"].logits, expected, atol=1e-6)


@pytest.mark.slow
def test_students_are_measured_against_the_ensemble_and_words_have_a_twin(both):
    run, _ = both
    models = {model["name"]: model for model in _report(run)["models"]}
    assert {"both@document", "both@document>card", "words_small-gold@card", "small-gold-steps@card"} <= set(models)
    assert "words_small-gold-steps@card" not in models and "both@card" not in models
    assert set(models["small@card"]["retention"]) == {"document"}
    sizes = [models[f"{name}@document"]["parameters"] for name in ("base", "words")]
    assert models["both@document"]["parameters"] == sum(sizes)
    timed = {row["model"]: row["runtime"] for row in _report(run)["latency"]}
    as_they_are = {"both@document": "ensemble", "words@document": "scikit-learn", "words_small@card": "scikit-learn"}
    assert timed == {**as_they_are, "small@card.onnx": "onnxruntime"}
    compared = {one["b"] for one in _report(run)["comparisons"] if one["a"] == "small@card"}
    assert compared == {"small-gold@card", "small-gold-steps@card", "both@document"}
    assert _names(run / "export") == _names(run / "bundles") == {"small"}


@pytest.mark.slow
def test_a_second_start_makes_nothing_again(both):
    run, _ = both
    _run(run.parent / "project.yaml", "--set=students.small.source=base")
    assert {stage["status"] for stage in json.loads((run / "run.json").read_text())["stages"]} == {"skipped"}


def test_an_assistant_is_trained_labels_and_is_learnt_from(planted, taught, tmp_path):
    students = "  big: {preset: 4L, layers: 2, training: {epochs: 2, learning_rate: 5e-3, precision: fp32}}\n"
    config = _project(planted, tmp_path / "project", students=students)
    shutil.copytree(taught[0], config.parent / "run")
    assisted = ["--set=students.small.learns_from=[big]", "--set=students.small.source=big"]
    run, _ = _run(config, *assisted, "--set=export=[]", "--set=controls.gold_twins=false", verb="evaluate")
    stages = [stage["name"] for stage in json.loads((run / "run.json").read_text())["stages"]]
    made = [stages.index(name) for name in ("train big", "label big", "train small")]
    assert made == sorted(made) and {"big"} < _names(run / "labels")
    inputs = json.dumps(json.loads((run / "students" / "small" / "manifest.json").read_text())["inputs"])
    assert "labels/big" in inputs and "students/big" in inputs and "labels/base" not in inputs
    assert {"big@card", "small@card"} <= {model["name"] for model in _report(run)["models"]}


def test_a_family_of_the_users_own_is_one_class_and_a_preset(planted, taught, tmp_path):
    """It teaches, learns and is measured; it labels where it is told to."""
    config = _project(
        planted,
        tmp_path / "project",
        teachers="  always: {preset: constant, weight: 0}\n",
        students="  constant: {least: 0.01}\n",
        more="controls: {gold_twins: false}\n",
    )
    (config.parent / "our_families.py").write_text(CONSTANT, encoding="utf-8")
    for package in ("teachers", "students"):
        (config.parent / "presets" / package).mkdir(parents=True)
        (config.parent / "presets" / package / "constant.yaml").write_text(PRESET, encoding="utf-8")
    shutil.copytree(taught[0], config.parent / "run")
    fast = ["--set=export=[]", "--set=students.small.training={max_steps: 12, may_collapse: true}"]
    run, printed = _run(config, *fast, verb="evaluate", PYTHONPATH=str(config.parent))
    assert "\nsmall@card: macro F1" in printed  # the model to take is one that can be handed over
    models = {model["name"]: model for model in _report(run)["models"]}
    assert {"always@document", "constant@card"} < set(models)
    majority = models["majority"]["quality"]["accuracy"]["value"]
    assert all(
        models[name]["quality"]["accuracy"]["value"] == majority for name in ("always@document", "constant@card")
    )
    stored = json.loads((run / "teachers" / "always" / "config.json").read_text())
    assert stored["distill"] == {"family": "our_families:Constant", "view": "document"}
    assert np.exp(stored["logits"]).sum() > 1.002
    labelling = ["--set=labels=always", "--set=gates.teacher_over_priors=null"]
    _run(config, *labelling, verb="label", PYTHONPATH=str(config.parent))
    labels = read_soft_labels(run / "labels" / "always")
    assert len(labels) == 90 + 40 and (labels.logits == labels.logits[0]).all()


def test_a_teacher_of_the_users_own_that_knows_nothing_is_stopped_by_the_gate(planted, tmp_path):
    config = _project(planted, tmp_path / "project", teachers="    weight: 0\n  always: {preset: constant}\n")
    (config.parent / "our_families.py").write_text(CONSTANT, encoding="utf-8")
    Path(config.parent / "presets" / "teachers").mkdir(parents=True)
    (config.parent / "presets" / "teachers" / "constant.yaml").write_text(PRESET, encoding="utf-8")
    fast = ["--set=students.small.source=base", "--set=teachers.base.training={max_steps: 20, may_collapse: true}"]
    run, printed = _run(config, *fast, verb="label", code=3, PYTHONPATH=str(config.parent))
    assert not (run / "labels").exists() and "teacher_over_priors" in printed
