import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from distill.core.config import parse
from distill.core.errors import GateFailed, UserError
from distill.core.files import write_json
from distill.core.progress import reporting
from distill.core.project import ViewConfig
from distill.models.fresh import Shape, make_encoder
from teachers.pretraining.config import PretrainConfig
from teachers.pretraining.pairs import Pair, texts_of, write_pairs
from teachers.pretraining.pretrain import Inputs, pretrain
from tests.teachers.pretraining.shop import shop_config, shop_encoder, shop_pairs, write_shop
from tests.training.toy import Watch

ROOT = Path(__file__).resolve().parents[3]
KILLED = """
from pathlib import Path
from distill.core.progress import reporting
from teachers.pretraining.pretrain import Inputs, pretrain
from tests.teachers.pretraining.shop import shop_config
from tests.training.toy import Watch
with reporting(Watch(9, how="kill")):
    pretrain(shop_config(), Inputs(Path({store!r}), Path({start!r})), 1, 1, Path({folder!r}))
"""


def run(store, start, folder, **values):
    folder.mkdir(exist_ok=True)
    pretrain(shop_config(**values), Inputs(store, start), 1, 1, folder)
    return json.loads((folder / "training_history.json").read_text())


def weights(folder):
    return {**load_file(folder / "model.safetensors"), **load_file(folder / "heads.safetensors")}


@pytest.fixture(scope="module")
def finished(store, start, tmp_path_factory):
    folder = tmp_path_factory.mktemp("finished")
    return folder, run(store, start, folder)


def test_a_run_leaves_a_model_folder_and_a_curve(finished):
    folder, curve = finished
    assert {"model.safetensors", "heads.safetensors", "config.json", "tokenizer.json"} <= {
        p.name for p in folder.iterdir()
    }
    assert not (folder / "checkpoints").exists()
    assert (curve["rows"], curve["held_out"], curve["steps"]) == (112, 16, 12)
    assert [point["step"] for point in curve["curve"]] == [6, 12]
    assert set(curve["curve"][0]) == {
        "step",
        "mlm_loss",
        "mlm_accuracy",
        "pair_matching_loss",
        "pair_matching_accuracy",
        "token_overlap_loss",
    }


def test_it_learns_masked_words_and_token_overlap(tmp_path):
    store, start = write_shop(tmp_path / "pairs", rows=400), tmp_path / "start"
    start.mkdir()
    make_encoder(texts_of(shop_pairs()), start, Shape(layers=2, width=64, heads=2, vocabulary=150, matching_heads=2), 1)
    training = {"max_steps": 300, "batch_size": 16, "save_steps": 1000}
    first, *_, last = run(
        store, start, tmp_path / "long", held_out=100, masked=0.2, evaluate_steps=20, training=training
    )["curve"]
    assert last["mlm_loss"] < 0.5 * first["mlm_loss"]
    assert last["token_overlap_loss"] < 0.8 * first["token_overlap_loss"]


def test_it_learns_which_sides_are_a_pair(tmp_path):
    store, start = tmp_path / "pairs", tmp_path / "start"
    pairs = [Pair("shop", "", (name,), (name,)) for name in "abcdefgh"] * 60
    store.mkdir()
    write_pairs(store, pairs, {"shop": ViewConfig(left=["title"], right=["page"], max_tokens=12)})
    write_json(store / "sources.json", {"shop": {"rows": len(pairs), "terms": "ours"}})
    start.mkdir()
    make_encoder(texts_of(pairs), start, Shape(layers=2, width=64, heads=2, vocabulary=150, matching_heads=2), 1)
    training = {"max_steps": 400, "batch_size": 16, "learning_rate": 2e-3, "save_steps": 1000, "dropout": 0}
    curve = run(store, start, tmp_path / "long", held_out=60, masked=0.05, evaluate_steps=200, training=training)
    assert curve["curve"][-1]["pair_matching_accuracy"] > 0.9  # always saying the commoner answer is right for 0.68


def test_a_killed_run_ends_as_an_undisturbed_one(store, start, finished, tmp_path):
    folder = tmp_path / "killed"
    folder.mkdir()
    script = KILLED.format(store=str(store), start=str(start), folder=str(folder))
    killed = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True)
    assert killed.returncode == -9, killed.stderr
    watch = Watch()
    with reporting(watch):
        curve = run(store, start, folder)
    assert watch.resumed_from == 8 and curve == finished[1]
    ours, theirs = weights(folder), weights(finished[0])
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_a_run_from_a_checkpoint_goes_on_with_its_heads(store, start, finished, tmp_path):
    again = run(store, finished[0], tmp_path / "again")["curve"]
    assert again[0]["mlm_loss"] < finished[1]["curve"][0]["mlm_loss"]


def test_an_embedding_teacher_adds_its_terms(store, start, tmp_path):
    teacher = {"encoder": str(shop_encoder(tmp_path / "teacher")), "max_tokens": 8}
    curve = run(store, start, tmp_path / "run", embedding_teacher=teacher)["curve"]
    assert {"hidden_loss", "relation_loss"} <= set(curve[-1])
    assert curve[-1]["hidden_loss"] < curve[0]["hidden_loss"]


