"""A model against the majority answer, its gold-only twins and its teachers, each figure computed by hand too."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from sklearn import metrics

from distill.core.label_space import LabelSpace
from distill.core.objectives.multi_label import MultiLabel
from distill.core.predictions import write_predictions
from distill.core.project import Quality
from distill.evaluation.baselines import over_majority, retention
from distill.evaluation.bootstrap import Bootstrap
from distill.evaluation.calibrated_predictions import CalibratedPredictions, Model, References
from distill.evaluation.evaluate import Measuring, evaluate
from distill.evaluation.majority import majority_predictions
from distill.evaluation.over_seeds import Seeded
from distill.evaluation.scored import Scored
from tests.evaluation.test_evaluate import (
    MODELS,
    PRIORS,
    REFERENCES,
    ROWS,
    SETTINGS,
    SPACE,
    TESTS,
    all_tests,
    found_model,
    gold,
    predictions,
    rewrite,
    run,
)

STUDENT, SHORT, FULL = "8L@card", "8L-gold-steps@card", "8L-gold@card"
TWINNED = [
    *MODELS,
    Model(FULL, "baseline", "8L", "card", 8, 700, twin_of=STUDENT),
    Model(SHORT, "baseline", "8L", "card", 8, 700, twin_of=STUDENT),
    Model("8L@card.onnx", "artifact", "8L", "card", 8, 700, made_from=STUDENT),
]
# Which model's answers each of the others gives.
SOURCES = {**{m.name: m.name for m in MODELS}, FULL: STUDENT, SHORT: "base@card", "8L@card.onnx": STUDENT}


def write(folder, sources=SOURCES):
    for name, source in sources.items():
        for split in ROWS:
            write_predictions(folder / name / f"{split}.parquet", predictions(source, split))
    return folder


@pytest.fixture
def folder(tmp_path):
    return write(tmp_path)


def seeded(logits, target, name="m", space=SPACE, draws=100):
    """A model's predictions on rows of their own clusters, as `Seeded` holds them."""
    rows = len(target)
    ids = [str(row) for row in range(rows)]
    scored = Scored(name, space, ids, np.asarray(logits, float), np.asarray(target, float))
    return Seeded([scored], Bootstrap(rows, None, draws, seed=3))


def test_the_majority_answer_is_the_most_frequent_class_with_the_priors_as_probabilities(folder):
    row = found_model(run(folder), "majority")
    target = np.concatenate([gold(test) for test in TESTS])
    quality, always = row["quality"], np.zeros_like(target)
    assert (row["role"], row["layers"], row["parameters"], row["temperature"]) == ("baseline", None, None, 1.0)
    assert quality["accuracy"]["value"] == pytest.approx(np.mean(target == 0))
    assert quality["f1_macro"]["value"] == pytest.approx(metrics.f1_score(target, always, average="macro"))
    chances = np.tile(PRIORS, (len(target), 1))
    assert quality["log_loss"]["value"] == pytest.approx(metrics.log_loss(target, chances))
    assert row["valid"]["log_loss"] == pytest.approx(-np.log(PRIORS[gold("valid")]).mean())
    assert row["tests"]["seen"]["accuracy"]["value"] == pytest.approx(np.mean(gold("test.seen") == 0))
    assert row["retention"] is row["over_majority"] is row["over_gold"] is None


def test_of_equal_priors_the_first_class_is_the_answer(folder):
    quality = found_model(run(folder, priors=np.array([0.2, 0.4, 0.4])), "majority")["quality"]
    assert [quality["per_class"][label]["recall"] for label in SPACE.labels] == [0.0, 1.0, 0.0]


def test_a_class_without_training_rows_has_a_finite_log_loss(folder):
    quality = found_model(run(folder, priors=np.array([0.6, 0.4, 0.0])), "majority")["quality"]
    target = np.concatenate([gold(test) for test in TESTS])
    shares = np.array([0.6, 0.4, 1e-6]) / (1 + 1e-6)
    assert quality["log_loss"]["value"] == pytest.approx(-np.log(shares[target]).mean())


def test_in_multi_label_every_label_of_half_the_rows_is_the_answer():
    space, rows = LabelSpace(("a", "b", "c"), objective=MultiLabel()), 40
    target = (np.random.default_rng(0).random((rows, 3)) < 0.5).astype(float)
    like = Scored("m", space, [str(row) for row in range(rows)], target, target)
    shares = np.array([0.7, 0.5, 0.2])
    found = (
        majority_predictions(CalibratedPredictions(like, 2.0, None, {"all": like}), shares).tests["all"].tally.total()
    )
    assert found.recall.tolist() == [1.0, 1.0, 0.0]
    expected = np.mean([metrics.log_loss(target[:, c], np.full(rows, shares[c]), labels=[0, 1]) for c in range(3)])
    assert float(found.log_loss) == pytest.approx(expected)
    with pytest.raises(ValueError, match="expected 3 class shares"):
        majority_predictions(CalibratedPredictions(like, 2.0, None, {"all": like}), shares[:2])


