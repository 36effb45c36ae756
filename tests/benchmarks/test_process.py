import dataclasses
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmarks.config import BenchConfig
from benchmarks.layouts import BATCHES
from benchmarks.process import run_process
from distill.core.errors import UserError
from distill.core.leftovers import is_alive

ROOT = Path(__file__).resolve().parents[2]
CONFIG = BenchConfig(warmup=1, throughput_batch=4)


def test_a_fresh_process_measures_and_answers_in_json(onnx_subject, rows, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "benchmarks").mkdir()
    (tmp_path / "benchmarks" / "__init__.py").write_text("raise SystemExit('the working folder was searched')")
    result = run_process(onnx_subject, rows, CONFIG, threads=1)
    assert len(result["batches"]["1"]["total_ns"]) == len(rows)
    assert result["layouts"][BATCHES] > 0


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


STARTER = """
import sys
from pathlib import Path
from benchmarks.config import BenchConfig
from benchmarks.process import run_process
from benchmarks.subjects import Subject
sys.executable = sys.argv[1]
run_process(Subject("3L@card", "card", "pytorch", "fp32", Path("."), "student"), [], BenchConfig(), threads=1)
"""
WORKER = """#!/bin/sh
for last; do :; done
exec {python} -c "
import os, sys, time
from benchmarks.latency_worker import end_with
end_with(int(sys.argv[1]))
open({noted!r}, 'w').write(str(os.getpid()))
time.sleep(600)
" "$last"
"""


def test_a_worker_ends_with_the_process_that_started_it(tmp_path):
    interpreter, noted = tmp_path / "python", tmp_path / "worker"
    interpreter.write_text(WORKER.format(python=sys.executable, noted=str(noted)))
    interpreter.chmod(0o755)
    with subprocess.Popen([sys.executable, "-c", STARTER, interpreter], cwd=ROOT) as starter:
        wait_until(lambda: noted.exists() and noted.read_text())
        worker = int(noted.read_text())
        assert is_alive(worker)
        starter.kill()
    wait_until(lambda: not is_alive(worker))


def wait_until(holds):
    limit = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < limit
        time.sleep(0.02)


def test_every_pool_of_threads_has_the_same_size(subject, tmp_path, monkeypatch):
    interpreter = tmp_path / "python"
    interpreter.write_text('#!/bin/sh\necho "[$OMP_NUM_THREADS, $MKL_NUM_THREADS, $RAYON_NUM_THREADS]"\n')
    interpreter.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(interpreter))
    assert run_process(subject("3L@card"), [], CONFIG, threads=3) == [3, 3, 3]


@pytest.mark.parametrize(("spinning", "said"), [(True, ["", ""]), (False, ["PASSIVE", "0"])])
def test_threads_wait_as_was_asked_whatever_the_environment_says(subject, tmp_path, monkeypatch, spinning, said):
    interpreter = tmp_path / "python"
    interpreter.write_text('#!/bin/sh\necho "[\\"$OMP_WAIT_POLICY\\", \\"$GOMP_SPINCOUNT\\"]"\n')
    interpreter.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(interpreter))
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")
    monkeypatch.setenv("GOMP_SPINCOUNT", "7")
    config = CONFIG.model_copy(update={"spinning": spinning})
    assert run_process(subject("3L@card"), [], config, threads=3) == said


def test_a_subject_survives_the_trip_to_another_process(onnx_subject, subject):
    for one in (onnx_subject, subject("base@document", runtime="pytorch")):
        assert type(one).from_json(one.as_json()) == one
    assert dataclasses.replace(onnx_subject, export=None) != onnx_subject
