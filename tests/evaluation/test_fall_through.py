"""Records that are sent on to the teacher: bands, and the curves of quality against the share that was sent."""

from __future__ import annotations

import numpy as np
import pytest

from distill.core import sending
from distill.core.fall_through import FallThrough
from distill.core.halves import choosing_half
from distill.core.label_space import LabelSpace
from distill.core.objectives.multi_label import MultiLabel
from distill.core.predictions import Predictions, write_predictions
from distill.core.project import Quality
from distill.evaluation.calibrated_predictions import ALL, CalibratedPredictions, Model, References, read_calibrated
from distill.evaluation.evaluate import Measuring, evaluate
from distill.evaluation.fall_through import Sending, fall_through
from distill.evaluation.operating_points import measured
from distill.evaluation.scored import Scored

SPACE = LabelSpace(("no", "maybe", "yes"), positive="yes")
ROWS = {"valid": 300, "test.seen": 600}
SETTINGS = FallThrough(shares=[0.1, 0.4])
CHANCES = np.array([[0.5, 0.3, 0.2], [0.1, 0.2, 0.7], [0.4, 0.35, 0.25], [0.9, 0.05, 0.05]])


def test_sureness_by_hand():
    assert sending.decision_sureness(CHANCES, several=False) == pytest.approx([0.2, 0.5, 0.05, 0.85])
    assert sending.decision_sureness(CHANCES, several=False, by="probability") == pytest.approx([0.5, 0.7, 0.4, 0.9])
    odds = np.log([[0.2 / 0.8], [0.7 / 0.3]])
    assert sending.threshold_sureness(CHANCES[:2, 2:], [0.5]) == pytest.approx(np.abs(odds[:, 0]))
    assert sending.threshold_sureness([[0.8, 0.6]], [0.8, 0.5]) == pytest.approx([0])
    several = sending.decision_sureness([[0.9, 0.4], [1.0, 0.0]], several=True)
    assert several[0] == pytest.approx(np.log(0.6 / 0.4)) and np.isfinite(several[1])


@pytest.mark.parametrize(
    ("sureness", "share", "sent"),
    [
        ([0.4, 0.1, 0.3, 0.2], 0.5, 2),
        ([0.4, 0.1, 0.3, 0.2], 0.1, 0),
        ([0.4, 0.1, 0.1, 0.2], 0.25, 0),  # two rows are equally sure: both would be more than the share
        ([0.1, 0.1, 0.1, 0.1], 0.9, 0),
        ([0.4, 0.1, 0.3, 0.2], 0.99, 3),
    ],
)
def test_a_band_sends_the_least_sure_and_never_more_than_its_share(sureness, share, sent):
    found = sending.band(np.array(sureness), share)
    assert int((np.array(sureness) < found).sum()) == sent
    assert not sent or min(abs(found - one) for one in sureness) > 0.01


def scored(name, split, noise, seed=1):
    """A model whose logits are the gold's with noise, on the same rows as every other one's."""
    gold = np.random.default_rng(len(split)).integers(0, 3, ROWS[split])
    logits = 3 * np.eye(3)[gold] + np.random.default_rng([seed, len(split)]).normal(scale=noise, size=(len(gold), 3))
    ids = [f"{split}-{index}" for index in range(len(gold))]
    return Scored(name, SPACE, ids, logits, np.eye(3)[gold].astype(np.float32))


def calibrated(name, noise, seed):
    valid = scored(name, "valid", noise, seed)
    clusters = [f"c{index % 100}" for index in range(len(valid))]
    test = scored(name, "test.seen", noise, seed)
    return CalibratedPredictions(valid, 1.0, {"f1": 0.4, "recall@P>=0.9": None}, {ALL: test}, clusters)


STUDENT, TEACHER = calibrated("student", 1.8, 1), calibrated("teacher", 0.5, 2)


def curves(student=STUDENT, teacher=TEACHER, **changes):
    bootstrap = student.tests[ALL].bootstrap(200)
    return fall_through([student], [teacher], Sending(SETTINGS.model_copy(update=changes), bootstrap, 1))


@pytest.fixture(scope="module")
def found():
    return curves()


