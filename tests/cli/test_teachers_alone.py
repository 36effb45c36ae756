"""`students: {}`: encoders compared as teachers, with nothing distilled."""

import json
from pathlib import Path

import pytest

from tests.pipeline.seeds_project import write_project
from tests.tiny_run import distill


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """A whole run without students, and the arguments that made it."""
    folder = tmp_path_factory.mktemp("alone")
    config = write_project(folder)
    before, _, after = config.read_text(encoding="utf-8").partition("students:\n")
    config.write_text(f"{before}students: {{}}\nexport:{after.partition('export:')[2]}", encoding="utf-8")
    arguments = [f"--config={config}", f"--out={folder / 'run'}"]
    done = distill(*arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "run", arguments, done.stdout


def test_the_teachers_are_measured_and_compared_and_nothing_is_distilled(alone):
    run, _, printed = alone
    report = json.loads((run / "report.json").read_text())
    names = [model["name"] for model in report["models"]]
    assert names == ["new@document", "old@document", "tfidf@card", "new@document>card", "majority", "random"]
    assert {(one["a"], one["b"]) for one in report["comparisons"]} == {("old@document", "new@document")}
    assert {row["model"] for row in report["latency"]} == {"new@document", "new@document.onnx"}
    assert not {"choice", "labels", "students", "bundles"} & {path.name for path in run.iterdir()}
    assert "old@document" in printed and "bundle:" not in printed


def test_a_second_start_makes_nothing_again(alone):
    run, arguments, _ = alone
    assert distill(*arguments).returncode == 0
    stages = json.loads((run / "run.json").read_text())["stages"]
    assert {stage["status"] for stage in stages} == {"skipped"}


def test_the_plan_has_no_soft_labels(alone):
    planned = distill("--dry-run", *alone[1]).stdout
    assert "teach old@document" in planned and "label new" not in planned and "bundle" not in planned


def test_soft_labels_are_made_when_asked_for(alone):
    run, arguments, _ = alone
    assert distill("label", *arguments).returncode == 0
    assert (run / "labels" / "new" / "manifest.json").exists()


@pytest.mark.parametrize("verb", ["train", "bundle"])
def test_verbs_that_need_a_student_say_so(alone, verb):
    done = distill(verb, *alone[1])
    assert done.returncode == 2 and f"no student to {verb}" in done.stderr and "--student" in done.stderr


def test_a_student_of_the_command_line_is_trained_all_the_same(alone, tmp_path):
    config, out = alone[1][0], f"--out={tmp_path / 'run'}"  # a new run: no fit is tried for its time
    planned = distill("--dry-run", config, out, "--student=3L", "--set=students.3L.layers=1").stdout
    assert "train 3L" in planned and "label new" in planned


def test_no_teachers_at_all_is_a_mistake(alone, tmp_path):
    config = tmp_path / "project.yaml"
    text = alone[1][0].removeprefix("--config=")
    before, _, after = Path(text).read_text(encoding="utf-8").partition("teachers:\n")
    config.write_text(f"{before}teachers: {{}}\nstudents:{after.partition('students:')[2]}", encoding="utf-8")
    done = distill(f"--config={config}", f"--out={tmp_path / 'run'}")
    assert done.returncode == 2 and "teachers: none" in done.stderr
