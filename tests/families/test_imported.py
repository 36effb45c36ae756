"""Labels made elsewhere: a teacher without a model, so nothing is trained for it."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

from distill.core.soft_labels import read_soft_labels
from distill.families.family import family
from distill.models.encoder import layer_stack, load_classifier
from distill.pipeline.experiment import Experiment
from distill.pipeline.plan import plan, stages_until
from distill.pipeline.settings import resolve_settings
from tests.cli.planted_project import read_rows, wrong_labels
from tests.tiny_run import distill

FAST = ["--set=controls.gold_twins=false", "--set=students.small.training={max_steps: 20, may_collapse: true}"]


@pytest.fixture(scope="module")
def project(planted, tmp_path_factory):
    """The planted project in a folder of its own, with a file of logits that know the answer."""
    folder = shutil.copytree(planted.parent, tmp_path_factory.mktemp("imported") / "project")
    ids = [row["id"] for split in ("train", "pool") for row in read_rows(folder, split)]
    lines = [
        {"id": name, "logits": [6.0 * (index == int(name.split("-")[1]) % 3) for index in range(3)]} for name in ids
    ]
    (folder / "right.jsonl").write_text("\n".join(map(json.dumps, lines)) + "\n", encoding="utf-8")
    return folder / planted.name


@pytest.fixture(scope="module")
def labelled(project):
    """A run that `distill label --import` made, and what it said."""
    run = project.parent / "run"
    done = distill("label", f"--import={project.parent / 'right.jsonl'}", f"--config={project}", f"--out={run}")
    assert done.returncode == 0, done.stdout + done.stderr
    return run


def _plan(project, *sets, until):
    labels = f"teachers.base.labels={project.parent / 'right.jsonl'}"
    experiment = Experiment(resolve_settings(project, project.parent / "nowhere", sets=[labels, *sets]))
    return experiment, [stage.step.name for stage in stages_until(list(plan(experiment)), until)]


def test_it_is_a_family_without_a_model():
    own = family("imported")
    assert (own.key, own.learns, own.starts, own.exports) == ("labels", False, False, False)


def test_nothing_is_trained_for_imported_labels(project):
    _, names = _plan(project, until="label")
    assert names == ["records", "audit", "choose labels", "label base"]


def test_the_command_makes_the_labels_and_no_model(labelled, project):
    made = {path.name for path in labelled.iterdir() if path.is_dir() and not path.name.startswith(".")}
    assert made == {"records", "audit", "choice", "labels"}
    labels = read_soft_labels(labelled / "labels" / "base")
    assert len(labels) == 90 + 40 and np.ptp(labels.logits) == 6
    stages = json.loads((labelled / "run.json").read_text())["stages"]
    assert [stage["name"] for stage in stages] == ["records", "audit", "choose labels", "label base"]
    choice = json.loads((labelled / "choice" / "choice.json").read_text())
    assert (choice["imported"], choice["start"], choice["rows"]) == (["base@document"], None, 0)


def test_the_dry_run_says_the_same(project, tmp_path):
    keyed = f"--set=teachers.base.labels={project.parent / 'right.jsonl'}"
    planned = distill("--dry-run", f"--config={project}", f"--out={tmp_path / 'run'}", keyed, *FAST)
    assert planned.returncode == 0, planned.stderr
    assert "label base" in planned.stdout and "teach" not in planned.stdout and "predict base" not in planned.stdout


def test_students_start_from_the_teachers_checkpoint(labelled, project, tmp_path):
    run = shutil.copytree(labelled, tmp_path / "run")
    keyed = f"--set=teachers.base.labels={project.parent / 'right.jsonl'}"
    done = distill("train", f"--config={project}", f"--out={run}", keyed, *FAST)
    assert done.returncode == 0, done.stdout + done.stderr
    stages = {one["name"]: one["status"] for one in json.loads((run / "run.json").read_text())["stages"]}
    assert stages == {
        **dict.fromkeys(["records", "audit", "choose labels", "label base"], "skipped"),
        **dict.fromkeys(["checkpoint base", "train small", "train tfidf"], "done"),
    }
    assert not (run / "teachers").exists()
    read = json.loads((run / "students" / "small" / "manifest.json").read_text())["inputs"]
    assert any("checkpoints/base" in str(name) for name in read), read
    assert len(layer_stack(load_classifier(run / "students" / "small"))) == 1


@pytest.mark.parametrize("sets", [[], ["students.small.source=base"], ["students.small.init=pretrained"]])
def test_the_start_is_the_checkpoint_whichever_way_it_is_named(project, sets):
    experiment, names = _plan(project, *sets, until="train")
    assert experiment.start(experiment.models["small"]).artifact == "checkpoints/base"
    assert names.count("checkpoint base") == 1 and not any(name.startswith("teach") for name in names)


def test_the_file_stands_in_for_the_first_teacher_that_labels(project, tmp_path):
    """Whatever it is called; a teacher of weight 0 labels nothing."""
    text = project.read_text(encoding="utf-8")
    idle = "  words: {preset: words, weight: 0}\n  first:\n    preset: base\n"
    config = tmp_path / "project.yaml"
    config.write_text(text.replace("  base:\n", idle), encoding="utf-8")
    run, file = tmp_path / "run", wrong_labels(project.parent)
    root = f"--set=data.root={project.parent}"
    done = distill("label", f"--import={file}", f"--config={config}", f"--out={run}", root)
    assert done.returncode == 0, done.stdout + done.stderr
    assert [path.name for path in (run / "labels").iterdir()] == ["first"]
    assert not (run / "teachers").exists()  # nothing that is labelled needs one


def test_an_ensemble_of_labels_is_refused(project):
    sets = ["teachers.words={preset: words, weight: 0}",
            "teachers.both={preset: ensemble, members: {base: 1, words: 1}, weight: 0}"]  # fmt: skip
    with pytest.raises(Exception, match="of 'base' there are only labels, no model"):
        _plan(project, *sets, until="label")