def test_bands_are_those_of_one_half_of_validation(found):
    half = choosing_half(STUDENT.valid_clusters, 1)
    chances = SPACE.objective.probabilities(STUDENT.valid.logits)
    sure = sending.decision_sureness(chances, several=False)[half]
    assert found["bands"]["decision"] == {"0.1": sending.band(sure, 0.1), "0.4": sending.band(sure, 0.4)}
    around = sending.threshold_sureness(chances[half, 2:], [0.4])
    assert found["bands"]["f1"]["0.4"] == sending.band(around, 0.4) and "recall@P>=0.9" not in found["bands"]
    assert (found["chosen_on"], found["judged_on"]) == (int(half.sum()), int((~half).sum()))


def test_another_sureness_gives_other_bands(found):
    other = curves(by="probability")
    assert other["by"] == "probability" and other["bands"]["decision"] != found["bands"]["decision"]
    assert other["bands"]["f1"] == found["bands"]["f1"]
    assert all(least > 1 / 3 for least in other["bands"]["decision"].values())


def test_figures_are_those_of_the_answers_that_are_given(found):
    student, teacher = STUDENT.tests[ALL], TEACHER.tests[ALL]
    first, _, row, last = found["decision"]
    sent = sending.decision_sureness(SPACE.objective.probabilities(student.logits), several=False) < row["band"]
    gold = student.target.argmax(axis=1)
    said = np.where(sent, teacher.logits.argmax(axis=1), student.logits.argmax(axis=1))
    assert row["accuracy"]["value"] == pytest.approx((said == gold).mean())
    assert row["sent"]["value"] == pytest.approx(sent.mean()) and 0.25 < sent.mean() < 0.55
    together = Scored("both", SPACE, student.ids, np.eye(3)[said], student.target)
    assert row["f1_macro"]["value"] == pytest.approx(float(together.tally.total().f1_macro))
    assert first["accuracy"]["value"] == pytest.approx(float(student.tally.total().accuracy))
    assert last["f1_macro"]["value"] == pytest.approx(float(teacher.tally.total().f1_macro))
    assert (first["sent"]["value"], last["sent"]["value"]) == (0, 1) and first["band"] is None is last["band"]
    gain = row["accuracy"]["value"] - first["accuracy"]["value"]
    assert row["over_model"]["accuracy"]["difference"] == pytest.approx(gain)
    random = (1 - sent.mean()) * first["accuracy"]["value"] + sent.mean() * last["accuracy"]["value"]
    assert row["over_random"]["accuracy"]["difference"] == pytest.approx(row["accuracy"]["value"] - random)
    assert row["over_random"]["accuracy"]["low"] > 0
    apart = [one["over_random"]["accuracy"]["difference"] for one in found["decision"][1:3]]
    assert found["over_random"]["decision"]["accuracy"]["difference"] == pytest.approx(np.mean(apart))


def test_the_positive_class_keeps_each_models_threshold(found):
    (own, actual), (other, _) = STUDENT.tests[ALL].positive(), TEACHER.tests[ALL].positive()
    row = found["positive"][2]
    sent = sending.threshold_sureness(own[:, None], [0.4]) < row["band"]
    said = np.where(sent, other >= 0.4, own >= 0.4)
    assert row["f1"]["value"] == pytest.approx(measured(said.astype(float), actual, 0.5)["f1"])
    assert found["positive"][0]["f1"]["value"] == pytest.approx(measured(own, actual, 0.4)["f1"])


def test_the_half_that_judges_is_not_the_one_that_chooses(found):
    judging = ~choosing_half(STUDENT.valid_clusters, 1)
    valid = STUDENT.valid
    right = valid.logits.argmax(axis=1) == valid.target.argmax(axis=1)
    assert found["decision"][0]["valid"]["accuracy"] == pytest.approx(right[judging].mean())


def test_sureness_that_says_nothing_is_no_better_than_random():
    noise = np.random.default_rng(5)
    flat = {}
    for split, one in (("valid", STUDENT.valid), ("test.seen", STUDENT.tests[ALL])):
        first = one.logits.argmax(axis=1)
        logits = np.eye(3)[first] * noise.uniform(1, 5, (len(first), 1))  # as sure of wrong answers as of right ones
        flat[split] = Scored("flat", SPACE, one.ids, logits, one.target)
    student = CalibratedPredictions(flat["valid"], 1.0, None, {ALL: flat["test.seen"]}, STUDENT.valid_clusters)
    flat_curves = curves(student)
    for found in (flat_curves["decision"][2]["over_random"], flat_curves["over_random"]["decision"]):
        assert found["accuracy"]["low"] < 0 < found["accuracy"]["high"]
    assert "positive" not in flat_curves and flat_curves["over_random"].keys() == {"decision"}


