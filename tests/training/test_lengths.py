"""Runs that end when they have learned: where, why, with which weights, and that a killed one ends the same."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from distill.core.errors import GateFailed
from distill.core.label_space import LabelSpace
from distill.core.objectives.single_label import SINGLE
from distill.core.progress import reporting
from distill.models.encoder import load_classifier
from distill.training import trainer as trainer_module
from distill.training.class_shares import learnt_shares
from distill.training.convergence import Start
from distill.training.examples import Example
from distill.training.fit import _start
from distill.training.fit_objectives.registry import parse_objective
from distill.training.run import Rows
from tests.training.toy import (
    LABELS,
    Watch,
    fit_toy,
    history_of,
    interrupted,
    same_weights,
    toy_loss,
    toy_run,
    toy_training,
)

ROOT = Path(__file__).resolve().parents[2]
FREE = {"epochs": None, "checkpoint": "best", "warmup": 2, "patience": 2, "evaluate_steps": 4, "learning_rate": 3e-3}
KILLED = """
from pathlib import Path
from distill.core.progress import reporting
from tests.training.test_lengths import FREE
from tests.training.toy import Watch, fit_toy
import torch
torch.set_num_threads(1)
with reporting(Watch(11, how="kill")):
    fit_toy(Path({encoder!r}), Path({folder!r}), **FREE, ceiling_steps=24)