# The name of the machine may not lead back to it, so the processes meet on the loopback interface.
LOCAL = ("--standalone", "--local-addr", "127.0.0.1")


def test_two_processes_train_one_model(store, start, tmp_path):
    script = (
        "from pathlib import Path\n"
        "import torch.distributed\n"
        "from teachers.pretraining.pretrain import Inputs, pretrain\n"
        "from tests.teachers.pretraining.shop import shop_config\n"
        f"pretrain(shop_config(), Inputs(Path({str(store)!r}), Path({str(start)!r})), 1, 1, Path({str(tmp_path)!r}))\n"
        "torch.distributed.destroy_process_group()\n"  # as the command does when all its steps are made
    )
    (tmp_path / "run.py").write_text(script)
    command = [sys.executable, "-m", "torch.distributed.run", *LOCAL, "--nproc-per-node", "2", tmp_path / "run.py"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=_env())
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "training_history.json").read_text())["steps"] == 12


def test_a_tokenizer_without_a_mask_is_refused(store, start, tmp_path):
    text = (start / "tokenizer.json").read_text().replace("[MASK]", "[GONE]")
    (tmp_path / "start").mkdir()
    for path in start.iterdir():
        (tmp_path / "start" / path.name).write_bytes(path.read_bytes())
    (tmp_path / "start" / "tokenizer.json").write_text(text)
    with pytest.raises(UserError, match="no mask token"):
        run(store, tmp_path / "start", tmp_path / "run")


def test_a_diverged_run_is_a_failed_gate(store, start, tmp_path):
    broken = tmp_path / "start"
    broken.mkdir()
    for path in start.iterdir():
        (broken / path.name).write_bytes(path.read_bytes())
    from safetensors.torch import save_file

    tensors = load_file(broken / "model.safetensors")
    tensors["embeddings.LayerNorm.weight"][:] = float("nan")
    save_file(tensors, broken / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(GateFailed, match="diverged"):
        run(store, broken, tmp_path / "run")


def test_stores_of_equal_rows_are_split_alike(store, start, finished, tmp_path):
    assert run(write_shop(tmp_path / "pairs"), start, tmp_path / "run") == finished[1]


def _env():
    import os

    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    # Two processes cannot share one graphics card, so they train on processors.
    apart = {"CUDA_VISIBLE_DEVICES": "", "GLOO_SOCKET_IFNAME": "lo"}
    return {**os.environ, **apart, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}


# Each of these gives other weights after two steps.
OPTIONS = {
    "masked": {"masked": 0.5},
    "swapped": {"swapped": 0.1},
    "mlm": {"mlm": 3.0},
    "pair_matching": {"pair_matching": 0.0},
    "token_overlap": {"token_overlap": 0.0},
    "held_out": {"held_out": 40},
    "optimiser": {"training": {"max_steps": 2, "optimiser": "adamw"}},
}
TWO_STEPS = {"training": {"max_steps": 2, "warmup": 1}}


@pytest.fixture(scope="module")
def two_steps(store, start, tmp_path_factory):
    folder = tmp_path_factory.mktemp("two")
    run(store, start, folder, **TWO_STEPS)
    return weights(folder)


@pytest.mark.parametrize("name", OPTIONS)
def test_an_option_changes_the_weights(store, start, two_steps, tmp_path, name):
    run(store, start, tmp_path / "run", **{**TWO_STEPS, **OPTIONS[name]})
    other = weights(tmp_path / "run")
    assert other.keys() == two_steps.keys() and any(not torch.equal(other[key], two_steps[key]) for key in other)


def test_half_decides_the_bytes_of_the_weights(store, start, tmp_path):
    for half in (True, False):
        run(store, start, tmp_path / str(half), half=half, **TWO_STEPS)
    kinds = [load_file(tmp_path / str(half) / "model.safetensors").values() for half in (True, False)]
    assert {tensor.dtype for tensor in kinds[0]} == {torch.float16} and {t.dtype for t in kinds[1]} == {torch.float32}


@pytest.mark.parametrize("name", ["hidden", "relation"])
def test_a_weight_of_the_embedding_teachers_terms_changes_the_weights(store, start, tmp_path, name):
    for value in (0.5, 5.0):
        given = {"encoder": str(start), "hidden": 1.0, "relation": 1.0, "max_tokens": 8, name: value}
        run(store, start, tmp_path / str(value), embedding_teacher=given, **TWO_STEPS)
    one, other = (weights(tmp_path / str(value)) for value in (0.5, 5.0))
    assert any(not torch.equal(one[key], other[key]) for key in one)


def test_a_dropout_of_a_head_that_is_not_there_is_refused():
    with pytest.raises(UserError, match=r"training\.head_dropout: pre-training has no classification head"):
        parse(PretrainConfig, {"training": {"head_dropout": 0.1}}, "project.yaml", "pretrain")
