"""The benchmark of training against a peer: what each loop is given, what is kept, what is refused."""

import json
import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from benchmarks import training
from benchmarks.figures import fill
from benchmarks.result_kinds import kind_of
from benchmarks.training_inputs import Job, export
from benchmarks.training_loops import JOB_FILE, run_cell
from distill.core.errors import UserError
from distill.core.files import write_json
from tests.training.toy import CARD, LABELS, toy_classifier, toy_encoder, write_toy

SETTINGS = {"last_layer": "first_token", "dropout": 0}


@pytest.fixture(scope="module")
def job(tmp_path_factory):
    """A run with a fitted teacher of two layers, and 60 of its 70 rows."""
    run = tmp_path_factory.mktemp("run")
    write_toy(run / "records", train=40, pool=30)
    toy_encoder(run / "encoder")
    (run / "teachers").mkdir()
    toy_classifier(run / "encoder", run / "teachers" / "base")
    task = {"labels": list(LABELS)}
    write_json(run / "run.json", {"config": {"task": task, "views": {"card": CARD.as_json()}}, "stages": []})
    return Job(run, run / "teachers" / "base", layers=1, rows=60, epochs=2, threads=1, batch_size=8, settings=SETTINGS)


@pytest.fixture(scope="module")
def inputs(job, tmp_path_factory):
    folder = tmp_path_factory.mktemp("inputs")
    export(job, folder)
    write_json(folder / JOB_FILE, {**vars(job), "run": str(job.run), "teacher": str(job.teacher)})
    return folder


@pytest.fixture
def loop(monkeypatch):
    """The peer's loop over a stand-in of the peer, which notes the batches that it is given."""
    peer = ModuleType("textbrewer")

    class Distiller:
        seen = []

        def __init__(self, train, distill, teacher, student, *adaptors):
            self.student, self.teacher, self.adaptor, self.distill = student, teacher, adaptors[0], distill

        def __enter__(self):
            return self

        def __exit__(self, *error):
            pass

        def train(self, optimiser, batches, num_epochs, scheduler_class, scheduler_args, max_grad_norm):
            scheduler_class(optimiser, **scheduler_args)
            for _ in range(num_epochs):
                for batch in batches:
                    self.seen.append(batch)
                    assert self.adaptor(batch, self.student(**batch))["logits"].shape == (len(batch["input_ids"]), 3)

    peer.BasicDistiller, peer.TrainingConfig, peer.DistillationConfig = Distiller, SimpleNamespace, SimpleNamespace
    monkeypatch.setitem(sys.modules, "textbrewer", peer)
    monkeypatch.delitem(sys.modules, "benchmarks.peers.textbrewer_loop", raising=False)
    from benchmarks.peers import textbrewer_loop

    return SimpleNamespace(run=textbrewer_loop.distil, seen=Distiller.seen)


def test_the_peer_is_given_the_batches_that_ours_has(inputs, loop, monkeypatch):
    from distill.training.examples import Collator

    collate, ours = Collator.__call__, []

    def noting(self, examples):
        ours.append(collate(self, examples))
        return ours[-1]

    monkeypatch.setattr(Collator, "__call__", noting)
    run_cell("own", inputs)
    trained = [batch for batch in ours if not batch["has_gold"].any()]
    found = loop.run(inputs, json.loads((inputs / "job.json").read_text()), "online")
    assert found["steps"] == len(loop.seen) == len(trained) == 2 * 8
    for batch, own in zip(loop.seen, trained, strict=True):
        assert batch.keys() == {"input_ids", "attention_mask", "token_type_ids"}
        assert all(torch.equal(values, own[name]) for name, values in batch.items())


def test_the_peer_starts_from_the_student_that_ours_starts_from(inputs):
    teacher, student = (load_file(inputs / name / "model.safetensors") for name in ("teacher", "student"))
    assert set(teacher) - set(student) and all(torch.equal(teacher[name], student[name]) for name in student)


def test_a_teacher_in_each_step_teaches_what_stored_labels_do(inputs):
    seconds = {cell: run_cell(cell, inputs) for cell in ("own", "own_online")}
    assert seconds["own"]["seconds"] == seconds["own"]["label"] + seconds["own"]["train"]
    assert seconds["own_online"].keys() == {"train", "seconds", "steps"}
    one, other = (load_file(inputs / cell / "model.safetensors") for cell in seconds)
    apart = np.concatenate([(one[name] - other[name]).abs().numpy().ravel() for name in one])
    assert np.mean(apart < 2e-5) > 0.99
    start = load_file(inputs / "student" / "model.safetensors")
    assert max(float((one[name] - start[name]).abs().max()) for name in one) > 3e-4