"""


def _told(monkeypatch, losses):
    """Evaluations whose log loss is told; the last one is told again."""
    real, told = trainer_module.validation_figures, list(losses)
    monkeypatch.setattr(
        trainer_module,
        "validation_figures",
        lambda *a: real(*a) | {"log_loss": told.pop(0) if len(told) > 1 else told[0]},
    )


@pytest.fixture(scope="module")
def undisturbed(warm, tmp_path_factory):
    """24 steps at most, evaluated every 4."""
    folder = tmp_path_factory.mktemp("free")
    fit_toy(warm, folder, **FREE, ceiling_steps=24)
    return folder


def test_it_ends_when_log_loss_has_not_fallen_and_keeps_where_it_was_lowest(warm, tmp_path, monkeypatch):
    _told(monkeypatch, [0.9, 0.5, 0.6, 0.7])
    fit_toy(warm, tmp_path, **FREE)
    quality = history_of(tmp_path)
    assert (quality["step"], quality["steps"], quality["ended"]) == (8, 16, "converged")
    assert [entry["step"] for entry in quality["history"]] == [4, 8, 12, 16]
    assert quality["reason"] == "converged: no lower log loss in 2 evaluations"


GRADES = LabelSpace(LABELS, SINGLE, ordered=True, positive=LABELS[2])
LOSSES = [1.1, 1.1, 1.1, 1.1, 0.9, 0.5, 0.6, 0.7]  # 1.1 is that of three classes' shares


def test_it_does_not_end_before_it_has_left_the_class_shares_interrupted_or_not(warm, tmp_path, monkeypatch):
    _told(monkeypatch, LOSSES)
    fit_toy(warm, tmp_path / "whole", **FREE)
    quality = history_of(tmp_path / "whole")
    assert (quality["step"], quality["steps"], quality["ended"]) == (24, 32, "converged")
    _told(monkeypatch, LOSSES)
    interrupted(warm, tmp_path / "cut", 13, **FREE)
    _told(monkeypatch, LOSSES[3:])
    fit_toy(warm, tmp_path / "cut", **FREE)
    _assert_same(tmp_path / "cut", tmp_path / "whole")


def test_early_stopping_of_a_fixed_length_waits_for_it_too(warm, tmp_path, monkeypatch):
    _told(monkeypatch, LOSSES)
    fit_toy(warm, tmp_path, epochs=9, early_stopping=2, checkpoint="best", warmup=2)
    quality = history_of(tmp_path)
    assert (quality["step"], quality["steps"], quality["ended"]) == (36, 48, "converged")


def test_early_stopping_counts_evaluations_not_epochs(warm, tmp_path, monkeypatch):
    _told(monkeypatch, [0.9, 0.5, 0.6, 0.7])
    fit_toy(warm, tmp_path, epochs=9, early_stopping=2, evaluate_steps=3, checkpoint="best", warmup=2)
    quality = history_of(tmp_path)
    assert (quality["step"], quality["steps"], quality["history"][-1]["epoch"]) == (6, 12, 2.0)


@pytest.mark.parametrize("objective", ["cross_entropy", "one_vs_rest"])
def test_where_a_run_begins_is_the_best_answer_for_all_rows(objective):
    """No constant output has a lower log loss than the one that a run is taken to begin at."""
    target = np.eye(3, dtype=np.float32)[[0] * 5 + [1] * 3 + [2] * 2]
    aim = parse_objective(objective).aim(GRADES, target.mean(axis=0))
    begins = aim.constant(target.mean(axis=0))
    assert begins.shape == (aim.outputs,)
    losses = [
        trainer_module.validation_figures(
            aim.logits(np.tile(begins + shift, (10, 1)).astype(np.float32)), target, LABELS, SINGLE
        )
        for shift in np.vstack([np.zeros(aim.outputs), np.eye(aim.outputs) / 2, -np.eye(aim.outputs) / 2])
    ]
    assert min(range(len(losses)), key=lambda at: losses[at]["log_loss"]) == 0


def test_a_regression_begins_at_the_mean_value():
    aim = parse_objective("regression").aim(GRADES, np.ones(3))
    assert aim.constant(np.float32([0.5, 0.3, 0.2])).tolist() == pytest.approx([0.7])


def test_the_shares_that_a_fit_begins_at_are_those_of_its_weights():
    gold = np.eye(3, dtype=np.float32)[[0] * 6 + [1] * 3 + [2]]
    assert learnt_shares(gold, None).tolist() == pytest.approx([0.6, 0.3, 0.1])
    assert learnt_shares(gold, (1, 2, 6)).tolist() == pytest.approx([1 / 3] * 3)
    several = np.float32([[1, 1], [1, 0], [0, 0]])
    assert learnt_shares(several, (1, 1)).tolist() == pytest.approx([1, 2 / 3])  # an empty row weighs nothing


def _examples(classes, has_gold=True):
    return [Example([], None, row if has_gold else None) for row in np.eye(3, dtype=np.float32)[classes]]


def test_a_run_begins_at_the_shares_that_it_learns_whatever_those_of_validation():
    """Trained on as many of each class, validation as they come: the answer for all rows is a third for each."""
    valid, run = _examples([0] * 90 + [1] * 6 + [2] * 4), toy_run(toy_loss(1.0, 1.0))
    even, skewed = _examples([0, 1, 2] * 4), _examples([0] * 10 + [1, 2])
    begins = [_start(toy_training(), run, Rows(train, valid)).log_loss for train in (even, skewed)]
    assert begins[0] == pytest.approx(0.99 * np.log(3)) and begins[1] < 0.6
    assert Start(begins[0], 100).holds(0.99 * np.log(3), 10) and not Start(begins[0], 100).holds(0.5, 10)
    without = _start(toy_training(), run, Rows(_examples([0, 1, 2] * 4, has_gold=False), valid))
    own = -(0.9 * np.log(0.9) + 0.06 * np.log(0.06) + 0.04 * np.log(0.04))
    assert without.log_loss == pytest.approx(0.99 * own, rel=0.01)


def test_the_weights_kept_are_the_average_of_the_best_step(warm, tmp_path, monkeypatch):
    """A run that ends at step 8 and one that goes on and comes back to it leave the same weights."""
    _told(monkeypatch, [0.9, 0.5, 0.6, 0.7])
    fit_toy(warm, tmp_path / "back", **FREE)
    _told(monkeypatch, [0.9, 0.5])
    fit_toy(warm, tmp_path / "ends", **FREE, ceiling_steps=8)
    assert history_of(tmp_path / "back")["step"] == history_of(tmp_path / "ends")["step"] == 8
    assert same_weights(load_classifier(tmp_path / "back"), load_classifier(tmp_path / "ends"))


def test_history_holds_the_figures_of_the_average(warm, tmp_path):
    model = fit_toy(warm, tmp_path, **FREE, ceiling_steps=8)
    quality = history_of(tmp_path)
    assert same_weights(model, load_classifier(tmp_path))
    assert quality["step"] in (4, 8) and quality["history"][-1]["step"] == 8
    assert not any("minutes" in entry or "runtime" in entry for entry in quality["history"])


def test_a_ceiling_ends_a_run_that_still_learns(warm, tmp_path, monkeypatch):
    _told(monkeypatch, [0.9, 0.8, 0.7])
    fit_toy(warm, tmp_path, **FREE, ceiling_steps=12)
    quality = history_of(tmp_path)
    assert (quality["step"], quality["steps"], quality["ended"]) == (12, 12, "ceiling")
    assert quality["reason"].startswith("undertrained: still falling") and quality["slope_per_epoch"] < 0


def test_minutes_end_a_run_too(warm, tmp_path, monkeypatch):
    _told(monkeypatch, [0.9, 0.8, 0.7, 0.6])
    fit_toy(warm, tmp_path, **FREE, ceiling_minutes=1e-6)
    quality = history_of(tmp_path)
    assert quality["steps"] == 4 and quality["reason"].endswith("at the ceiling of 1e-06 minutes")


def test_the_rate_stays_constant_after_the_warm_up(warm, tmp_path, monkeypatch):
    """With a power so high that the average is the last step's weights, it is a run under a constant rate."""
    _told(monkeypatch, [0.9, 0.5])
    fit_toy(warm, tmp_path / "free", **FREE, ceiling_steps=8, average=1e6)
    constant = {"epochs": None, "checkpoint": "last", "max_steps": 8, "warmup": 2, "schedule": "constant_with_warmup"}
    fit_toy(warm, tmp_path / "fixed", **constant)
    mine, theirs = (load_classifier(tmp_path / name).state_dict() for name in ("free", "fixed"))
    assert all(mine[name].allclose(theirs[name], atol=1e-6) for name in mine)


