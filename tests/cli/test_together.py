"""Runs by two processes of torchrun."""

import os
import subprocess
import sys

import numpy as np
import pytest
from safetensors.numpy import load_file

from distill.core.soft_labels import read_soft_labels
from tests.tiny_run import distill

SMALL = [
    "--student=3L_trunc",
    "--set=teachers.base.checkpoint=null",
    "--set=teachers.base.fresh={layers: 3, width: 32, heads: 2, vocabulary: 600}",
    "--set=teachers.base.training={epochs: 2, learning_rate: 2e-3, batch_size: 8, dropout: 0, precision: fp32,"
    " may_collapse: true}",
    "--set=teachers.base.labelling={shard_rows: 64, precision: fp32}",
    "--set=students.3L_trunc.training={ceiling_steps: 40, warmup: 4, learning_rate: 1e-3, batch_size: 8, dropout: 0,"
    " precision: fp32, may_collapse: true}",
    "--set=controls={card_teacher: false, gold_twins: false}",
    "--set=quality.replicates=100",
    "--set=gates={teacher_over_priors: null}",
    "--set=threads=1",
]
WORDS = ["--set=teachers.words={preset: words, weight: 0}"]


def torchrun(*arguments):
    """`torchrun --nproc-per-node 2 -m distill …`."""
    # The name of the machine may not lead back to it, so the processes meet on the loopback interface.
    local = ["--standalone", "--local-addr=127.0.0.1", "--nproc-per-node=2"]
    command = [sys.executable, "-m", "torch.distributed.run", *local, "-m", "distill", *map(str, arguments)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo", "HF_HUB_OFFLINE": "1"}
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300)


@pytest.fixture(scope="module")
def runs(project, tmp_path_factory):
    """The same run by one process and by two; and what the two printed."""
    folder, found = tmp_path_factory.mktemp("together"), {}
    for name, command in (("one", distill), ("two", torchrun)):
        done = command("train", f"--config={project / 'project.yaml'}", f"--out={folder / name}", *SMALL)
        assert done.returncode == 0, done.stdout + done.stderr
        found[name] = done.stdout
    return folder, found


def test_two_processes_make_the_models_that_one_makes(runs):
    """Batches are the same rows, so weights differ by the noise of another order of sums."""
    folder, _ = runs
    for model in ("teachers/base", "students/3L_trunc"):
        one, two = (load_file(folder / name / model / "model.safetensors") for name in ("one", "two"))
        apart = np.concatenate([np.abs(one[key] - two[key]).ravel() for key in one])
        assert np.mean(apart < 1e-4) > 0.99, (model, np.quantile(apart, [0.5, 0.99, 1]))


def test_labels_of_two_processes_are_those_of_one(runs):
    folder, _ = runs
    one, two = (read_soft_labels(folder / name / "labels" / "base") for name in ("one", "two"))
    assert one.ids == two.ids and one.status == two.status
    np.testing.assert_allclose(one.logits, two.logits, atol=0.05)


def test_only_the_first_process_prints_and_writes(runs):
    folder, printed = runs
    assert printed["two"].count("converged") == printed["one"].count("converged")
    assert not list((folder / "two").rglob("*.partial"))
    names = [{path.relative_to(folder / name) for path in (folder / name).rglob("*.json")} for name in ("one", "two")]
    assert {path for path in names[0] if ".cache" not in path.parts} == {
        path for path in names[1] if ".cache" not in path.parts
    }


def test_a_family_that_one_process_trains_is_named(project, tmp_path):
    done = torchrun("teach", f"--config={project / 'project.yaml'}", f"--out={tmp_path / 'run'}", *SMALL, *WORDS)
    assert done.returncode != 0 and "exitcode  : 2" in done.stderr
    assert "teach words@document, and 2 processes" in done.stderr


def test_a_batch_that_does_not_divide_is_named(project, tmp_path):
    odd = "--set=teachers.base.training.batch_size=7"
    done = torchrun("teach", f"--config={project / 'project.yaml'}", f"--out={tmp_path / 'run'}", *SMALL, odd)
    assert "exitcode  : 2" in done.stderr and "training.batch_size" in done.stderr
    assert "7 rows, 2 processes" in done.stderr


