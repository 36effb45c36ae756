"""Words next to the models of a run."""

import json

import numpy as np
import pytest

from benchmarks.tfidf import MAJORITY, NAME, add_words, main
from distill.core.errors import UserError
from distill.core.files import write_json
from distill.core.manifest import write_manifest
from distill.core.predictions import Predictions, read_predictions, write_predictions
from distill.core.record_store import write_records
from distill.core.records import Record
from distill.evaluation.compare import compare

LABELS = ["мимо", "рядом", "точно"]
WORDS = ("ремонт", "аналог", "купить")


def records(prefix, count):
    """The word of the body names the class, except in every tenth row."""
    made = []
    for number in range(count):
        label = number % 3 if number % 10 else (number + 1) % 3
        target = np.eye(3, dtype=np.float32)[label]
        fields = {"title": f"дрель {number % 7}", "body": f"{WORDS[number % 3]} сегодня"}
        made.append(Record(f"{prefix}{number}", fields, target, "стройка", {"id": str(number % 40)}))
    return made


@pytest.fixture
def run(tmp_path):
    (tmp_path / "records").mkdir()
    for split, count in (("train", 120), ("valid", 60), ("test.a", 160)):
        write_records(tmp_path / "records" / f"{split}.parquet", records(split, count))
    view = {"left": ["title"], "right": ["body"]}
    config = {"task": {"labels": LABELS}, "views": {"document": view}, "quality": {"replicates": 200}, "seed": 1}
    write_json(tmp_path / "run.json", {"config": config, "stages": []})
    folder = tmp_path / "predictions" / "base@document"
    folder.mkdir(parents=True)
    rows = records("test.a", 160)
    write_predictions(folder / "test.a.parquet", Predictions.of(rows, np.zeros((160, 3), np.float32)))
    write_predictions(folder / "valid.parquet", Predictions.of(records("valid", 60), np.zeros((60, 3), np.float32)))
    write_manifest(folder, {"step": "predict"})
    return tmp_path


def test_words_and_the_largest_class_join_the_runs_models(run):
    add_words(run)
    answers = read_predictions(run / "predictions" / NAME / "test.a.parquet")
    right = (answers.logits.argmax(1) == answers.target.argmax(1)).mean()
    assert right == pytest.approx(0.9, abs=0.02)
    largest = read_predictions(run / "predictions" / MAJORITY / "test.a.parquet")
    assert len(set(largest.logits.argmax(1))) == 1
    (accuracy,) = (row for row in compare(run, NAME, MAJORITY) if row["metric"] == "accuracy")
    assert accuracy["low"] > 0.4


def test_the_command_ends_with_one_json_line(run, capsys):
    assert main([str(run)]) == 0
    found = json.loads(capsys.readouterr().out.splitlines()[-1])["comparisons"]
    assert [(row["a"], row["b"]) for row in found] == [
        (NAME, MAJORITY),
        ("base@document", MAJORITY),
        ("base@document", NAME),
    ]
    assert found[2]["high"] < 0


def test_a_second_start_writes_the_same(run):
    add_words(run)
    before = (run / "predictions" / NAME / "test.a.parquet").read_bytes()
    add_words(run)
    assert (run / "predictions" / NAME / "test.a.parquet").read_bytes() == before


def test_mistakes(run, tmp_path, capsys):
    with pytest.raises(UserError, match="no run here"):
        add_words(tmp_path / "gone")
    assert main([str(run), "--teacher", "bass@document"]) == 2
    assert "did you mean 'base@document'" in capsys.readouterr().err
