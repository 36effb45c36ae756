"""What the choice of the labels changes in a plan and in later starts of the same run."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace

import pytest

from distill.core.files import write_json
from distill.core.manifest import write_manifest
from distill.pipeline.experiment import Experiment
from distill.pipeline.plan import asking, plan, stages_until
from distill.pipeline.settings import resolve_settings
from tests.tiny_run import distill

SECOND = "teachers.second={preset: base, checkpoint: null, fresh: {layers: 3}, weight: 3}"


@pytest.fixture(scope="module")
def project(planted):
    return planted


def read(run, name):
    return json.loads((run / name).read_text(encoding="utf-8"))


def made(run):
    return {path.name for path in run.iterdir()}


def remade(run):
    """What the last start had to make."""
    return [one["name"] for one in read(run, "run.json")["stages"] if one["status"] != "skipped"]


def experiment(project, run, *sets):
    return Experiment(resolve_settings(project, run, sets=sets))


def chosen(run, **changes):
    """A choice as an earlier start left it."""
    teachers = changes.pop("teachers", {"base@card": 1.0})
    found = {"asked": "auto", "taken": "card", "teachers": teachers, "start": next(iter(teachers))}
    write_json(run / "choice" / "choice.json", {**found, "temperatures": dict.fromkeys(teachers, 2.0), **changes})
    write_manifest(run / "choice", {"step": "choose"})


def start_of(found):
    """The artifact that the student starts from."""
    return found.start(found.models["small"]).artifact


def names(stages):
    return [stage.step.name for stage in stages]


def test_the_candidates_are_the_teachers_of_the_document_one_of_cards_and_the_mean_of_both(project, tmp_path):
    assert experiment(project, tmp_path, SECOND).candidates == {
        "document": {"base@document": 0.25, "second@document": 0.75},
        "card": {"base@card": 1.0},
        "mean": {"base@document": 0.125, "second@document": 0.375, "base@card": 0.5},
        "mixture": dict.fromkeys(("base@document", "second@document", "base@card"), 1 / 3),
    }
    named = experiment(project, tmp_path, SECOND, "labels=second")
    assert named.candidates["second"] == {"second@document": 1.0} and set(named.chosen) == {"second@document"}


def test_labels_follow_the_choice_once_it_is_made(project, tmp_path):
    before = experiment(project, tmp_path)
    assert (list(before.chosen), start_of(before)) == (["base@document"], "teachers/base")
    chosen(tmp_path)
    after = experiment(project, tmp_path)
    assert {name: (one.weight, one.temperature) for name, one in after.chosen.items()} == {"base@card": (1.0, 2.0)}
    assert "label base@card" in names(plan(after)) and "label base" not in names(plan(after))


@pytest.mark.parametrize("setting", ["labels=document", "labels=card", SECOND])
def test_a_choice_made_under_other_settings_is_not_followed(project, tmp_path, setting):
    chosen(tmp_path, taken="mean", teachers={"base@document": 0.5, "base@card": 0.5})
    assert set(experiment(project, tmp_path).chosen) == {"base@document", "base@card"}
    assert experiment(project, tmp_path, setting).choice is None


def test_a_student_starts_from_the_better_teacher_if_that_has_layers_enough(project, tmp_path):
    chosen(tmp_path)
    folder = tmp_path / "teachers" / "base@card"
    write_json(folder / "config.json", {"num_hidden_layers": 2})
    assert start_of(experiment(project, tmp_path)) == "teachers/base@card"
    assert start_of(experiment(project, tmp_path, "students.small.layers=2")) == "teachers/base@card"
    write_json(folder / "config.json", {"num_hidden_layers": 1})
    assert start_of(experiment(project, tmp_path, "students.small.layers=2")) == "teachers/base"
    assert start_of(experiment(project, tmp_path, "students.small.source=base")) == "teachers/base"
    assert start_of(experiment(project, tmp_path, "students.small.init=pretrained")) == "checkpoints/base"
    shutil.rmtree(folder)
    assert start_of(experiment(project, tmp_path)) == "teachers/base"


def test_logits_made_elsewhere_are_not_scaled_by_the_temperature_of_the_runs_own_teacher(project, tmp_path):
    (tmp_path / "logits.jsonl").touch()
    chosen(tmp_path, taken="document", teachers={"base@document": 0.25, "second@document": 0.75})
    found = experiment(project, tmp_path, SECOND, f"teachers.second.labels={tmp_path / 'logits.jsonl'}")
    assert set(found.candidates) == {"document"} and found.imported == ["second@document"]
    assert {name: one.temperature for name, one in found.chosen.items()} == {
        "base@document": 2.0,
        "second@document": 1.0,
    }


def test_without_students_only_label_asks_which_teacher(project, tmp_path):
    settings = resolve_settings(project, tmp_path)
    stages = list(plan(Experiment(replace(settings, students={}))))
    asked = names(stages_until(stages, "label"))
    assert asked[-2:] == ["choose labels", "label base"]
    for verb in ("teach", "evaluate", "report"):
        assert not {"choose labels", "label base"} & set(names(stages_until(stages, verb)))


def test_nothing_is_labelled_or_trained_from_gold_before_the_choice(project, tmp_path):
    found = experiment(project, tmp_path)
    first = names(asking(found))
    assert first[-1] == "choose labels" and not any("gold" in name or "label base" in name for name in first)
    assert names(plan(found))[: len(first)] == first
    assert not any("gold" in name for name in names(stages_until(list(plan(found)), "label")))


def test_teach_ends_after_the_choice(taught):
    run, printed = taught
    assert not {"labels", "students"} & made(run) and made(run / "predictions") == {"base@document", "base@card"}
    choice = read(run, "choice/choice.json")
    assert f"    labels: {choice['taken']} (" in printed and choice["why"] in " ".join(printed.split())


def test_label_trains_no_twin_and_another_choice_redoes_only_what_it_must(project, taught, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(taught[0], run)
    taken = read(run, "choice/choice.json")["taken"]
    other, label = ("document", "label base") if taken == "card" else ("card", "label base@card")
    arguments = ["label", f"--config={project}", f"--out={run}"]
    assert distill(*arguments).returncode == 0 and "students" not in made(run)
    assert all(name.startswith("label ") for name in remade(run))
    again = distill(*arguments)
    assert again.returncode == 0 and "✓" not in again.stdout and remade(run) == []
    assert distill(*arguments, f"--set=labels={taken}").returncode == 0
    assert remade(run) == ["choose labels"]
    assert distill(*arguments, f"--set=labels={other}").returncode == 0
    assert remade(run) == ["choose labels", *([label] if taken != "mean" else [])]


@pytest.mark.slow
def test_the_plan_of_a_run_with_a_choice_names_its_labels_with_their_time(project, taught, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(taught[0], run)
    before = (run / "choice" / "choice.json").read_bytes()
    fixed = distill("teach", f"--config={project}", f"--out={run}", "--set=labels=card")
    assert fixed.returncode == 0 and (run / "choice" / "choice.json").read_bytes() != before
    few = ("--dry-run", "--set=export=[]", "--set=controls.gold_twins=false")  # no more is tried than need be
    planned = distill(*few, f"--config={project}", f"--out={run}", "--set=labels=card").stdout
    assert "made   choose labels" in planned and re.search(r"to do  label base@card +\d+s", planned), planned
    other = distill(*few, f"--config={project}", f"--out={run}", "--set=labels=document").stdout
    assert "to do  choose labels" in other and re.search(r"to do  label base  +\d+s", other), other


@pytest.mark.slow
def test_each_seed_chooses_for_itself(project, tmp_path):
    done = distill("teach", f"--config={project}", f"--out={tmp_path / 'run'}", "--set=seeds=[1, 2]")
    assert done.returncode == 0, done.stdout + done.stderr
    taken = {str(seed): read(tmp_path / "run", f"seed-{seed}/choice/choice.json")["taken"] for seed in (1, 2)}
    assert read(tmp_path / "run", "report.json")["choice"]["taken_by_seed"] == taken
    assert f"By seed: seed 1 {taken['1']}, seed 2 {taken['2']}" in " ".join(done.stdout.split())
    status = distill("status", tmp_path / "run").stdout
    assert "seed 1: choose labels" in status and "seed 2: choose labels" in status


def test_an_ensemble_is_a_candidate_with_its_weights(project, tmp_path):
    config = tmp_path / "project.yaml"
    text = project.read_text(encoding="utf-8").replace("  base:\n", "  base: &base\n")
    second = "\n  second: {<<: *base, preset: base, weight: 3}\nstudents:"
    config.write_text(text.replace("\nstudents:", second), encoding="utf-8")
    root = f"--set=data.root={project.parent}"
    done = distill("label", f"--config={config}", f"--out={tmp_path / 'run'}", root, "--set=labels=document")
    assert done.returncode == 0, done.stdout + done.stderr
    choice = read(tmp_path / "run", "choice/choice.json")
    assert choice["teachers"] == {"base@document": 0.25, "second@document": 0.75}
    assert "labels: document (base@document × 0.25, second@document × 0.75), fixed by the config" in done.stdout
    assert made(tmp_path / "run" / "labels") == {"base", "second"}
