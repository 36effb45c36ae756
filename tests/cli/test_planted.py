"""Faults planted in a tiny project: each is caught before the pool is labelled, or fails by a gate of its own."""

from __future__ import annotations

import json
import shutil

import pytest

from distill.core.config import load_yaml
from tests.cli.planted_project import ROWS, read_rows, shuffle_labels, write_project, write_rows, wrong_labels
from tests.report.test_page import visible
from tests.tiny_run import distill

SPARED = "--set=teachers.base.training.may_collapse=true"
FIVE_STEPS = {
    "ceiling": [
        "--set=teachers.base.training.epochs=null",
        "--set=teachers.base.training.ceiling_steps=5",
        "--set=teachers.base.training.warmup=0",
    ],
    "fixed": ["--set=teachers.base.training.max_steps=5"],
}
BLIND_DOCUMENT = "--set=views.document.right=[page.body]"


@pytest.fixture(scope="module")
def project(planted):
    return planted


@pytest.fixture
def run(taught, tmp_path):
    """A copy of that run to go on from."""
    shutil.copytree(taught[0], tmp_path / "run")
    return tmp_path / "run"


def read(run, name):
    return json.loads((run / name).read_text(encoding="utf-8"))


def made(run):
    return {path.name for path in run.iterdir()}


def gate(run, name):
    return next(one for one in read(run, "report.json")["gates"] if one["name"] == name)


@pytest.mark.parametrize("end", FIVE_STEPS)
def test_a_teacher_stopped_after_five_steps_labels_nothing(project, tmp_path, end):
    run = tmp_path / "run"
    rate = "--set=teachers.base.training.learning_rate=1e-5"
    done = distill(f"--config={project}", f"--out={run}", SPARED, rate, *FIVE_STEPS[end])
    assert done.returncode == 3, done.stdout + done.stderr
    taken = read(run, "choice/choice.json")["taken"]
    failed = gate(run, f"teacher_over_priors {taken}")
    assert not failed["passed"] and failed["measured"] <= 0
    names = list(read(run, "choice/choice.json")["teachers"])
    assert f"the pool was not labelled: {', '.join(names)}" in done.stderr
    ending = {"ceiling": "undertrained", "fixed": "fixed: 5 steps"}[end]
    assert f"{names[0]}: {ending}" in done.stderr
    assert "train longer (ceiling_steps, patience; no max_steps or epochs)" in done.stderr
    assert str(run / "report.html") in done.stderr and (run / "report.html").exists()
    assert not {"labels", "students", "bundles"} & made(run)


def test_shuffled_labels_are_not_learned_from(tmp_path):
    project = write_project(tmp_path)
    shuffle_labels(tmp_path)
    done = distill(f"--config={project}", f"--out={tmp_path / 'run'}")
    assert done.returncode == 3, done.stdout + done.stderr
    assert "training collapsed" in done.stderr or "teacher_over_priors" in done.stderr
    assert not {"labels", "students", "bundles"} & made(tmp_path / "run")
    # Nor does the page call the run passed because the gates before training were.
    text = visible((tmp_path / "run" / "report.html").read_text(encoding="utf-8"))
    assert "Failed" in text and "Passed" not in text and "gate passed" not in text.partition("Data audit")[0]


@pytest.fixture(scope="module")
def blind(project, tmp_path_factory):
    """A run up to its student where the document view has nothing that tells the class."""
    run = tmp_path_factory.mktemp("blind") / "run"
    done = distill("train", f"--config={project}", f"--out={run}", BLIND_DOCUMENT, SPARED)
    assert done.returncode == 0, done.stdout + done.stderr
    return run, done.stdout


