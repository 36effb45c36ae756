"""Faults planted where a run fills its bundle: the finished bundle does not give the answers that the run measured."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from distill.core.errors import GateFailed
from distill.models.to_onnx import export_fp32
from distill.pipeline import hand_off
from distill.pipeline.experiment import Experiment
from distill.pipeline.plan import bundles
from distill.pipeline.settings import resolve_settings
from export import bundle as builder
from tests.tiny_run import TINY

# The command line with the labels of every bundle reversed.
PLANTED = """
import sys
from distill.__main__ import main
from export import bundle
real = bundle._postprocessing
bundle._postprocessing = lambda *given: {**real(*given), "labels": real(*given)["labels"][::-1]}
sys.exit(main())
"""


@pytest.fixture
def place(tmp_path):
    """Where the step works: a folder with the mark of one."""
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "step.json").write_text('{"fingerprint": "1"}', encoding="utf-8")
    return tmp_path / "out"


@pytest.fixture(scope="module")
def step(project, run):
    """The step that makes the bundle of a finished run."""
    sets = [option.removeprefix("--set=") for option in TINY]
    settings = resolve_settings(project / "project.yaml", run, students=["3L_trunc"], sets=sets)
    return next(bundles(Experiment(settings))).step


def contents(monkeypatch, change):
    """Let `change(contents)` spoil what the run hands to the builder."""
    real = hand_off._contents
    monkeypatch.setattr(hand_off, "_contents", lambda *given: change(real(*given)))


def artifact(index, change):
    """A change of one exported file in what the run hands over. Args: change: of all of them to its new fields."""

    def changed(found):
        listed = list(found.artifacts)
        listed[index] = replace(listed[index], **change(listed))
        return replace(found, artifacts=listed)

    return changed


def teachers_folder(found):
    """The card teacher's model in place of the student's: same labels, view and tokenizer."""
    run = found.model_folder.parents[1]
    model, made = run / "teachers" / "base@card", found.artifacts[0]
    folder = Path(shutil.copytree(made.folder, run.parent / "exported", dirs_exist_ok=True))
    export_fp32(model, folder / made.target.model)
    return replace(found, model_folder=model, artifacts=[replace(made, folder=folder)])


FAULTS = {
    "the temperature of int8 for fp32": artifact(0, lambda listed: {"temperature": listed[1].temperature}),
    "the temperature of fp32 for int8": artifact(1, lambda listed: {"temperature": listed[0].temperature}),
    "the points of fp32 for int8": artifact(1, lambda listed: {"operating_points": listed[0].operating_points}),
    "no operating points": artifact(0, lambda listed: {"operating_points": {}}),
    "the teacher's model": teachers_folder,
}


def test_a_fair_bundle_is_made(step, place):
    step.body(place)
    assert (place / "manifest.json").exists()


@pytest.mark.parametrize("fault", FAULTS)
def test_what_the_run_did_not_measure_is_not_handed_over(step, place, monkeypatch, fault):
    contents(monkeypatch, FAULTS[fault])
    with pytest.raises(GateFailed, match="does not give the answers that the run measured: (fp32|int8); no bundle"):
        step.body(place)
    assert [path.name for path in place.iterdir()] == ["step.json"]


def test_code_that_answers_otherwise_is_not_handed_over(step, place, monkeypatch):
    """Even where the bundle's own check is blind to it."""
    real = builder._copy

    def spoiling(artifacts, model_folder, folder):
        real(artifacts, model_folder, folder)
        path = folder / "runtime.py"
        text = path.read_text("utf-8").replace("int(logits.argmax())", "int(logits.argmin())")
        path.write_text(text.replace('result["problems"]', "[]"), "utf-8")
        (folder / "verify.py").write_text((folder / "verify.py").read_text("utf-8").replace("not problems", "True"))

    monkeypatch.setattr(builder, "_copy", spoiling)
    with pytest.raises(GateFailed, match="record .*: label '"):
        step.body(place)


def test_a_wrong_bundle_ends_the_command_with_3(run, tiny, tmp_path):
    copy = Path(shutil.copytree(run, tmp_path / "run"))
    shutil.rmtree(copy / "bundles")
    command = [sys.executable, "-c", PLANTED, "bundle", *map(str, tiny(copy))]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=False)
    assert done.returncode == 3 and "Traceback" not in done.stderr, done.stderr
    assert "other labels than the manifest's" in done.stderr and not (copy / "bundles" / "3L_trunc").exists()
    assert not list((copy / "bundles").rglob("manifest.json"))
