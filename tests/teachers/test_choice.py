"""Whose labels the students learn from, decided on planted validation answers; every figure computed by hand too."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from distill.core.errors import UserError
from distill.core.label_space import LabelSpace
from distill.core.objectives.multi_label import MultiLabel
from distill.core.predictions import Predictions, write_predictions
from distill.core.progress import reporting
from distill.core.project import Gates
from distill.evaluation.calibration import fit_temperature
from distill.evaluation.gates import teacher_gate
from teachers.choice import CHOICE_FILE, TWINS_FILE, Asking, Candidate, ask_twins, choose, read_choice, take_imported
from tests.training.toy import Watch

SPACE, ROWS = LabelSpace(("мимо", "рядом", "точно")), 180
DOCUMENT, CARD, GOLD, WEAK = "base@document", "base@card", "3L-gold@card", "8L-gold@card"
CANDIDATES = [
    Candidate("document", {DOCUMENT: 1.0}),
    Candidate("card", {CARD: 1.0}),
    Candidate("mean", {DOCUMENT: 0.5, CARD: 0.5}),
]
ALL, NONE = np.ones(ROWS, bool), np.zeros(ROWS, bool)
EVEN = np.arange(ROWS) // 3 % 2 == 0
CLASS = np.arange(ROWS) % 3


def logits(knows, *, strength=3.0, noise=1.0, seed=0, scale=1.0):
    """Noise, and on the rows that the model `knows` the gold class over it."""
    values = np.random.default_rng(seed).normal(0, noise, (ROWS, 3))
    values[np.flatnonzero(knows), CLASS[knows]] += strength
    return scale * values


def plant(folder, answers, target=None, clusters=None):
    """Write the validation answers of some models, and no others: there are no test answers to look at."""
    ids = [f"в{row}" for row in range(ROWS)]
    gold = np.eye(3)[CLASS] if target is None else target
    for name, values in answers.items():
        rows = Predictions(
            ids, np.asarray(values, np.float32), np.asarray(gold, np.float32), [""] * ROWS, clusters or ids
        )
        write_predictions(folder / "predictions" / name / "valid.parquet", rows)
    return folder


def asking(folder, asked="auto", space=SPACE, priors=(0.5, 0.3, 0.2)):
    return Asking(asked, folder / "predictions", space, np.array(priors), 200, 1)


def chosen(folder, asked="auto", candidates=CANDIDATES, **changes):
    choose(candidates, asking(folder, asked, **changes), folder)
    found = read_choice(folder)
    assert found is not None
    return found


@pytest.fixture
def better_card(tmp_path):
    """The card teacher knows every row, the document teacher every other one."""
    return plant(tmp_path, {DOCUMENT: logits(EVEN, seed=1), CARD: logits(ALL, seed=2)})


@pytest.fixture
def halves(tmp_path):
    """Two teachers of whom each knows the rows that the other does not, and says so by how sure it is."""
    sides = {DOCUMENT: logits(EVEN, strength=4, noise=0.3, seed=1), CARD: logits(~EVEN, strength=4, noise=0.3, seed=2)}
    return plant(tmp_path, sides)


def log_loss(values, target=CLASS):
    """By hand, after the temperature."""
    scaled = np.asarray(values, np.float32) / fit_temperature(np.asarray(values, np.float32), np.eye(3)[target])
    shares = np.exp(scaled) / np.exp(scaled).sum(axis=1, keepdims=True)
    return -np.log(shares[np.arange(ROWS), target])


def test_auto_takes_the_lowest_log_loss(better_card):
    found = chosen(better_card)
    losses = {one["name"]: one["log_loss"]["value"] for one in found["candidates"]}
    assert (found["asked"], found["taken"], found["teachers"]) == ("auto", "card", {CARD: 1.0})
    assert list(losses) == ["document", "card", "mean"] and min(losses, key=losses.get) == "card"
    assert losses["card"] == pytest.approx(log_loss(logits(ALL, seed=2)).mean())
    assert found["why"] == "lowest log loss on validation: " + ", ".join(f"{n} {x:.4f}" for n, x in losses.items())
    assert found["rows"] == ROWS


def test_auto_takes_the_document_teacher_where_it_is_better(tmp_path):
    plant(tmp_path, {DOCUMENT: logits(ALL, seed=1), CARD: logits(NONE, seed=2)})
    assert chosen(tmp_path)["taken"] == "document"


def test_auto_takes_the_mean_where_two_half_informed_teachers_make_a_whole_one(halves):
    found = chosen(halves)
    assert (found["taken"], found["teachers"]) == ("mean", {DOCUMENT: 0.5, CARD: 0.5})
    assert set(found["temperatures"]) == {DOCUMENT, CARD}
    better = {(one["a"], one["b"]): one for one in found["differences"] if one["metric"] == "log_loss"}
    assert better["mean", "document"]["high"] < 0 and better["mean", "card"]["high"] < 0


def test_each_model_is_asked_after_its_own_temperature(tmp_path):
    """Logits ten times too large make the better teacher look the worst; scaled back it is the better one."""
    loud = logits(ALL, strength=2.5, seed=1, scale=10)
    plant(tmp_path, {DOCUMENT: loud, CARD: logits(EVEN, strength=2.5, seed=2)})
    found = chosen(tmp_path)
    assert found["taken"] == "document"
    assert found["temperatures"][DOCUMENT] == pytest.approx(
        10 * fit_temperature(logits(ALL, strength=2.5, seed=1), np.eye(3)[CLASS]), rel=1e-3
    )
    quiet = plant(tmp_path / "quiet", {DOCUMENT: loud / 10, CARD: logits(EVEN, strength=2.5, seed=2)})
    losses = [one["log_loss"]["value"] for one in chosen(quiet)["candidates"]]
    assert [one["log_loss"]["value"] for one in found["candidates"]] == pytest.approx(losses, rel=1e-4)


@pytest.mark.parametrize("asked", ["document", "card", "mean"])
def test_what_the_config_fixes_is_taken_whatever_the_figures(better_card, asked):
    found = chosen(better_card, asked)
    assert (found["taken"], found["why"]) == (asked, "fixed by the config")
    assert len(found["candidates"]) == 3


def test_without_calibration_every_temperature_is_1(better_card):
    choose(CANDIDATES, replace(asking(better_card, "document"), calibrate=False), better_card)
    assert set(read_choice(better_card)["temperatures"].values()) == {1.0}
    assert set(chosen(better_card, "document")["temperatures"].values()) != {1.0}


def test_a_teacher_by_name(better_card):
    plant(better_card, {"old@document": logits(NONE, seed=9)})
    found = chosen(better_card, "old", [*CANDIDATES, Candidate("old", {"old@document": 1.0})])
    assert (found["taken"], found["teachers"], found["start"]) == ("old", {"old@document": 1.0}, "old@document")


def test_a_single_candidate_says_that_there_is_no_other(better_card):
    found = chosen(better_card, candidates=CANDIDATES[:1])
    assert found["taken"] == "document" and found["why"].startswith("there is no other teacher")
    assert found["differences"] == found["worse_classes"] == []


@pytest.mark.parametrize("swapped", [False, True])
def test_students_start_from_the_better_member(tmp_path, swapped):
    names = (CARD, DOCUMENT) if swapped else (DOCUMENT, CARD)
    plant(tmp_path, dict(zip(names, (logits(EVEN, seed=1), logits(ALL, seed=2)), strict=True)))
    assert chosen(tmp_path, "mean")["start"] == names[1]


def test_a_class_is_named_where_the_document_teacher_is_worse_by_an_interval_and_only_there(tmp_path):
    """The document teacher never finds the second class; elsewhere both are alike up to noise."""
    blind = CLASS != 1
    card = logits(ALL, strength=6, noise=0.5, seed=2)
    document = np.where(blind[:, None], logits(ALL, strength=6, noise=0.5, seed=3), np.array([[0.0, -9, 3]]))
    plant(tmp_path, {DOCUMENT: document, CARD: card})
    worse = chosen(tmp_path)["worse_classes"]
    assert [row["class"] for row in worse] == ["рядом", "точно"]  # what it calls the third class is often the second
    (second, _) = worse
    assert (second["a"], second["b"]) == ("document", "card")
    assert second["difference"] == pytest.approx(-1.0) and second["high"] < 0
    assert chosen(plant(tmp_path / "alike", {DOCUMENT: card, CARD: card}))["worse_classes"] == []
    noisy = {DOCUMENT: logits(ALL, strength=1, seed=4), CARD: logits(ALL, strength=1, seed=5)}
    assert chosen(plant(tmp_path / "noisy", noisy))["worse_classes"] == []
    better = {DOCUMENT: card, CARD: document}
    assert chosen(plant(tmp_path / "better", better))["worse_classes"] == []


def test_over_priors_is_the_log_loss_less_that_of_the_class_shares(better_card):
    found = {one["name"]: one["over_priors"] for one in chosen(better_card)["candidates"]}
    expected = log_loss(logits(ALL, seed=2)).mean() - np.log(3)  # a third of these rows is of each class
    assert found["card"]["difference"] == pytest.approx(expected)
    assert found["card"]["low"] < expected < found["card"]["high"] < 0
    assert (found["card"]["a"], found["card"]["b"], found["card"]["metric"]) == ("card", "priors", "log_loss")


def test_a_teacher_of_noise_does_not_beat_the_class_shares(tmp_path):
    plant(tmp_path, {DOCUMENT: logits(NONE, seed=1), CARD: logits(NONE, seed=2)})
    over = [one["over_priors"] for one in chosen(tmp_path, priors=(1 / 3, 1 / 3, 1 / 3))["candidates"]]
    assert all(one["high"] > -0.02 for one in over)


@pytest.mark.parametrize("priors", [(0.5, 0.5), (0.9, 0.1), (0.2, 0.8)])
@pytest.mark.parametrize("share", [0.05, 0.5])
def test_a_teacher_of_noise_does_not_pass_where_validation_has_other_shares_than_training(tmp_path, priors, share):
    """Its temperature makes all rows alike, which is nearer to validation than the shares of training are."""
    random = np.random.default_rng(3)
    gold = np.eye(2)[(random.random(ROWS) < share).astype(int)]
    plant(tmp_path, {DOCUMENT: random.normal(size=(ROWS, 2))}, gold)
    space = LabelSpace(("нет", "да"))
    (found,) = chosen(tmp_path, candidates=CANDIDATES[:1], space=space, priors=priors)["candidates"]
    own = -np.log(gold @ gold.mean(axis=0)).mean()
    assert found["over_priors"]["difference"] == pytest.approx(found["log_loss"]["value"] - own, abs=0.01)
    (gate,) = teacher_gate(Gates(), {"taken": "document", "candidates": [found]})
    assert not gate.passed and gate.measured < 0


def test_the_priors_are_never_easier_to_beat_than_the_shares_of_training(tmp_path):
    """Where training has the shares of validation all but exactly, the upper bound is that of the harder ones."""
    plant(tmp_path, {DOCUMENT: logits(ALL, seed=1)})
    (same,), (near,) = (
        chosen(tmp_path, candidates=CANDIDATES[:1], priors=priors)["candidates"]
        for priors in ((1 / 3, 1 / 3, 1 / 3), (0.34, 0.33, 0.33))
    )
    assert near["over_priors"]["high"] >= same["over_priors"]["high"]


def test_multi_label_is_asked_with_a_sigmoid_for_each_class(tmp_path):
    space, random = LabelSpace(("а", "б", "в"), objective=MultiLabel()), np.random.default_rng(3)
    target = (random.random((ROWS, 3)) < 0.3).astype(float)
    knows, noise = 4 * target - 2, random.normal(0, 1, (ROWS, 3))
    plant(tmp_path, {DOCUMENT: noise, CARD: knows + noise}, target)
    found = chosen(tmp_path, space=space, priors=(0.3, 0.3, 0.3))
    scaled = np.float32(knows + noise) / found["temperatures"][CARD]
    by_hand = np.mean(np.logaddexp(0, scaled) - target * scaled)
    assert found["taken"] == "card"
    assert found["candidates"][1]["log_loss"]["value"] == pytest.approx(by_hand, rel=1e-5)
    held = target.mean(axis=0)
    shares = -np.mean(target * np.log(held) + (1 - target) * np.log(1 - held))
    assert found["candidates"][1]["over_priors"]["difference"] == pytest.approx(by_hand - shares, rel=1e-4)


def test_a_positive_class_is_compared_too(better_card):
    metrics = [
        one["metric"] for one in chosen(better_card, space=LabelSpace(SPACE.labels, positive="точно"))["differences"]
    ]
    assert metrics == 3 * ["accuracy", "f1_macro", "log_loss", "f1_positive"]


def test_under_thirty_clusters_nothing_is_chosen(tmp_path):
    clusters = [str(row % 29) for row in range(ROWS)]
    plant(tmp_path, {DOCUMENT: logits(ALL), CARD: logits(ALL)}, clusters=clusters)
    with pytest.raises(UserError, match="29 clusters in 180 rows"):
        chosen(tmp_path)
    assert not (tmp_path / CHOICE_FILE).exists()


def test_labels_made_elsewhere_are_taken_without_asking(better_card):
    made = {"old@document": 0.25, "new@document": 0.75}
    take_imported(made, list(made), asking(better_card), better_card)
    found = read_choice(better_card)
    assert (found["asked"], found["taken"], found["teachers"]) == ("auto", "document", made)
    assert (found["imported"], found["why"]) == (list(made), "made elsewhere, so there is nothing to choose")
    assert found["temperatures"] == dict.fromkeys(made, 1.0) and found["start"] is None
    assert found["candidates"] == found["differences"] == found["worse_classes"] == [] and found["rows"] == 0
    asked = chosen(better_card)
    assert asked["imported"] == [] and asked.keys() == found.keys()


def test_a_teacher_of_the_run_among_them_has_its_own_temperature_and_gives_its_layers(better_card):
    made = {DOCUMENT: 0.25, CARD: 0.25, "old@document": 0.5}
    take_imported(made, ["old@document"], asking(better_card), better_card)
    found, own = read_choice(better_card), chosen(better_card)["temperatures"]
    assert found["temperatures"]["old@document"] == 1.0 and found["start"] == CARD
    assert {name: found["temperatures"][name] for name in own} == own


def test_missing_answers_are_an_error(better_card):
    with pytest.raises(UserError, match="cannot read a Parquet file"):
        chosen(better_card, candidates=[*CANDIDATES, Candidate("old", {"old@document": 1.0})])


def test_the_same_answers_leave_the_same_bytes(better_card, tmp_path):
    chosen(better_card)
    first = (better_card / CHOICE_FILE).read_bytes()
    chosen(better_card)
    assert (better_card / CHOICE_FILE).read_bytes() == first
    assert (
        json.loads(first)["candidates"][0]["log_loss"]["low"] < json.loads(first)["candidates"][0]["log_loss"]["high"]
    )


def test_the_console_hears_what_was_taken_and_of_classes_that_are_worse(better_card):
    watch = Watch()
    with reporting(watch):
        found = chosen(better_card)
    assert watch.notes[0] == f"labels: card (base@card), {found['why']}"
    assert [note.partition(":")[0] for note in watch.notes[1:]] == [
        f"'{row['class']}'" for row in found["worse_classes"]
    ]
    assert "of F1 under the card teacher" in watch.notes[1]


def asked_twins(folder, *twins):
    chosen(folder)
    watch = Watch()
    with reporting(watch):
        ask_twins(twins, folder, asking(folder), folder)
    return json.loads((folder / TWINS_FILE).read_text(encoding="utf-8")), watch.notes


def test_the_labels_are_compared_with_each_twin(better_card):
    plant(better_card, {GOLD: logits(ALL, strength=3.1, seed=2), WEAK: logits(EVEN, seed=7)})
    found, notes = asked_twins(better_card, GOLD, WEAK)
    assert (found["labels"], found["rows"]) == ("card", ROWS)
    pairs = [(one["a"], one["b"], one["metric"]) for one in found["comparisons"]]
    assert pairs == [("card", twin, m) for twin in (GOLD, WEAK) for m in ("accuracy", "f1_macro", "log_loss")]
    weak = found["comparisons"][5]
    expected = log_loss(logits(ALL, seed=2)).mean() - log_loss(logits(EVEN, seed=7)).mean()
    assert weak["difference"] == pytest.approx(expected) and weak["high"] < 0


def test_a_twin_that_is_better_than_the_labels_by_an_interval_is_seen_as_such(tmp_path):
    plant(tmp_path, {DOCUMENT: logits(EVEN, seed=1), CARD: logits(EVEN, seed=2)})
    plant(tmp_path, {GOLD: logits(ALL, strength=5, seed=3), WEAK: logits(EVEN, seed=2)})
    found, notes = asked_twins(tmp_path, GOLD, WEAK)
    better = next(one for one in found["comparisons"] if (one["b"], one["metric"]) == (GOLD, "log_loss"))
    assert better["low"] > 0
    assert notes == [
        f"{GOLD}, trained on gold alone, is better than the labels on validation by {better['difference']:.3f} "
        f"({better['low']:.3f}–{better['high']:.3f}) in log loss: distilling will hardly help"
    ]


def test_a_twin_that_is_better_within_the_interval_is_not_spoken_of(tmp_path):
    plant(tmp_path, {DOCUMENT: logits(EVEN, seed=1), CARD: logits(NONE, seed=2), GOLD: logits(EVEN, seed=5)})
    choose(CANDIDATES[:1], asking(tmp_path), tmp_path)
    watch = Watch()
    with reporting(watch):
        ask_twins([GOLD], tmp_path, asking(tmp_path), tmp_path)
    loss = json.loads((tmp_path / TWINS_FILE).read_text(encoding="utf-8"))["comparisons"][2]
    assert loss["low"] < 0 < loss["difference"] and watch.notes == []


def test_nothing_is_chosen_before():
    assert read_choice(Path("nowhere")) is None


def test_every_table_of_the_choice_is_corrected_for_its_comparisons(better_card):
    found = chosen(better_card)
    priors = [one["over_priors"] for one in found["candidates"]]
    ask_twins([CARD, DOCUMENT], better_card, asking(better_card), better_card)
    asked = json.loads((better_card / TWINS_FILE).read_text(encoding="utf-8"))["comparisons"]
    for table in (found["differences"], priors, asked, found["worse_classes"]):
        assert table and all(row["p_value"] <= row["p_holm"] <= 1 and "evidence" not in row for row in table)


def test_a_class_that_is_worse_once_in_many_is_not_named(tmp_path):
    """The planted fault: of 40 classes that both teachers know alike, one is worse by an interval of 95%."""
    random, names = np.random.default_rng(5), tuple(f"класс {number}" for number in range(40))
    target = np.eye(40)[np.arange(ROWS) % 40]
    answers = {name: 2 * target + random.normal(size=(ROWS, 40)) for name in (DOCUMENT, CARD)}
    folder = plant(tmp_path, answers, target)
    priors = np.full(40, 1 / 40)
    choose(CANDIDATES, Asking("auto", folder / "predictions", LabelSpace(names), priors, 400, 1), folder)
    assert read_choice(folder)["worse_classes"] == []