def test_killed_run_ends_as_an_undisturbed_one(warm, undisturbed, tmp_path):
    script = KILLED.format(encoder=str(warm), folder=str(tmp_path))
    process = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert process.returncode == -9, process.stderr
    _assert_resumes(warm, undisturbed, tmp_path, resumed_from=8)


@pytest.mark.parametrize(
    ("stop_at", "resumed_from"), [(3, 0), (5, 4), (9, 8)], ids=["before an evaluation", "after one", "after two"]
)
def test_interrupted_anywhere(warm, undisturbed, tmp_path, stop_at, resumed_from):
    interrupted(warm, tmp_path, stop_at, **FREE, ceiling_steps=24)
    assert not (tmp_path / "model.safetensors").exists()
    _assert_resumes(warm, undisturbed, tmp_path, resumed_from)


def test_interrupted_after_the_end_takes_no_further_step(warm, undisturbed, tmp_path):
    interrupted(warm, tmp_path, "end", **FREE, ceiling_steps=24)
    watch = Watch()
    with reporting(watch):
        fit_toy(warm, tmp_path, **FREE, ceiling_steps=24)
    assert watch.steps == []
    _assert_same(tmp_path, undisturbed)


@pytest.mark.parametrize("kept", ["best", "last"])
def test_a_fixed_length_may_stop_early_and_a_cut_off_one_ends_the_same(warm, tmp_path, monkeypatch, kept):
    recipe = {"epochs": 6, "early_stopping": 2, "checkpoint": kept, "warmup": 2, "dropout": 0}
    _told(monkeypatch, [0.9, 0.5, 0.6, 0.7])
    fit_toy(warm, tmp_path / "whole", **recipe)
    quality = history_of(tmp_path / "whole")
    assert (quality["step"], quality["steps"], quality["ended"]) == (12 if kept == "best" else 24, 24, "converged")
    assert quality["reason"] == "converged: no lower log loss in 2 evaluations, of 6 epochs at most"
    _told(monkeypatch, [0.9, 0.5, 0.6, 0.7])
    interrupted(warm, tmp_path / "cut", "end", **recipe)
    watch = Watch()
    with reporting(watch):
        fit_toy(warm, tmp_path / "cut", **recipe)
    assert watch.steps == []
    _assert_same(tmp_path / "cut", tmp_path / "whole")


def test_muon_and_a_faster_head_are_interrupted_too(warm, tmp_path):
    recipe = {**FREE, "ceiling_steps": 12, "optimiser": "muon", "head_rate": 3, "layer_decay": 0.8}
    fit_toy(warm, tmp_path / "whole", **recipe)
    interrupted(warm, tmp_path / "cut", 7, **recipe)
    fit_toy(warm, tmp_path / "cut", **recipe)
    _assert_same(tmp_path / "cut", tmp_path / "whole")


def test_a_run_that_diverges_is_refused(warm, tmp_path):
    with pytest.raises(GateFailed, match=r"diverged|collapsed"):
        fit_toy(warm, tmp_path, **{**FREE, "learning_rate": 1.0, "warmup": 0, "max_grad_norm": 1e9}, ceiling_steps=16)
    assert not (tmp_path / "model.safetensors").exists()


def _assert_resumes(warm, undisturbed, folder, resumed_from):
    watch = Watch()
    with reporting(watch):
        fit_toy(warm, folder, **FREE, ceiling_steps=24)
    assert watch.resumed_from == resumed_from
    _assert_same(folder, undisturbed)


def _assert_same(folder, other):
    assert same_weights(load_classifier(folder), load_classifier(other))
    assert history_of(folder) == history_of(other)


def test_few_rows_over_many_steps_leave_few_checkpoints(warm, tmp_path):
    """24 rows are six steps an epoch: 260 steps were 43 evaluations, and a checkpoint with the optimiser at each."""
    fit_toy(warm, tmp_path, epochs=None, max_steps=260, checkpoint="best", warmup=2, may_collapse=True)
    assert [entry["step"] for entry in history_of(tmp_path)["history"]][:3] == [7, 14, 21]