def test_of_a_document_view_without_information_the_card_teacher_labels(blind):
    run, printed = blind
    choice = read(run, "choice/choice.json")
    assert (choice["taken"], choice["teachers"], choice["start"]) == ("card", {"base@card": 1.0}, "base@card")
    assert {row["class"] for row in choice["worse_classes"]} and read(run, "report.json")["choice"] == choice
    assert "labels: card (base@card), lowest log loss on validation" in printed
    assert "Labels: card (base@card), asked for auto" in printed
    assert made(run / "labels") == {"base@card"}
    for student in ("small", "small-gold", "small-gold-steps"):
        assert "teachers/base@card" in read(run, f"students/{student}/manifest.json")["inputs"]


def test_asked_for_all_the_same_such_a_document_teacher_labels_nothing(project, blind, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(blind[0], run)
    shutil.rmtree(run / "labels")
    shutil.rmtree(run / "students")
    arguments = (f"--config={project}", f"--out={run}", BLIND_DOCUMENT, SPARED, "--set=labels=document")
    done = distill(*arguments)
    assert done.returncode == 3, done.stdout + done.stderr
    assert "the pool was not labelled: base@document" in done.stderr and not {"labels", "students"} & made(run)
    assert not gate(run, "teacher_over_priors document")["passed"]
    labelled = distill("label", *arguments, "--set=gates.teacher_over_priors=null")
    assert labelled.returncode == 0, labelled.stderr
    assert made(run / "labels") == {"base"} and "students" not in made(run)
    assert read(run, "report.json")["gates_off"] == ["retention_card", "teacher_over_priors"]


OVERTRAINED = ["--set=students.small.training.epochs=30", "--set=students.small.training.ceiling_steps=2"]
HASTY = ["--set=students.small.training.max_steps=2", "--set=students.small.training.warmup=0"]


@pytest.fixture(scope="module")
def mislabelled(tmp_path_factory):
    """The file of a project in which two train labels of five are dealt out at random, with its teachers in `run`."""
    project = write_project(tmp_path_factory.mktemp("mislabelled"))
    shuffle_labels(project.parent, ("train",), share=0.4)
    done = distill("teach", f"--config={project}", f"--out={project.parent / 'run'}", SPARED)
    assert done.returncode == 0, done.stdout + done.stderr
    return project


@pytest.mark.slow
@pytest.mark.parametrize(("how", "best"), [(OVERTRAINED, "small-gold-steps@card"), (HASTY, "small-gold@card")])
def test_the_better_twin_by_validation_is_what_the_gate_compares_with(mislabelled, tmp_path, how, best):
    project, run = mislabelled, shutil.copytree(mislabelled.parent / "run", tmp_path / "run")
    spared = "--set=students.small.training.may_collapse=true"
    warm = "--set=students.small.training.warmup=0"
    done = distill("evaluate", f"--config={project}", f"--out={run}", *how, spared, warm, SPARED, "--set=export=[]")
    assert done.returncode == 0, done.stdout + done.stderr
    report = read(run, "report.json")
    losses = {one["name"]: one["valid"]["log_loss"] for one in report["models"] if "-gold" in one["name"]}
    assert report["twins"]["small@card"] == {"best": best, "other": [name for name in losses if name != best]}
    assert losses[best] == min(losses.values()) < max(losses.values())
    over = next(one for one in report["models"] if one["name"] == "small@card")["over_gold"]
    assert over["twin"] == best and gate(run, "over_gold small@card")["measured"] == over["low"]
    if how is OVERTRAINED:  # it may train as long as it likes, the weights of its best evaluation are kept
        fit = read(run, "students/small-gold-steps/training_history.json")
        assert fit["steps"] == read(run, "students/small/training_history.json")["steps"] > fit["step"]


def test_forty_validation_rows_stop_the_run_before_anything_is_trained(tmp_path):
    project, run = write_project(tmp_path, {**ROWS, "valid": 40}), tmp_path / "run"
    done = distill(f"--config={project}", f"--out={run}")
    assert done.returncode == 3 and "validation_rows: required 50, measured 40" in done.stderr, done.stderr
    assert not {"checkpoints", "teachers", "students", "labels"} & made(run)
    assert not gate(run, "validation_rows")["passed"] and (run / "report.html").exists()
    assert "data.split.valid" in done.stderr
    audited = distill("audit", f"--config={project}", f"--out={run}")
    warned = "warning: nothing can be trained: validation_rows: required 50, measured 40; give more validation rows"
    assert audited.returncode == 0 and warned in " ".join(audited.stdout.split())
    on = distill("teach", f"--config={project}", f"--out={run}", "--set=gates.validation_rows=null")
    assert on.returncode == 0, on.stdout + on.stderr
    assert read(run, "choice/choice.json")["rows"] == 40


def test_a_first_key_of_few_values_is_said_by_the_audit_and_another_one_is_named(tmp_path):
    project, run = write_project(tmp_path, ROWS), tmp_path / "run"
    for split in ROWS:
        write_rows(
            tmp_path, split, [{**row, "shop": f"м{at % 4}"} for at, row in enumerate(read_rows(tmp_path, split))]
        )
    keyed = [f"--config={project}", f"--out={run}", "--set=data.keys=[shop,id]"]
    said = [
        "an interval needs at least 30 clusters",
        "4 clusters in 100 rows",
        "put id (100 values) first in data.keys",
    ]
    audited, taught = distill("audit", *keyed), distill("teach", *keyed)
    told = " ".join(audited.stdout.split())
    assert audited.returncode == 0 and "warning: nothing can be trained: valid:" in told, audited.stderr
    assert all(one in told for one in said)
    assert taught.returncode == 2 and all(one in taught.stderr for one in said), taught.stderr


def test_without_a_validation_row_of_the_positive_class_nothing_is_trained(tmp_path):
    project, run = write_project(tmp_path), tmp_path / "run"
    rows = [{**row, "label": "мимо"} if row["label"] == "точно" else row for row in read_rows(tmp_path, "valid")]
    write_rows(tmp_path, "valid", rows)
    done = distill(f"--config={project}", f"--out={run}", "--set=task.positive=точно")
    assert done.returncode == 2 and "no validation row has the positive class" in done.stderr, done.stderr
    assert "точно: 0 of 100 rows" in done.stderr and "Traceback" not in done.stderr
    assert not {"checkpoints", "teachers", "students", "labels"} & made(run)
    warned = "no validation row has the label точно: no threshold can be chosen for it"
    assert warned in read(run, "report.json")["audit"]["warnings"]
    page = visible((run / "report.html").read_text(encoding="utf-8"))
    assert "Failed" in page and "The run stopped: no validation row has the positive class" in page
    audited = distill("audit", f"--config={project}", f"--out={run}", "--set=task.positive=точно")
    assert audited.returncode == 0 and warned in audited.stdout


def test_a_student_under_its_twin_fails_by_name_as_do_its_files(project, run, tmp_path):
    wrong = wrong_labels(shutil.copytree(project.parent, tmp_path / "wrong"))
    # A second teacher is trained, for its layers only.
    entries = load_yaml(project)["teachers"]
    own = json.dumps({**entries["base"], "preset": "base", "weight": 0})
    sets = (f"teachers.base.labels={wrong}", f"teachers.own={own}", "students.small.source=own")
    done = distill(f"--config={project}", f"--out={run}", *(f"--set={one}" for one in sets))
    assert done.returncode == 3, done.stdout + done.stderr
    for name in ("small@card", "small@card.onnx"):
        failed = gate(run, f"over_gold {name}")
        assert not failed["passed"] and "training on gold alone is" in failed["why"]
        assert f"over_gold {name}: required −0.01" in done.stderr and failed["why"] in done.stderr
    assert "points better" in done.stderr and "the labels of base@document were made elsewhere" in done.stderr
    assert "labels: card" not in done.stderr and "larger encoder" not in done.stderr
    assert not any(one["name"].startswith("teacher_over_priors") for one in read(run, "report.json")["gates"])
    assert "bundles" not in made(run) and (run / "report.html").exists()
    assert "over_gold small@card" in done.stdout
