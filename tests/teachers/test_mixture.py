"""When a fitted mixture of teachers is taken, on planted validation answers."""

from __future__ import annotations

import json

import numpy as np
import pytest

from distill.core.activations import softmax
from distill.core.errors import UserError
from distill.core.label_space import LabelSpace
from distill.core.predictions import Predictions, write_predictions
from distill.core.progress import reporting
from distill.evaluation.calibration import fit_temperature
from distill.evaluation.metrics import mixture
from teachers.choice import CHOICE_FILE, Asking, Candidate, ask_twins, choose, read_choice
from tests.training.toy import Watch

SPACE, ROWS = LabelSpace(("мимо", "рядом", "точно")), 600
CLASS = np.arange(ROWS) % 3
DOCUMENT, CARD, THIRD = "base@document", "base@card", "third@document"


def logits(strength, seed, noise=1.0):
    """Noise, and over it on the gold class `strength`, one for all classes or one for each."""
    values = np.random.default_rng(seed).normal(0, noise, (ROWS, 3))
    values[np.arange(ROWS), CLASS] += np.broadcast_to(strength, 3)[CLASS]
    return values


def expert(index, seed):
    """An answer for one class, and noise about which of the others it is."""
    values = np.random.default_rng(seed).normal(0, 2, (ROWS, 3))
    values[:, index] = np.random.default_rng(seed + 1).normal(0, 0.5, ROWS) + np.where(CLASS == index, 3, -3)
    return values


def plant(folder, **answers):
    ids, gold = [f"в{row}" for row in range(ROWS)], np.eye(3, dtype=np.float32)[CLASS]
    for name, values in answers.items():
        rows = Predictions(ids, np.asarray(values, np.float32), gold, [""] * ROWS, ids)
        write_predictions(folder / "predictions" / name.replace("_", "@") / "valid.parquet", rows)
    return folder


def asking(folder, asked="auto"):
    return Asking(asked, folder / "predictions", SPACE, np.full(3, 1 / 3), 200, 1)


def candidates(*labelling, weights=None):
    shares = dict(zip(labelling, weights or [1 / len(labelling)] * len(labelling), strict=True))
    found = [Candidate("document", shares), Candidate("card", {CARD: 1.0})]
    found.append(Candidate("mean", {**{name: share / 2 for name, share in shares.items()}, CARD: 0.5}))
    members = [*shares, CARD]
    return [*found, Candidate("mixture", dict.fromkeys(members, 1 / len(members)))]


def chosen(folder, *labelling, asked="auto"):
    choose(candidates(*(labelling or (DOCUMENT,))), asking(folder, asked), folder)
    found = read_choice(folder)
    assert found is not None
    return found


def loss(found, name):
    return next(one["log_loss"]["value"] for one in found["candidates"] if one["name"] == name)


@pytest.fixture
def experts(tmp_path):
    """Two teachers, each good at one class."""
    return plant(tmp_path, base_document=expert(0, 1), base_card=expert(1, 5))


def test_teachers_that_each_know_a_class_are_mixed_by_class(experts):
    found = chosen(experts)
    assert found["taken"] == "mixture" and set(found["teachers"]) == {DOCUMENT, CARD}
    weights = {name: dict(zip(SPACE.labels, own, strict=True)) for name, own in found["class_weights"].items()}
    assert weights[DOCUMENT]["мимо"] > 10 * weights[CARD]["мимо"]
    assert weights[CARD]["рядом"] > 10 * weights[DOCUMENT]["рядом"]
    fitted = found["mixture"]
    assert fitted["is_by_class"] and fitted["log_loss"]["by_class"] < fitted["log_loss"]["plain"] - 0.1
    assert loss(found, "mixture") == pytest.approx(fitted["log_loss"]["by_class"])
    assert sum(found["teachers"].values()) == pytest.approx(1)


def test_what_each_alone_would_give_is_written_down(experts):
    found = chosen(experts)
    alone = {one["name"]: one for one in found["alone"]}
    assert set(alone) == {DOCUMENT, CARD}
    assert alone[DOCUMENT]["log_loss"] == found["candidates"][0]["log_loss"]
    assert alone[CARD]["f1_macro"] == found["candidates"][1]["f1_macro"]


