"""`distill pretrain` as a user types it."""

import json
import os
import subprocess
import sys

import pytest

from tests.tiny_run import distill

ONE_THREAD = {"OMP_NUM_THREADS": "1"}
SMALL = [
    "--set=pretrain.fresh={layers: 2, width: 16, heads: 2, matching_heads: 1, vocabulary: 300}",
    "--set=pretrain.held_out=20",
    "--set=pretrain.evaluate_steps=5",
    "--set=pretrain.training={max_steps: 10, batch_size: 8, learning_rate: 1e-3, save_steps: 5, precision: fp32}",
    "--set=threads=1",
]


@pytest.fixture(scope="module")
def made(project, tmp_path_factory):
    """An encoder pre-trained on the project's records."""
    run = tmp_path_factory.mktemp("runs") / "words"
    done = distill("pretrain", f"--config={project / 'project.yaml'}", f"--out={run}", *SMALL, "--json")
    assert done.returncode == 0, done.stderr
    return run, done


def test_it_leaves_an_encoder_with_a_card_and_says_how_to_use_it(made):
    run, done = made
    files = {path.name for path in (run / "pretrained").iterdir()}
    assert {"model.safetensors", "heads.safetensors", "tokenizer.json", "README.md", "manifest.json"} <= files
    curve = json.loads(done.stdout.splitlines()[-1])
    assert curve["steps"] == 10 and [point["step"] for point in curve["curve"]] == [5, 10]
    said = " ".join(done.stderr.split())
    assert "pair matching" in said and f"--checkpoint {run / 'pretrained'}" in said
    state = json.loads((run / "run.json").read_text())
    assert [stage["name"] for stage in state["stages"]] == ["records", "collect pairs", "start encoder", "pretrain"]


def test_a_second_start_does_nothing_and_another_setting_redoes_what_it_touches(made, project):
    run, _ = made
    again = [f"--config={project / 'project.yaml'}", f"--out={run}", *SMALL]
    before = (run / "pretrained" / "manifest.json").read_text()
    assert distill("pretrain", *again).returncode == 0
    assert (run / "pretrained" / "manifest.json").read_text() == before
    pairs = (run / "pretraining" / "pairs" / "manifest.json").read_text()
    assert distill("pretrain", *again, "--set=pretrain.masked=0.3").returncode == 0
    assert (run / "pretrained" / "manifest.json").read_text() != before
    assert (run / "pretraining" / "pairs" / "manifest.json").read_text() == pairs


def test_it_goes_on_from_a_checkpoint(made, project, tmp_path):
    run, _ = made
    arguments = [f"--config={project / 'project.yaml'}", f"--out={tmp_path / 'on'}", *SMALL]
    done = distill("pretrain", *arguments, f"--checkpoint={run / 'pretrained'}", "--json")
    assert done.returncode == 0, done.stderr
    first, on = (
        json.loads((folder / "pretrained" / "training_history.json").read_text())["curve"]
        for folder in (run, tmp_path / "on")
    )
    assert on[0]["mlm_loss"] < first[0]["mlm_loss"]


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("pretrain.maskd=0.2", "pretrain.maskd: unknown, did you mean 'masked'"),
        ("pretrain.masked=2", "pretrain.masked"),
        ("pretrain.words=0.3", "pretrain.words: unknown"),
        ("pretrain.larger={encoder: base}", "pretrain.larger: unknown"),
        ("pretrain.view=cart", "did you mean 'card'"),
        ("pretrain.texts={a: {files: gone.jsonl, left: [t]}}", "pretrain.texts.a.files"),
        ("pretrain.checkpoint=./gone", "does not exist"),
        ("pretrain.held_out=100000", "too few texts"),
    ],
)
def test_mistakes_end_with_2_and_are_named(project, tmp_path, setting, message):
    arguments = [f"--config={project / 'project.yaml'}", f"--out={tmp_path}", *SMALL, f"--set={setting}"]
    done = distill("pretrain", *arguments)
    assert done.returncode == 2 and message in done.stderr and "Traceback" not in done.stderr


@pytest.mark.slow
def test_two_processes_of_torchrun_make_one_encoder(project, tmp_path):
    # The name of the machine may not lead back to it, so the processes meet on the loopback interface.
    local = ["--standalone", "--local-addr=127.0.0.1", "--nproc-per-node=2"]
    command = [sys.executable, "-m", "torch.distributed.run", *local, "-m", "distill"]
    environment = {**os.environ, **ONE_THREAD, "GLOO_SOCKET_IFNAME": "lo"}
    arguments = ["pretrain", f"--config={project / 'project.yaml'}", f"--out={tmp_path / 'run'}", *SMALL]
    for _ in range(2):
        done = subprocess.run([*command, *arguments], capture_output=True, text=True, env=environment, timeout=300)
        assert done.returncode == 0, done.stderr
        assert done.stdout.count("10 steps on") == 1
    curve = json.loads((tmp_path / "run" / "pretrained" / "training_history.json").read_text())
    assert curve["steps"] == 10 and not list((tmp_path / "run").glob("*.partial"))