def test_loops_take_turns_and_are_kept_until_what_they_are_made_from_changes(job, tmp_path, monkeypatch):
    cells = ["own", "own_online", "textbrewer_online", "textbrewer_cached"]
    seconds = {
        cell: iter(taken) for cell, taken in zip(cells, ([2, 4, 2], [4, 4, 8], [5, 6, 5], [3, 9, 4]), strict=True)
    }
    made = []

    def cell(name, inputs, peer, threads):
        made.append(name)
        if len(made) == 6:
            raise UserError("stopped")
        return {"seconds": float(next(seconds[name])), "part": len(made)}

    monkeypatch.setattr(training, "_cell", cell)
    with pytest.raises(UserError, match="stopped"):
        training.measure(job, tmp_path / "python", tmp_path, 3)
    found = training.measure(job, tmp_path / "python", tmp_path, 3)
    assert made == [*cells, "own", "own_online", *cells[1:], *cells]
    assert found["cells"]["own"] == {"seconds": 2.0, "part": 10, "rounds": [2.0, 4.0, 2.0]}
    assert found["ratios"] == {
        "total_vs_textbrewer_online": {"value": 2.5, "low": 1.5, "high": 2.5},
        "total_vs_textbrewer_cached": {"value": 2.0, "low": 1.5, "high": 2.25},
        "vs_own_online": {"value": 2.0, "low": 1.0, "high": 4.0},
    }
    training.measure(job, tmp_path / "python", tmp_path, 3)
    assert len(made) == 13
    seconds |= {cell: iter([1.0]) for cell in cells}
    training.measure(Job(**{**vars(job), "epochs": 1}), tmp_path / "python", tmp_path, 1)
    assert len(made) == 17


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (["--run", "gone"], "no run with a teacher here"),
        (["--teacher", "other"], "no run with a teacher here"),
        (["--view", "cart"], "no such view"),
        (["--layers", "5"], "5 of 2"),
        (["--peer-python", "gone/python"], "cannot run the peer"),
        (["--rounds", "0"], "give 1 or more"),
    ],
)
def test_mistakes_are_named(job, tmp_path, monkeypatch, capsys, change, message):
    monkeypatch.setattr(training, "CELLS", ())
    options = ["--run", str(job.run), "--peer-python", sys.executable, "--layers", "1", "--rows", "20"]
    options += ["--work", str(tmp_path / "work"), "--results", str(tmp_path)]
    assert training.main([*options, *change]) == 2
    assert message in capsys.readouterr().err and not (tmp_path / "training_speed.json").exists()


def test_an_interpreter_without_the_peer_is_named(job, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(training, "CELLS", ())
    options = ["--run", str(job.run), "--peer-python", sys.executable, "--layers", "1", "--rows", "20"]
    assert training.main([*options, "--work", str(tmp_path / "work"), "--results", str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert "No module named 'textbrewer'" in said and "requirements/textbrewer.txt" in said


def test_without_a_run_there_is_nothing_to_measure(capsys):
    assert training.main([]) == 2 and "--peer-python" in capsys.readouterr().err


def test_the_result_becomes_a_page_and_its_ratios_sentences(job, tmp_path, monkeypatch, capsys):
    seconds = {"own": 2.0, "own_online": 4.0, "textbrewer_online": 5.0, "textbrewer_cached": 3.0}
    labelling = {"own": {"label": 0.5}}
    monkeypatch.setattr(training, "_cell", lambda name, *_: {"seconds": seconds[name], **labelling.get(name, {})})
    options = ["--run", str(job.run), "--peer-python", "python", "--layers", "1", "--rows", "20", "--set", "dropout=0"]
    assert training.main([*options, "--work", str(tmp_path / "work"), "--results", str(tmp_path)]) == 0
    stored = json.loads((tmp_path / "training_speed.json").read_text())
    assert json.loads(capsys.readouterr().out) == stored and stored["settings"] == {"dropout": 0}
    kind = kind_of(stored)
    assert "| TextBrewer, cached logits | 3.0 | – | 1.50× (1.50–1.50) |" in kind.full(stored)
    assert "| labels stored, then training | 2.0 | 0.5 | – |" in kind.readme(stored)
    assert "a student of 1 of 2 layers" in kind.full(stored)
    assert fill("{times: vs_own_online}", stored, kind.figures, "here") == "2.00×"
    named = [*options, "--work", str(tmp_path / "work"), "--results", str(tmp_path), "--name", "other"]
    assert training.main(named) == 0
    other = json.loads((tmp_path / "other.json").read_text())
    assert other["command"].endswith("--name other") and other["ratios"] == stored["ratios"]
