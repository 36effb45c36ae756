"""Runs by two processes of torchrun."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from safetensors.numpy import load_file

from distill.core.errors import UserError
from distill.core.model_folder import HISTORY_FILE
from distill.core.progress import Reporter
from distill.core.soft_labels import read_soft_labels
from distill.core.steps import Step, Steps
from distill.families.family import family
from distill.pipeline.seeds import execute_run
from distill.pipeline.settings import resolve_settings
from distill.pipeline.together import naming_lost_processes, require_together
from distill.training.base_trainer import rows_of_a_process
from distill.training.config import TrainingConfig

FIXED = "epochs: 2, learning_rate: 2e-3, batch_size: 8, dropout: 0, precision: fp32, may_collapse: true"
UNTIL = "ceiling_steps: 24, evaluate_steps: 12, warmup: 4, learning_rate: 1e-3, batch_size: 8, dropout: 0"
SETS = [
    "teachers.base.checkpoint=null",
    "teachers.base.fresh={layers: 3, width: 16, heads: 2, vocabulary: 200}",
    f"teachers.base.training={{{FIXED}}}",
    "teachers.base.labelling={shard_rows: 64, precision: fp32}",
    f"students.3L_trunc.training={{{UNTIL}, precision: fp32, may_collapse: true}}",
    "controls={card_teacher: false, gold_twins: false}",
    "quality.replicates=100",
    "gates={teacher_over_priors: null}",
    "threads=1",
]


def command(*arguments):
    """`torchrun --nproc-per-node 2 -m distill …`."""
    # The name of the machine may not lead back to it, so the processes meet on the loopback interface.
    local = ["--standalone", "--local-addr=127.0.0.1", "--nproc-per-node=2"]
    return [sys.executable, "-m", "torch.distributed.run", *local, "-m", "distill", *map(str, arguments)]


def environment():
    """The variables that the command runs under."""
    return {**os.environ, "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo", "HF_HUB_OFFLINE": "1"}


def torchrun(*arguments):
    """The command, run to its end."""
    return subprocess.run(command(*arguments), capture_output=True, text=True, env=environment(), timeout=300)


@pytest.fixture(scope="module")
def runs(project, tmp_path_factory):
    """The folder of the same run by one process, `one`, and by two, `two`; and what the two printed."""
    folder = tmp_path_factory.mktemp("together")
    file = project / "project.yaml"
    execute_run(resolve_settings(file, folder / "one", students=["3L_trunc"], sets=SETS), Reporter(), "train")
    options = ["--student=3L_trunc", *(f"--set={one}" for one in SETS)]
    done = torchrun("train", f"--config={file}", f"--out={folder / 'two'}", *options)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder, done.stdout


def test_two_processes_make_the_models_that_one_makes(runs):
    """Batches are the same rows, so weights differ by the noise of sums in another order, which Adam makes larger."""
    folder, _ = runs
    for model in ("teachers/base", "students/3L_trunc"):
        one, two = (load_file(folder / name / model / "model.safetensors") for name in ("one", "two"))
        apart = np.concatenate([np.abs(one[key] - two[key]).ravel() for key in one])
        assert np.mean(apart < 1e-3) > 0.99, (model, np.quantile(apart, [0.5, 0.99, 1]))
        first, other = (json.loads((folder / name / model / HISTORY_FILE).read_text()) for name in ("one", "two"))
        assert [point["step"] for point in first["history"]] == [point["step"] for point in other["history"]]
        for mine, theirs in zip(first["history"], other["history"], strict=True):
            assert mine["log_loss"] == pytest.approx(theirs["log_loss"], abs=1e-3)


def test_labels_of_two_processes_are_those_of_one(runs):
    folder, _ = runs
    one, two = (read_soft_labels(folder / name / "labels" / "base") for name in ("one", "two"))
    assert one.ids == two.ids and one.status == two.status
    np.testing.assert_allclose(one.logits, two.logits, atol=0.05)


def test_only_the_first_process_prints_and_writes(runs):
    folder, printed = runs
    assert printed.count("✓ teach base") == printed.count("✓ label base") == printed.count("✓ train 3L_trunc") == 1
    assert not list((folder / "two").rglob("*.partial"))
    one, two = (
        {path.relative_to(run) for path in run.glob("[a-z]*/**/*.*")} for run in (folder / "one", folder / "two")
    )
    assert {path for path in one if path.parts[0] != "logs"} == {path for path in two if path.parts[0] != "logs"}
    assert len(list((folder / "two" / "logs").rglob("events*"))) == len(
        list((folder / "one" / "logs").rglob("events*"))
    )


def _step(name, **kind):
    return Step(name=name, artifact=name, body=lambda folder: None, **kind)


def test_families_that_one_process_trains_are_named_where_there_is_nothing_to_share(tmp_path, monkeypatch):
    steps, runner = [_step("records"), _step("teach words@document", alone=True)], Steps(tmp_path, {}, {})
    require_together(steps, runner)
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("LOCAL_RANK", "0")
    with pytest.raises(UserError, match="teach words@document, and 2 processes") as told:
        require_together(steps, runner)
    assert told.value.exit_code == 2
    shared = _step("label words", together=True)
    require_together([*steps, shared], runner)
    runner.run(shared)
    with pytest.raises(UserError, match="teach words@document"):
        require_together([*steps, shared], runner)
    runner.run(steps[1])
    require_together([*steps, shared], runner)


@pytest.mark.parametrize(("learner", "alone"), [("tfidf", True), ("encoder", False), ("finished", False)])
def test_which_families_share_a_fit(learner, alone):
    own = family(learner)
    assert (own.learns and not own.together) == alone


def test_a_batch_that_does_not_divide_is_named(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("LOCAL_RANK", "0")
    assert rows_of_a_process(TrainingConfig(batch_size=8)) == 4
    with pytest.raises(UserError, match=r"batch_size[\s\S]*7 rows, 2 processes"):
        rows_of_a_process(TrainingConfig(batch_size=7))


GLOO = "[../third_party/gloo/gloo/transport/tcp/pair.cc:534] Connection closed by peer [127.0.0.1]:41123"


def test_a_connection_that_breaks_says_that_another_process_has_ended(monkeypatch):
    with pytest.raises(RuntimeError, match="pair.cc"), naming_lost_processes():
        raise RuntimeError(GLOO)
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("LOCAL_RANK", "0")
    with pytest.raises(UserError, match=r"another process of torchrun has ended[\s\S]*from the last checkpoint"):
        with naming_lost_processes():
            raise RuntimeError(GLOO)
    with pytest.raises(RuntimeError, match="shapes differ"), naming_lost_processes():
        raise RuntimeError("shapes differ")


NCCL = "NCCL error in: NCCLUtils.cpp:77, {} (run with NCCL_DEBUG=WARN for details)\n{}\nLast error:\n{}"
TWICE = "Duplicate GPU detected : rank 0 and rank 1 both on CUDA device 1000"
INVALID = "ncclInvalidUsage: This usually reflects invalid usage of NCCL library."
SYSTEM = "ncclSystemError: System call (e.g. socket, malloc) or external library call failed or device error."
REMOTE = "ncclRemoteError: A call failed possibly due to a network error or a remote process exiting prematurely."


@pytest.mark.parametrize(
    ("kind", "about", "last", "said"),
    [
        ("invalid usage", INVALID, TWICE, "than there are cards"),
        ("remote process exited or there was a network error", REMOTE, "socketProgress", "has ended"),
        ("unhandled system error", SYSTEM, "Connection closed by remote peer node-2<41123>", "has ended"),
        ("unhandled system error", SYSTEM, "posix_fallocate failed: No space left on device", None),
        ("unhandled cuda error", "ncclUnhandledCudaError: Call to CUDA function failed.", "out of memory", None),
    ],
)
def test_of_the_errors_of_nccl_those_that_speak_of_other_processes_are_named(monkeypatch, kind, about, last, said):
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("LOCAL_RANK", "0")
    with pytest.raises(UserError if said else RuntimeError, match=said or "No space|out of memory") as caught:
        with naming_lost_processes():
            raise RuntimeError(NCCL.format(kind, about, last))
    if said:
        assert caught.value.found.startswith("NCCL error in") and caught.value.found.endswith(last)
