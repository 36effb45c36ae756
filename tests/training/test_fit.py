"""Whole training runs: what they leave, and that a killed one ends as an undisturbed one does."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers as hf

from distill.core.errors import GateFailed
from distill.core.model_folder import HISTORY_FILE
from distill.core.objectives.multi_label import MultiLabel
from distill.core.progress import reporting
from distill.models.encoder import load_classifier
from distill.training import trainer as trainer_module
from distill.training.dropout_rates import set_dropout
from distill.training.examples import Example
from distill.training.fit import fit
from tests.training.toy import (
    LABELS,
    WINDOWED,
    Watch,
    fit_toy,
    history_of,
    interrupted,
    random_logits,
    same_weights,
    toy_examples,
    toy_loss,
    toy_run,
    toy_training,
)

ROOT = Path(__file__).resolve().parents[2]
KILLED = """
from pathlib import Path
from distill.core.progress import reporting
from tests.training.toy import Watch, fit_toy
import torch
torch.set_num_threads(1)
with reporting(Watch({stop_at}, how="kill")):
    fit_toy(Path({encoder!r}), Path({folder!r}))
"""


def _resume(warm, folder, **training):
    """Run again in the same folder; the reporter tells at which step it went on."""
    watch = Watch()
    with reporting(watch):
        fit_toy(warm, folder, **training)
    return watch


def _assert_same(folder, other):
    assert same_weights(load_classifier(folder), load_classifier(other))
    assert history_of(folder) == history_of(other)
    # Byte for byte: a step's digest, and so everything after it, must not depend on where it was interrupted.
    assert (folder / HISTORY_FILE).read_bytes() == (other / HISTORY_FILE).read_bytes()


@pytest.fixture(scope="module")
def undisturbed(warm, tmp_path_factory):
    """18 steps in 3 epochs with a checkpoint every 4 steps."""
    folder = tmp_path_factory.mktemp("undisturbed")
    fit_toy(warm, folder)
    return folder


def test_learns_the_toy_task_and_tells_how_many_rows_and_tokens_it_has_read(encoder, tmp_path):
    watch = Watch()
    with reporting(watch):
        fit_toy(encoder, tmp_path, rows=60, epochs=10, learning_rate=1e-2, dropout=0)
    tokens = sum(example.length for example in toy_examples(encoder, 60))
    assert (watch.unit, watch.steps[-1], watch.rows, watch.tokens) == ("steps", 150, 600, 10 * tokens)
    history = history_of(tmp_path)["history"]
    assert history[-1]["accuracy"] == 1 and history[0]["log_loss"] > history[-1]["log_loss"]


def test_leaves_a_model_folder_with_figures_of_every_epoch(undisturbed):
    assert {path.name for path in undisturbed.iterdir()} == {
        "config.json",
        "model.safetensors",
        "training_history.json",
    }
    quality = history_of(undisturbed)
    assert (quality["split"], quality["rows"]) == ("valid", 12)
    assert [(entry["epoch"], entry["step"]) for entry in quality["history"]] == [(1, 6), (2, 12), (3, 18)]
    figures = {"accuracy", "f1_macro", "log_loss", "temperature"} | {
        f"{label}_{name}" for label in LABELS for name in ("precision", "recall", "f1")
    }
    assert all(set(entry) == figures | {"epoch", "step"} for entry in quality["history"])


def test_saved_model_is_the_trained_one(warm, tmp_path):
    model = fit_toy(warm, tmp_path, epochs=1)
    assert not model.training and same_weights(model, load_classifier(tmp_path))
    assert list(model.config.id2label.values()) == list(LABELS)


def test_killed_run_ends_as_an_undisturbed_one(warm, undisturbed, tmp_path):
    script = KILLED.format(stop_at=11, encoder=str(warm), folder=str(tmp_path))
    process = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True)
    assert process.returncode == -9, process.stderr
    assert not (tmp_path / "model.safetensors").exists() and (tmp_path / "checkpoints").is_dir()
    assert _resume(warm, tmp_path).resumed_from == 8
    _assert_same(tmp_path, undisturbed)


@pytest.mark.parametrize(
    ("stop_at", "resumed_from"),
    [(3, 0), (5, 4), (12, 8), (13, 12), (18, 16)],
    ids=["before the first checkpoint", "first epoch", "end of an epoch", "start of an epoch", "last step"],
)
def test_interrupted_anywhere(warm, undisturbed, tmp_path, stop_at, resumed_from):
    assert interrupted(warm, tmp_path, stop_at).ended == 1
    assert not (tmp_path / "model.safetensors").exists()
    assert _resume(warm, tmp_path).resumed_from == resumed_from
    _assert_same(tmp_path, undisturbed)


def test_interrupted_twice(warm, undisturbed, tmp_path):
    interrupted(warm, tmp_path, 7)
    interrupted(warm, tmp_path, 15)
    assert _resume(warm, tmp_path).resumed_from == 12
    _assert_same(tmp_path, undisturbed)


@pytest.mark.parametrize(
    "training",
    [
        {"max_steps": 8, "schedule": "constant_with_warmup"},
        {"epochs": 2},
        {"max_steps": 8, "schedule": "constant_with_warmup", "checkpoint": "best"},
    ],
    ids=["middle of an epoch", "end of an epoch", "best"],
)
def test_interrupted_after_the_last_step(warm, tmp_path, training):
    """No step is taken beyond the planned ones when the run was cut off while it was being finished."""
    fit_toy(warm, tmp_path / "whole", **training)
    interrupted(warm, tmp_path / "cut", "end", **training)
    _resume(warm, tmp_path / "cut", **training)
    _assert_same(tmp_path / "cut", tmp_path / "whole")


@pytest.mark.parametrize("save_steps", [3, 6])
def test_figures_of_an_epoch_survive_a_kill_right_after_it(warm, tmp_path, save_steps):
    fit_toy(warm, tmp_path / "whole", epochs=2, save_steps=save_steps)
    interrupted(warm, tmp_path / "cut", 7, epochs=2, save_steps=save_steps)
    assert _resume(warm, tmp_path / "cut", epochs=2, save_steps=save_steps).resumed_from == 6
    _assert_same(tmp_path / "cut", tmp_path / "whole")


def test_half_written_checkpoint_is_passed_over(warm, undisturbed, tmp_path):
    interrupted(warm, tmp_path, 11)
    (whole,) = (tmp_path / "checkpoints").glob("checkpoint-*")
    torn = tmp_path / "checkpoints" / "checkpoint-12"
    torn.mkdir()
    for path in whole.iterdir():
        content = path.read_bytes()
        (torn / path.name).write_bytes(content[: len(content) // 2])
    assert _resume(warm, tmp_path).resumed_from == 8
    _assert_same(tmp_path, undisturbed)


@pytest.mark.parametrize("file", ["model.safetensors", "optimizer.pt", "rng_state.pth", "trainer_state.json"])
def test_a_damaged_checkpoint_is_named_and_not_gone_on_from(warm, undisturbed, tmp_path, file):
    interrupted(warm, tmp_path, 11)
    damaged = tmp_path / "checkpoints" / "checkpoint-8" / file
    content = damaged.read_bytes()
    if file == "optimizer.pt":
        damaged.unlink()
    else:
        damaged.write_bytes(b"null" if file == "trainer_state.json" else content[: len(content) // 2])
    watch = _resume(warm, tmp_path)
    assert watch.resumed_from == 0
    assert any("checkpoint-8 is damaged" in note and file in note and "its start" in note for note in watch.notes)
    _assert_same(tmp_path, undisturbed)


def test_the_older_of_two_checkpoints_is_gone_on_from(warm, tmp_path):
    training = {"epochs": 3, "checkpoint": "best"}
    fit_toy(warm, tmp_path / "whole", **training)
    interrupted(warm, tmp_path / "cut", 17, **training)
    newest = max((tmp_path / "cut" / "checkpoints").iterdir(), key=lambda path: int(path.name.partition("-")[2]))
    (newest / "scheduler.pt").write_bytes(b"")
    assert _resume(warm, tmp_path / "cut", **training).resumed_from == 6
    _assert_same(tmp_path / "cut", tmp_path / "whole")


def test_interrupted_with_accumulation_and_windows(warm, tmp_path):
    training = {"config": WINDOWED, "accumulate": 2, "rows": 23, "epochs": 3, "save_steps": 2}
    fit_toy(warm, tmp_path / "whole", **training)
    interrupted(warm, tmp_path / "cut", 5, **training)
    assert _resume(warm, tmp_path / "cut", **training).resumed_from == 4
    _assert_same(tmp_path / "cut", tmp_path / "whole")


def test_interrupted_with_muon(warm, undisturbed, tmp_path):
    fit_toy(warm, tmp_path / "whole", optimiser="muon")
    interrupted(warm, tmp_path / "cut", 11, optimiser="muon")
    assert _resume(warm, tmp_path / "cut", optimiser="muon").resumed_from == 8
    _assert_same(tmp_path / "cut", tmp_path / "whole")
    assert not same_weights(load_classifier(tmp_path / "whole"), load_classifier(undisturbed))


@pytest.mark.parametrize("max_steps", [4, 8])
def test_max_steps_override_epochs(warm, tmp_path, max_steps):
    fit_toy(warm, tmp_path, max_steps=max_steps)
    history = history_of(tmp_path)["history"]
    assert [entry["step"] for entry in history] == ([4] if max_steps == 4 else [6, 8])
    assert history[-1]["epoch"] == pytest.approx(max_steps / 6, abs=1e-3)


def test_dropout_is_replaced(warm, tmp_path):
    rates = {}
    for rate in (None, 0.0, 0.4):
        model = fit_toy(warm, tmp_path / str(rate), max_steps=1, dropout=rate)
        rates[rate] = {module.p for module in model.modules() if isinstance(module, torch.nn.Dropout)}
    assert rates == {None: {0.1}, 0.0: {0.0}, 0.4: {0.4}}


def test_dropout_that_attention_keeps_as_a_number_is_replaced():
    small = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    config = hf.ModernBertConfig(vocab_size=60, pad_token_id=0, attention_dropout=0.1, mlp_dropout=0.1, **small)
    model = hf.AutoModelForSequenceClassification.from_config(config)
    kept = [module for module in model.modules() if hasattr(module, "attention_dropout")]
    set_dropout(model, 0.3)
    assert kept and all(module.attention_dropout == 0.3 for module in kept)
    assert {module.p for module in model.modules() if isinstance(module, torch.nn.Dropout)} == {0.3}


def _fit_on(warm, folder, train, run=None, **training):
    torch.manual_seed(5)
    model = load_classifier(warm, LABELS)
    fit(model, train, toy_examples(warm, 12, prefix="в"), toy_training(**training), run or toy_run(), folder)


def test_constant_predictor_is_refused_and_leaves_no_model(warm, tmp_path):
    only = np.float32([0, 1, 0])
    train = [Example(example.windows, None, only) for example in toy_examples(warm, 24)]
    with pytest.raises(GateFailed, match="every validation row is predicted 'рядом'(?s:.*)lower the learning rate"):
        _fit_on(warm, tmp_path, train, learning_rate=1e-2)
    assert not (tmp_path / "model.safetensors").exists() and not (tmp_path / "training_history.json").exists()


def test_a_baseline_may_be_a_constant_predictor(warm, tmp_path):
    only = np.float32([0, 1, 0])
    train = [Example(example.windows, None, only) for example in toy_examples(warm, 24)]
    _fit_on(warm, tmp_path, train, learning_rate=1e-2, may_collapse=True)
    assert (tmp_path / "model.safetensors").exists()


def test_learning_rate_that_is_far_too_high_is_refused(warm, tmp_path):
    with pytest.raises(GateFailed, match="learning rate 1\n(?s:.*)lower the learning rate"):
        _fit_on(warm, tmp_path, toy_examples(warm, 24), learning_rate=1.0, warmup=0)
    assert not (tmp_path / "model.safetensors").exists()


def test_labels_that_are_not_finite_are_refused(warm, tmp_path):
    nan = np.full(3, np.nan, np.float32)
    train = [Example(example.windows, nan, example.target) for example in toy_examples(warm, 24)]
    with pytest.raises(GateFailed, match="diverged"):
        _fit_on(warm, tmp_path, train, toy_run(toy_loss()))
    assert not (tmp_path / "model.safetensors").exists()


def test_best_checkpoint_is_kept(warm, tmp_path, monkeypatch):
    """Three epochs whose second is told to be the best end with the weights that two epochs end with."""
    same = {"schedule": "constant_with_warmup", "warmup": 0}
    fit_toy(warm, tmp_path / "two", epochs=2, **same)
    real, told = trainer_module.validation_figures, iter([0.9, 0.2, 0.5])
    monkeypatch.setattr(trainer_module, "validation_figures", lambda *a: real(*a) | {"log_loss": next(told)})
    fit_toy(warm, tmp_path / "three", epochs=3, checkpoint="best", **same)
    assert same_weights(load_classifier(tmp_path / "three"), load_classifier(tmp_path / "two"))
    quality = history_of(tmp_path / "three")
    assert [entry["step"] for entry in quality["history"]] == [6, 12, 18] and quality["step"] == 12


def test_last_checkpoint_is_kept(undisturbed):
    assert history_of(undisturbed)["step"] == 18


def test_multi_label_runs(encoder, tmp_path):
    torch.manual_seed(5)
    model = load_classifier(encoder, LABELS, MultiLabel())
    train, valid = toy_examples(encoder, 24), toy_examples(encoder, 12, prefix="в")
    run = toy_run(toy_loss(objective=MultiLabel()))
    fit(model, train, valid, toy_training(epochs=12, learning_rate=1e-2, dropout=0), run, tmp_path)
    assert history_of(tmp_path)["history"][-1]["f1_macro"] > 0.8


def test_soft_labels_alone_teach(encoder, tmp_path):
    """Pool rows without gold, labelled by a teacher that knows the answer."""
    torch.manual_seed(5)
    model, soft = load_classifier(encoder, LABELS), toy_examples(encoder, 60)
    train = [
        Example(example.windows, 6 * example.target + noise, None)
        for example, noise in zip(soft, random_logits(60, 0.3), strict=True)
    ]
    run = toy_run(toy_loss())
    valid = toy_examples(encoder, 12, prefix="в")
    fit(model, train, valid, toy_training(epochs=10, learning_rate=1e-2, dropout=0), run, tmp_path)
    assert history_of(tmp_path)["history"][-1]["accuracy"] == 1


def test_bf16_runs(encoder, tmp_path):
    fit_toy(encoder, tmp_path, rows=60, epochs=10, learning_rate=1e-2, dropout=0, precision="bf16")
    assert history_of(tmp_path)["history"][-1]["accuracy"] > 0.9
    assert load_classifier(tmp_path).dtype == torch.float32


@pytest.mark.gpu
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("optimiser", ["adamw", "muon"])
def test_a_run_on_cuda_learns_and_survives_an_interrupt(warm, tmp_path, precision, optimiser):
    torch.cuda.reset_peak_memory_stats()
    fit_toy(warm, tmp_path / "whole", precision=precision, optimiser=optimiser)
    assert torch.cuda.max_memory_allocated() > 0
    assert history_of(tmp_path / "whole")["history"][-1]["accuracy"] == 1
    interrupted(warm, tmp_path / "broken", 10, precision=precision, optimiser=optimiser)
    assert _resume(warm, tmp_path / "broken", precision=precision, optimiser=optimiser).resumed_from == 8
    _assert_same(tmp_path / "whole", tmp_path / "broken")


ENDLESS = {"epochs": None, "checkpoint": "best", "ceiling_steps": 12, "evaluate_steps": 4, "warmup": 1}


@pytest.mark.parametrize("training", [{"epochs": 2}, {"epochs": 2, "checkpoint": "best"}, ENDLESS])
def test_validation_is_read_once_for_each_evaluation(warm, tmp_path, monkeypatch, training):
    """The figures of the kept weights are known when the run ends."""
    validate, read = trainer_module.DistillTrainer.validate, []

    def counting(self):
        read.append(self.state.global_step)
        return validate(self)

    monkeypatch.setattr(trainer_module.DistillTrainer, "validate", counting)
    fit_toy(warm, tmp_path, **training)
    assert read == [entry["step"] for entry in history_of(tmp_path)["history"]]


def test_answers_that_an_earlier_process_found_are_asked_again(warm, tmp_path, monkeypatch):
    watch = interrupted(warm, tmp_path, "end", epochs=2)
    assert watch.ended
    with monkeypatch.context() as patched:
        patched.setattr(trainer_module.DistillTrainer, "validate", lambda self: pytest.fail("asked"))
        with pytest.raises(pytest.fail.Exception):
            fit_toy(warm, tmp_path, epochs=2)
