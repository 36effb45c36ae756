"""The quality block of a report and comparisons on scored rows."""

import dataclasses
import json

import numpy as np
import pytest

from distill.core.activations import sigmoid, softmax
from distill.core.errors import UserError
from distill.core.label_space import LabelSpace
from distill.core.objectives.multi_label import MultiLabel
from distill.evaluation import metrics
from distill.evaluation.operating_points import measured
from distill.evaluation.over_seeds import METRICS, Seeded, comparison
from distill.evaluation.point_figures import Thresholds
from distill.evaluation.quality import quality
from distill.evaluation.scored import Scored
from distill.evaluation.statistics import ece_interval, interval

SPACE = LabelSpace(("not_about_pr", "ment_pr", "about_pr"), positive="about_pr", ordered=True)
ROWS = 240


def scored(seed=0, signal=1.5, name="8L_trunc@card", space=SPACE, **changes):
    """Rows whose gold depends on nothing but the row number, and logits of the given strength."""
    gold = np.random.default_rng(99).integers(0, 3, ROWS)
    target = np.eye(3, dtype=np.float32)[gold]
    logits = np.random.default_rng(seed).normal(size=(ROWS, 3)) + signal * target
    given = {
        "ids": [f"товар-{i}" for i in range(ROWS)],
        "logits": logits.astype(np.float32),
        "target": target,
        "slices": ["аптека" if i % 3 else "электроника" for i in range(ROWS)],
        "clusters": np.arange(ROWS) // 2,
    }
    return Scored(name=name, space=space, **(given | changes))


def block(one, points=None):
    """The quality block; `points`: thresholds that every resample of validation would choose too."""
    drawn = {rule: np.full(200, np.nan if least is None else least) for rule, least in (points or {}).items()}
    return quality(Seeded([one], one.bootstrap(replicates=200)), [] if points is None else [Thresholds(points, drawn)])


def compared(a, b, metric, replicates=50):
    one, other = (Seeded([scored], scored.bootstrap(replicates)) for scored in (a, b))
    return comparison(one, other, metric)


def test_the_block_has_the_shape_of_the_contract():
    one = scored()
    found = block(one, {"f1": 0.4, "recall@P>=0.9": None})
    assert set(found) == {
        *("rows", "accuracy", "f1_macro", "f1_weighted", "log_loss", "ece", "kappa_quadratic", "grade_distance"),
        *("per_class", "confusions", "positive", "slices"),
    }
    for figure in ("accuracy", "f1_macro", "log_loss", "ece", "kappa_quadratic", "grade_distance"):
        assert found[figure]["low"] <= found[figure]["value"] <= found[figure]["high"]
    assert list(found["per_class"]) == list(SPACE.labels)
    figures = {"precision", "recall", "f1"}
    assert set(found["per_class"]["ment_pr"]) == {"accuracy", *figures, *(f"{name}_interval" for name in figures)}
    assert set(found["slices"]["аптека"]) == {"rows", "accuracy", "accuracy_interval", "f1_macro", "f1_positive"}
    assert found["positive"]["operating_points"]["recall@P>=0.9"] is None
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_only_labels_on_a_scale_have_grades():
    found = block(scored(space=dataclasses.replace(SPACE, ordered=False)))
    assert not {"kappa_quadratic", "grade_distance"} & set(found)


def test_a_class_without_rows_is_named_with_the_figures_that_count_it_as_0():
    one = scored()
    some = one.target[:, 1] == 0
    slices = ["аптека" if row == 2 else "электроника" for row in one.target[some].argmax(1)]
    kept = {"ids": [f"{i}" for i in range(some.sum())], "clusters": None, "slices": slices}
    found = block(scored(logits=one.logits[some], target=one.target[some], **kept))
    assert found["absent"] == ["ment_pr"] and found["slices"]["аптека"]["absent_classes"] == 2
    assert not any("ment_pr" in str(figures) for figures in found["slices"].values()), "no names in every slice"
    assert found["per_class"]["ment_pr"]["f1"] == 0 and found["f1_macro"]["value"] <= 2 / 3
    assert "absent" not in block(one) and "absent_classes" not in block(one)["slices"]["аптека"]


def test_values_are_those_of_metrics():
    one = scored()
    found = block(one)
    for figure in ("accuracy", "f1_macro", "log_loss", "ece"):
        assert found[figure]["value"] == pytest.approx(getattr(metrics, figure)(one.logits, one.target))


def test_intervals_are_percentiles_and_that_of_calibration_error_is_reflected():
    one = scored()
    total = one.tally.total()
    resampled = metrics.Tally(one.bootstrap(replicates=200).resample(one.tally.columns))
    found = block(one)
    assert found["accuracy"] == interval(total.accuracy, resampled.accuracy)
    assert found["ece"] == ece_interval(total.ece, resampled.ece)


def test_slices_add_up_and_are_measured_on_their_own_rows():
    one = scored()
    slices = block(one)["slices"]
    assert sum(part["rows"] for part in slices.values()) == ROWS
    mine = np.array(one.slices) == "аптека"
    assert slices["аптека"]["accuracy"] == pytest.approx(metrics.accuracy(one.logits[mine], one.target[mine]))
    weighted = sum(part["rows"] * part["accuracy"] for part in slices.values()) / ROWS
    assert weighted == pytest.approx(block(one)["accuracy"]["value"])