def test_over_majority_is_the_paired_difference_of_each_figure(folder):
    found = run(folder)
    student, floor = found_model(found, STUDENT), found_model(found, "majority")
    for name in ("accuracy", "f1_macro", "log_loss"):
        apart = student["over_majority"][name]
        assert apart["difference"] == pytest.approx(student["quality"][name]["value"] - floor["quality"][name]["value"])
        assert apart["low"] < apart["difference"] < apart["high"]
    assert student["over_majority"]["accuracy"]["low"] > 0 > student["over_majority"]["log_loss"]["high"]


def test_a_model_that_answers_the_majority_is_not_above_it():
    target = np.eye(3)[np.random.default_rng(1).integers(0, 3, 60)]
    one = seeded(np.tile([3.0, 0, 0], (60, 1)), target)
    floor = seeded(np.tile([1.0, 0, 0], (60, 1)), target)
    found = over_majority(one, floor)
    assert [found["accuracy"][key] for key in ("difference", "low", "high")] == [0.0, 0.0, 0.0]
    assert found["log_loss"]["low"] > 0


def macro(target, answers):
    return metrics.f1_score(target, answers, average="macro")


def test_retention_is_what_is_kept_of_the_gain_over_the_majority_answer(folder):
    target = np.concatenate([gold(test) for test in TESTS])
    f1 = {name: macro(target, all_tests(name)[1].argmax(1)) for name in ("base@document", "base@card", STUDENT)}
    floor = macro(target, np.zeros_like(target))
    found = run(folder)
    for view, reference in (("document", "base@document"), ("card", "base@card")):
        kept = found_model(found, STUDENT)["retention"][view]
        assert kept["value"] == pytest.approx((f1[STUDENT] - floor) / (f1[reference] - floor))
        assert kept["value"] < f1[STUDENT] / f1[reference]
        assert kept["low"] < kept["value"] < kept["high"]
    assert found_model(found, "base@card")["retention"] is None


def test_the_interval_of_retention_is_over_shared_resamples():
    random, rows = np.random.default_rng(2), 90
    gold = random.integers(0, 3, rows)
    answers = {name: np.where(random.random(rows) < right, gold, 1) for name, right in (("s", 0.6), ("t", 0.8))}
    answers["majority"] = np.zeros(rows, int)
    models = [seeded(np.eye(3)[answer], np.eye(3)[gold]) for answer in answers.values()]
    found = retention(*models)
    weights = Bootstrap(rows, None, 100, seed=3).resample(np.eye(rows))
    drawn = []
    for draw in weights:
        s, t, m = (
            metrics.f1_score(gold, answer, average="macro", sample_weight=draw, labels=[0, 1, 2], zero_division=0)
            for answer in answers.values()
        )
        drawn.append((s - m) / (t - m))
    assert (found["low"], found["high"]) == pytest.approx(tuple(np.quantile(drawn, [0.025, 0.975])))


def test_a_model_of_one_class_against_the_rest_is_asked_for_that_class(folder):
    """It knows the positive class without a mistake and tells the others apart by their shares alone."""
    target = np.eye(3)[np.repeat([0, 1, 2], [50, 20, 30])]
    odds = np.where(target[:, 2] > 0, 8.0, -8.0)
    logits = np.column_stack([np.zeros(100), np.full(100, -1.0), odds])
    models = seeded(logits, target), seeded(target, target), seeded(np.tile(np.eye(3)[0], (100, 1)), target)
    assert retention(*models, "f1_positive")["low"] == 1.0 and retention(*models)["high"] < 0.95
    models = [dataclasses.replace(one, kept_in="f1_positive") if one.name == STUDENT else one for one in MODELS]
    kept = found_model(run(folder, models=models), STUDENT)["retention"]["card"]
    target = np.concatenate([gold(test) for test in TESTS])
    f1 = [
        metrics.f1_score(target == 2, all_tests(name)[1].argmax(1) == 2, zero_division=0)
        for name in (STUDENT, "base@card")
    ]
    assert kept["metric"] == "f1_positive" and kept["value"] == pytest.approx(f1[0] / f1[1])


@pytest.mark.parametrize("answer", [0, 1])
def test_of_a_teacher_at_or_under_the_majority_answer_nothing_can_be_kept(answer):
    target = np.eye(3)[[0] * 40 + [1] * 20 + [2] * 20]
    teacher, floor = (seeded(np.tile(np.eye(3)[label], (80, 1)), target) for label in (answer, 0))
    assert retention(seeded(target, target), teacher, floor) == {"value": None, "low": None, "high": None}