def test_a_teacher_of_noise_gets_no_weight_and_labels_nothing(tmp_path):
    noise = logits(0, 9, noise=2)
    plant(tmp_path, base_document=logits(2, 1), base_card=logits(2, 2), third_document=noise)
    found = chosen(tmp_path, DOCUMENT, THIRD)
    assert found["taken"] == "mixture" and THIRD not in found["teachers"]
    assert found["mixture"]["weights"][THIRD] < 1e-6
    assert set(found["temperatures"]) == {DOCUMENT, CARD} == set(found["teachers"])


def test_a_gain_within_the_interval_is_not_taken(tmp_path):
    """The mixture has the lowest log loss, but other validation rows might not say so."""
    plant(tmp_path, base_document=logits(2, 1), base_card=logits(1.3, 3))
    found = chosen(tmp_path)
    losses = {one["name"]: one["log_loss"]["value"] for one in found["candidates"]}
    assert min(losses, key=losses.get) == "mixture" and found["taken"] == "document"
    assert found["why"].endswith("against document, which is no gain by an interval")
    apart = next(one for one in found["differences"] if (one["a"], one["b"]) == ("mixture", "document"))
    assert found["teachers"] == {DOCUMENT: 1.0} and found["class_weights"] is None and apart["a"] == "mixture"


@pytest.mark.parametrize("seed", range(4))
def test_equal_teachers_that_err_alike_are_not_mixed(tmp_path, seed):
    same = logits(2, seed)
    plant(tmp_path, base_document=same, base_card=same + 0.02 * logits(0, seed + 50))
    assert chosen(tmp_path)["taken"] != "mixture"


def test_the_config_may_fix_it(tmp_path):
    plant(tmp_path, base_document=logits(3, 1), base_card=logits(0.5, 2))
    found = chosen(tmp_path, asked="mixture")
    assert (found["taken"], found["why"]) == ("mixture", "fixed by the config")
    assert found["teachers"][DOCUMENT] > 0.5 and found["start"] == DOCUMENT


def test_the_mixtures_figures_are_out_of_fold_and_its_weights_are_not(experts):
    """Scored by the weights that are kept, which saw the rows, the log loss would be lower."""
    found = chosen(experts)
    parts = [
        np.float32(expert(index, seed)) / found["temperatures"][name]
        for name, index, seed in ((DOCUMENT, 0, 1), (CARD, 1, 5))
    ]
    mixed = mixture(parts, [found["class_weights"][name] for name in (DOCUMENT, CARD)])
    seen = -np.log(softmax(mixed)[np.arange(ROWS), CLASS]).mean()
    assert seen < loss(found, "mixture") < seen + 0.05


def test_twins_are_compared_with_the_mixture_out_of_fold(experts):
    found = chosen(experts)
    plant(experts, small_gold=logits(1, 5))
    ask_twins(["small@gold"], experts, asking(experts), experts)
    asked = json.loads((experts / "twins.json").read_text(encoding="utf-8"))
    apart = next(one for one in asked["comparisons"] if one["metric"] == "log_loss")
    twin = np.float32(logits(1, 5)) / fit_temperature(np.float32(logits(1, 5)), np.eye(3)[CLASS])
    own = -np.log(softmax(twin)[np.arange(ROWS), CLASS]).mean()
    assert asked["labels"] == found["taken"] == "mixture"
    assert apart["difference"] == pytest.approx(loss(found, "mixture") - own)


def test_the_same_answers_leave_the_same_bytes(experts):
    chosen(experts)
    first = (experts / CHOICE_FILE).read_bytes()
    chosen(experts)
    assert (experts / CHOICE_FILE).read_bytes() == first


def test_the_console_names_the_weights(experts):
    watch = Watch()
    with reporting(watch):
        found = chosen(experts)
    weights = ", ".join(f"{name} × {weight:.2f}" for name, weight in found["teachers"].items())
    assert watch.notes[0] == f"labels: mixture ({weights}), {found['why']}"
    assert "mixture, out of fold, is −" in found["why"]


def test_a_teacher_of_other_classes_is_named(tmp_path):
    plant(tmp_path, base_document=logits(3, 1), base_card=logits(3, 2)[:, :2])
    with pytest.raises(UserError, match=r"base@card[\s\S]*2 logits a row, 3 expected: мимо, рядом, точно"):
        chosen(tmp_path)