def test_operating_points_are_measured_one_against_the_rest():
    one = scored()
    point = block(one, {"f1": 0.4})["positive"]["operating_points"]["f1"]
    ends = {name: point.pop(f"{name}_interval") for name in ("accuracy", "precision", "recall", "f1")}
    assert point == measured(softmax(one.logits)[:, 2], one.target[:, 2] == 1, 0.4)
    assert all(low < point[name] < high for name, (low, high) in ends.items())


def test_a_threshold_above_every_score_measures_zero():
    point = block(scored(), {"f1": 1.5})["positive"]["operating_points"]["f1"]
    assert point["f1"] == 0.0 and point["f1_interval"] == [0.0, 0.0]


def test_without_positive_class_slices_and_points():
    one = scored(space=dataclasses.replace(SPACE, positive=None), slices=None)
    found = block(one)
    assert found["positive"] is None and found["slices"] is None
    assert block(scored(), None)["positive"] == {"operating_points": {}}
    assert block(scored(space=one.space))["slices"]["аптека"]["f1_positive"] is None


def test_a_model_that_predicts_one_class_has_figures_without_nan():
    constant = np.tile(np.array([5.0, 0.0, 0.0], np.float32), (ROWS, 1))
    found = block(scored(logits=constant), {"f1": 0.5})
    assert [found["per_class"]["about_pr"][key] for key in ("precision", "recall", "f1")] == [0.0, 0.0, 0.0]
    assert found["per_class"]["not_about_pr"]["recall"] == 1.0
    json.dumps(found, allow_nan=False)


def test_votes_and_multi_label_give_a_block():
    votes = np.random.default_rng(1).dirichlet(np.ones(3), ROWS).astype(np.float32)
    assert block(scored(target=votes))["log_loss"]["value"] > 0
    several = scored(space=dataclasses.replace(SPACE, objective=MultiLabel()), target=(votes > 0.3).astype(np.float32))
    found = block(several, {"f1": 0.5})
    chances, gold = sigmoid(several.logits)[:, 2], several.target[:, 2] == 1
    assert found["positive"]["operating_points"]["f1"]["f1"] == measured(chances, gold, 0.5)["f1"]


@pytest.mark.parametrize("metric", METRICS)
def test_a_comparison_is_the_difference_of_the_two_blocks(metric):
    weak, strong = scored(1, 0.5, "6L@card"), scored(2, 3.0, "base@document")
    found = compared(strong, weak, metric, 200)
    values = [
        block(one)["per_class"]["about_pr"]["f1"] if metric == "f1_positive" else block(one)[metric]["value"]
        for one in (strong, weak)
    ]
    assert (found["a"], found["b"], found["metric"]) == ("base@document", "6L@card", metric)
    assert found["difference"] == pytest.approx(values[0] - values[1])
    assert found["low"] <= found["difference"] <= found["high"] and found["p_value"] < 0.05
    assert (found["difference"] > 0) == (metric != "log_loss")


SWAPPED = ["товар-1", "товар-0", *(f"товар-{i}" for i in range(2, ROWS))]


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"ids": SWAPPED}, "товар-0 beside товар-1"),
        ({"target": np.eye(3, dtype=np.float32)[[0] * ROWS]}, "other gold"),
        ({"space": LabelSpace(("да", "нет", "about_pr"), positive="about_pr")}, "other gold"),
    ],
)
def test_other_rows_cannot_be_compared(changes, found):
    one, other = scored(), scored(**changes)
    with pytest.raises(UserError, match=found):
        compared(one, other, "accuracy")


def test_another_number_of_rows_cannot_be_compared():
    one = scored()
    fewer = Scored("6L", SPACE, one.ids[:100], one.logits[:100], one.target[:100])
    with pytest.raises(UserError, match="240 and 100 rows"):
        compared(one, fewer, "accuracy")


def test_logits_that_are_not_finite_are_named():
    logits = scored().logits.copy()
    logits[3, 1], logits[7, 0] = np.nan, np.inf
    with pytest.raises(UserError, match="товар-3") as error:
        scored(logits=logits)
    assert "2 of 240 rows" in str(error.value)


def test_no_rows_and_wrong_shapes_are_refused():
    with pytest.raises(UserError, match="0 rows"):
        Scored("пусто", SPACE, [], np.zeros((0, 3)), np.zeros((0, 3)))
    with pytest.raises(ValueError, match=r"expected \(240, 3\)"):
        scored(logits=np.zeros((ROWS, 2)))
    with pytest.raises(ValueError, match="1 slices"):
        scored(slices=["аптека"])


def test_f1_positive_needs_a_positive_class():
    one = scored(space=dataclasses.replace(SPACE, positive=None))
    with pytest.raises(UserError, match=r"task\.positive"):
        compared(one, one, "f1_positive")


def test_precision_and_recall_of_a_class_have_intervals_around_them():
    for label, figures in block(scored())["per_class"].items():
        for name in ("precision", "recall"):
            low, high = figures[f"{name}_interval"]
            assert low <= figures[name] <= high and low < high, (label, name)


def test_accuracy_in_a_slice_has_wilsons_interval_over_clusters():
    one = scored()
    alone = block(one)["slices"]["аптека"]
    low, high = alone["accuracy_interval"]
    assert low < alone["accuracy"] < high
    again = {name: [value for value in getattr(one, name) for _ in range(4)] for name in ("ids", "slices")}
    logits, target = (np.repeat(array, 4, axis=0) for array in (one.logits, one.target))
    repeated = block(scored(logits=logits, target=target, clusters=np.repeat(one.clusters, 4), **again))
    assert repeated["slices"]["аптека"]["accuracy_interval"] == pytest.approx([low, high], abs=0.01)
