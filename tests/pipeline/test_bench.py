"""Which models the latency step times, and which it leaves out with a reason."""

from __future__ import annotations

import json

import pytest

from benchmarks import bench
from benchmarks.layouts import BATCHES
from distill.core.files import write_json
from distill.core.record_store import write_records
from distill.core.records import Record
from distill.pipeline.estimate import _Short
from distill.pipeline.experiment import Experiment
from distill.pipeline.ladders import Rung
from distill.pipeline.settings import resolve_settings
from distill.pipeline.steps.bench import bench_step
from distill.pipeline.steps.export import export_step
from tests.pipeline.seeds_project import write_project

WORDS = ["teachers.words={preset: words, weight: 0}", "students.first={preset: words}"]


@pytest.fixture
def experiment(tmp_path):
    """`experiment(*sets)`: a run of the project with settings over it, and one test record."""
    project = write_project(tmp_path)

    def of(*sets, kind=Experiment):
        found = kind(resolve_settings(project, tmp_path / "run", sets=sets))
        write_records(found.run / "records" / "test.unseen.parquet", [Record("э", {"page.title": "дрель"})])
        return found

    return of


@pytest.fixture
def timed(monkeypatch, tmp_path):
    """`timed(experiment)`: the subjects that its latency step measures and what it writes, without a process."""
    subjects = []

    def process(subject, rows, config, threads, more):
        subjects.append(subject)
        sample = {"total_ns": [2] * len(rows), "tokenise_ns": [1] * len(rows)}
        return {"batches": {"1": sample}, "tokens": [1], "layouts": {BATCHES: 1.0}}

    def of(experiment):
        for spec in experiment.models.values():
            write_json(experiment.run / spec.artifact / "config.json", {"distill": {"family": spec.family}})
        step, folder = bench_step(experiment), tmp_path / "latency"
        folder.mkdir()
        step.body(folder)
        assert {subject.export or subject.model_folder for subject in subjects} == {
            experiment.run / read.artifact for read in step.reads if read.artifact != "records"
        }
        assert step.work({}).launches == len(subjects)
        return {subject.name: subject.runtime for subject in subjects}, json.loads(
            (folder / "latency.json").read_text()
        )

    monkeypatch.setattr(bench, "run_process", process)
    return of


ENCODERS = {"new@document": "pytorch", "new@card": "pytorch"}
FILES = dict.fromkeys(("new@document.onnx", "small@card.onnx"), "onnxruntime")


def test_students_are_timed_in_pytorch_where_that_is_asked(experiment, timed):
    found, _ = timed(experiment("bench.trained_students=true"))
    assert found == {**ENCODERS, **FILES, "small@card": "pytorch"}


def test_teachers_are_timed_as_they_are_and_students_as_files(experiment, timed):
    found, written = timed(experiment())
    assert found == ENCODERS | FILES and {row["model"] for row in written["rows"]} == set(found)
    assert "left_out" not in written["settings"]


def test_words_are_timed_whatever_they_are_for_but_not_their_twins(experiment, timed):
    found, _ = timed(experiment(*WORDS))
    assert found == {**ENCODERS, **FILES, "words@document": "scikit-learn", "first@card": "scikit-learn"}


def test_an_ensemble_is_timed(experiment, timed):
    both = "teachers.both={preset: ensemble, members: {new: 1, old: 1}, weight: 0}"
    found, _ = timed(experiment(both))
    assert found == {**ENCODERS, **FILES, "both@document": "ensemble"}


def test_labels_made_elsewhere_are_left_out_with_the_reason(experiment, timed, tmp_path):
    (tmp_path / "logits.jsonl").touch()
    found, written = timed(experiment(f"teachers.bought={{preset: base, labels: {tmp_path / 'logits.jsonl'}}}"))
    assert "bought@document" not in found
    assert written["settings"]["left_out"] == {
        "bought@document": "its labels were made elsewhere, there is no model to time"
    }


def test_a_student_without_files_in_front_leaves_the_others_their_estimate(experiment):
    """Exports take the time of the first exported student, which is performed even where it is not the first."""
    words_first = ["students={first: {preset: words}, small: {preset: 3L, layers: 1}, more: {preset: 3L, layers: 1}}"]
    real, short = experiment(*words_first), experiment(*words_first, kind=_Short)
    made = {(spec.name, target) for spec, target in short.exports()}
    assert ("small", "onnx") in made and ("more", "onnx") not in made
    assert export_step(real, real.models["more"], Rung("onnx")).work({}).like == "export small.onnx"
    assert {spec.name for spec in short.timed} >= {"first", "small"}