def test_a_teacher_that_may_be_under_the_majority_answer_leaves_retention_without_interval():
    target = np.eye(3)[[0] * 40 + [1] * 20 + [2] * 20]
    one_right = np.tile(np.eye(3)[0], (80, 1))
    one_right[79] = np.eye(3)[2]
    found = retention(seeded(target, target), seeded(one_right, target), seeded(np.tile(np.eye(3)[0], (80, 1)), target))
    assert found["value"] > 1 and found["low"] is found["high"] is None


def test_without_a_card_teacher_there_is_no_retention_of_one(folder):
    found = run(folder, references=References("base@document", None))
    assert list(found_model(found, STUDENT)["retention"]) == ["document"]


def test_a_student_and_its_files_are_compared_with_the_better_twin(folder):
    found = run(folder, TWINNED)
    for name in (STUDENT, "8L@card.onnx"):
        gold = found_model(found, name)["over_gold"]
        own, twin = (found_model(found, one)["quality"]["f1_macro"]["value"] for one in (name, gold["twin"]))
        assert gold["metric"] == "f1_macro" and gold["difference"] == pytest.approx(own - twin)
        assert gold["low"] <= gold["difference"] <= gold["high"]
    assert found_model(found, FULL)["over_gold"] is None and found_model(found, "base@card")["over_gold"] is None


def test_the_metric_of_the_project_decides(folder):
    settings = Quality(replicates=100, metric="accuracy")
    found = evaluate(TWINNED, TESTS, REFERENCES, {None: folder}, Measuring(SPACE, settings, 1, PRIORS))
    gold = found_model(found, STUDENT)["over_gold"]
    own, twin = (found_model(found, one)["quality"]["accuracy"]["value"] for one in (STUDENT, gold["twin"]))
    assert gold["metric"] == "accuracy" and gold["difference"] == pytest.approx(own - twin)


def spoil(p):
    return dataclasses.replace(p, logits=-p.logits)


@pytest.mark.parametrize(("spoilt", "best", "other"), [(FULL, SHORT, FULL), (SHORT, FULL, SHORT)])
def test_the_better_twin_is_the_one_that_is_better_on_validation(folder, spoilt, best, other):
    rewrite(folder, spoilt, "valid", spoil)
    found = run(folder, TWINNED)
    assert found["twins"] == {STUDENT: {"best": best, "other": [other]}}
    assert found_model(found, STUDENT)["over_gold"]["twin"] == best


def test_test_rows_have_no_say_in_the_choice_of_the_twin(folder):
    rewrite(folder, SHORT, "valid", spoil)
    for test in TESTS:
        rewrite(folder, FULL, test, spoil)
    found = run(folder, TWINNED)
    taken, left = (found_model(found, name)["quality"]["f1_macro"]["value"] for name in (FULL, SHORT))
    assert taken < left and found["twins"][STUDENT]["best"] == FULL


def test_equal_twins_keep_their_order_and_an_equal_student_differs_by_nothing(tmp_path):
    found = run(write(tmp_path, {**SOURCES, SHORT: STUDENT}), TWINNED)
    assert found["twins"][STUDENT] == {"best": FULL, "other": [SHORT]}
    gold = found_model(found, STUDENT)["over_gold"]
    assert (gold["difference"], gold["low"], gold["high"]) == (0.0, 0.0, 0.0)


def test_without_twins_there_is_nothing_to_compare_with(folder):
    found = run(folder)
    assert found["twins"] == {} and found_model(found, STUDENT)["over_gold"] is None


def test_over_seeds_the_better_twin_has_the_lower_mean_log_loss(tmp_path):
    folders = {seed: write(tmp_path / str(seed)) for seed in (1, 2)}
    rewrite(folders[1], SHORT, "valid", spoil)
    single = [run(folder, TWINNED) for folder in folders.values()]
    assert [one["twins"][STUDENT]["best"] for one in single] == [FULL, SHORT]
    found = evaluate(TWINNED, TESTS, REFERENCES, folders, Measuring(SPACE, SETTINGS, 1, PRIORS))
    for name in (FULL, SHORT):
        losses = [found_model(one, name)["valid"]["log_loss"] for one in single]
        assert found_model(found, name)["valid"]["log_loss"] == pytest.approx(np.mean(losses))
    assert found["twins"][STUDENT] == {"best": FULL, "other": [SHORT]}
    gold = found_model(found, STUDENT)["over_gold"]
    assert gold["twin"] == FULL and gold["spread"] == pytest.approx([0.0, 0.0])