def test_few_clusters_choose_on_all_rows():
    few = CalibratedPredictions(STUDENT.valid, 1.0, None, STUDENT.tests, ["a"] * len(STUDENT.valid))
    found = curves(few)
    assert (found["chosen_on"], found["judged_on"]) == (300, 0) and "valid" not in found["decision"][1]


def test_test_labels_choose_nothing():
    test = STUDENT.tests[ALL]
    other = Scored("student", SPACE, test.ids, test.logits, np.roll(test.target, 1, axis=1))
    changed = CalibratedPredictions(STUDENT.valid, 1.0, STUDENT.thresholds, {ALL: other}, STUDENT.valid_clusters)
    theirs = TEACHER.tests[ALL]
    teacher = Scored("teacher", SPACE, theirs.ids, theirs.logits, other.target)
    found = curves(changed, CalibratedPredictions(TEACHER.valid, 1.0, TEACHER.thresholds, {ALL: teacher}))
    assert found["bands"] == curves()["bands"]
    assert [row["valid"] for row in found["decision"]] == [row["valid"] for row in curves()["decision"]]


def test_several_keys_and_seeds_have_intervals():
    keyed = []
    for name, noise, seed in (("student", 1.8, 1), ("teacher", 0.5, 2), ("student", 1.8, 3), ("teacher", 0.5, 4)):
        one = calibrated(name, noise, seed)
        test, keys = one.tests[ALL], np.arange(600)
        clusters = np.stack([keys % 60, 1000 + keys % 37], axis=1)
        keyed.append(CalibratedPredictions(
            one.valid, 1.0, one.thresholds,
            {ALL: Scored(name, SPACE, test.ids, test.logits, test.target, clusters=clusters)}, one.valid_clusters,
        ))  # fmt: skip
    found = fall_through(keyed[::2], keyed[1::2], Sending(SETTINGS, keyed[0].tests[ALL].bootstrap(200), 1))
    row = found["decision"][2]
    assert row["accuracy"]["low"] < row["accuracy"]["value"] < row["accuracy"]["high"]
    assert "spread" in row["accuracy"] and row["over_random"]["accuracy"]["difference"] > 0


def test_only_files_have_curves_and_only_beside_a_teacher(tmp_path):
    for name, noise, seed in (("t", 0.5, 2), ("s", 1.8, 1), ("s.onnx", 1.8, 1)):
        for split in ROWS:
            one = scored(name, split, noise, seed)
            held = Predictions(list(one.ids), one.logits.astype(np.float32), one.target, [""] * len(one), list(one.ids))
            write_predictions(tmp_path / name / f"{split}.parquet", held)
    models = [
        Model("t", "teacher", "", "document"),
        Model("s", "student", "", "card"),
        Model("s.onnx", "artifact", "", "card", made_from="s"),
    ]
    priors = np.array([0.3, 0.3, 0.4])

    def asked(references, **quality):
        measuring = Measuring(SPACE, Quality(replicates=100, **quality), 1, priors, sent_on=SETTINGS)
        return evaluate(models, ["test.seen"], references, {None: tmp_path}, measuring)

    (entry,) = asked(References("t", None))["fall_through"]
    assert (entry["model"], entry["teacher"], len(entry["decision"]), len(entry["positive"])) == ("s.onnx", "t", 4, 4)
    assert "fall_through" not in asked(References(None, None))
    assert "fall_through" not in asked(References("t", None), calibrate=False)
    own = read_calibrated(models[2], ["test.seen"], tmp_path, SPACE, Quality())
    assert entry["bands"]["f1"].keys() == {"0.1", "0.4"} and own.thresholds["f1"] is not None


def test_several_labels_have_a_band_at_their_thresholds():
    space = LabelSpace(("a", "b"), MultiLabel())
    random = np.random.default_rng(1)
    target = (random.random((200, 2)) < 0.5).astype(np.float32)
    one = Scored(
        "m", space, [str(index) for index in range(200)], 2 * target + random.normal(size=(200, 2)) - 1, target
    )
    thresholds = {"a": 0.5, "b": 0.7}
    model = CalibratedPredictions(one, 1.0, None, {ALL: one}, [str(i) for i in range(200)], thresholds)
    found = fall_through([model], [model], Sending(SETTINGS, one.bootstrap(100), 1))
    assert found["bands"].keys() == {"decision", "class_f1"} and "positive" not in found
    assert found["decision"][1]["accuracy"]["value"] == pytest.approx(float(one.tally.total().accuracy))
