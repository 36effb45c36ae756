import dataclasses
import sys

import pytest

from benchmarks.config import BenchConfig
from benchmarks.process import run_process
from distill.core.errors import UserError

CONFIG = BenchConfig(warmup=1, throughput_batch=4)


def test_a_fresh_process_measures_and_answers_in_json(onnx_subject, rows, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "benchmarks").mkdir()
    (tmp_path / "benchmarks" / "__init__.py").write_text("raise SystemExit('the working folder was searched')")
    result = run_process(onnx_subject, rows, CONFIG, threads=1)
    assert len(result["batches"]["1"]["total_ns"]) == len(rows)
    assert result["throughput_per_s"] > 0


def test_a_missing_artifact_is_named(onnx_subject, rows):
    (onnx_subject.export / "model.onnx").unlink()
    with pytest.raises(UserError) as error:
        run_process(onnx_subject, rows, CONFIG, threads=1)
    assert "tiny@card.onnx" in str(error.value) and "exit code 2" in str(error.value)
    assert "Traceback" not in str(error.value)


def test_a_killed_process_is_an_error_with_the_signal(subject, rows, tmp_path, monkeypatch):
    interpreter = tmp_path / "python"
    interpreter.write_text("#!/bin/sh\necho 'out of memory' >&2\nkill -9 $$\n")
    interpreter.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(interpreter))
    with pytest.raises(UserError, match=r"killed by signal 9[\s\S]*out of memory"):
        run_process(subject("3L@card"), rows * 1000, CONFIG, threads=1)


def test_every_pool_of_threads_has_the_same_size(subject, tmp_path, monkeypatch):
    interpreter = tmp_path / "python"
    interpreter.write_text('#!/bin/sh\necho "[$OMP_NUM_THREADS, $MKL_NUM_THREADS, $RAYON_NUM_THREADS]"\n')
    interpreter.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(interpreter))
    assert run_process(subject("3L@card"), [], CONFIG, threads=3) == [3, 3, 3]


def test_a_subject_survives_the_trip_to_another_process(onnx_subject, subject):
    for one in (onnx_subject, subject("base@document", runtime="pytorch")):
        assert type(one).from_json(one.as_json()) == one
    assert dataclasses.replace(onnx_subject, export=None) != onnx_subject
