"""How a fit treats classes: gold that is smoothed, classes that weigh more, rows that are drawn again."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from sklearn.utils.class_weight import compute_class_weight

from distill.core.label_space import LabelSpace
from distill.core.objectives.multi_label import MultiLabel
from distill.core.record_store import write_records
from distill.evaluation.calibration import fit_temperature
from distill.evaluation.metrics import log_loss
from distill.pipeline.entries import student_entry
from distill.training.aims import aim_of
from distill.training.config import TrainingConfig
from distill.training.distillation_loss import DistillationLoss
from distill.training.examples import Examples, gold
from distill.training.fit_objectives.one_vs_rest import OneVsRest
from distill.training.fit_objectives.registry import parse_objective
from distill.training.joining import Share
from distill.training.learnt_rows import Labels, gold_rows, soft_rows
from distill.training.losses.gold import Gold
from distill.training.losses.logits_mse import LogitsMse
from distill.training.losses.r_drop import RDrop
from distill.training.losses.soft_cross_entropy import SoftCrossEntropy
from distill.training.losses.term import Outputs
from distill.training.oversampling import oversampled
from tests.families.lessons import toy_labels
from tests.training.toy import LABELS, SPACE, toy_records, write_toy

ORDERED = LabelSpace(LABELS, positive=LABELS[2], ordered=True)
LOGITS = torch.tensor([[1.0, -2.0, 0.5], [0.0, 3.0, -1.0], [2.0, 0.1, 0.2], [0.3, 0.2, 0.1]])
GOLD = torch.tensor([[1.0, 0, 0], [0, 0, 1.0], [0, 0.25, 0.75], [0, 1.0, 0]])
TAUGHT = torch.tensor([[2.0, 0.0, -1.0], [0.0, 0.0, 4.0], [-1.0, 1.0, 1.0], [0.0, 1.0, 0.0]])
GOLD_ALONE = (Gold(),)


@pytest.fixture(scope="module")
def uneven(tmp_path_factory):
    """Records of which 8, 4 and 2 rows are of each class, and a pool."""
    folder = write_toy(tmp_path_factory.mktemp("uneven"))
    rows = toy_records("т", 24)
    write_records(
        folder / "train.parquet", [row for start, count in enumerate((8, 4, 2)) for row in rows[start::3][:count]]
    )
    return folder


def aimed(training, space, records):
    """The aim of a fit on a records artifact; None where it is not read."""
    learnt = None if records is None else gold_rows(records)
    return aim_of(TrainingConfig.model_validate(training), space, learnt, records)


def loss_of(training, outputs, space=SPACE, terms=GOLD_ALONE, records=None):
    """The loss () of four rows with gold and soft labels."""
    aim = aimed(training, space, records)
    yes = torch.ones(4, dtype=torch.bool)
    batch = {"target": GOLD, "has_gold": yes, "has_teacher": yes}
    loss = DistillationLoss(terms, aim.head, aim=aim)
    return loss(Outputs(outputs, aim.head), Outputs(TAUGHT, aim.head), batch).item()


def test_label_smoothing_spreads_gold_over_the_classes():
    expected = torch.nn.functional.cross_entropy(LOGITS, GOLD, label_smoothing=0.2).item()
    assert loss_of({"label_smoothing": 0.2}, LOGITS) == pytest.approx(expected)
    assert loss_of({}, LOGITS) == pytest.approx(torch.nn.functional.cross_entropy(LOGITS, GOLD).item())


def test_label_smoothing_of_several_labels_is_of_each_yes_and_no():
    several = LabelSpace(LABELS, MultiLabel())
    expected = torch.nn.functional.binary_cross_entropy_with_logits(LOGITS, GOLD * 0.8 + 0.1).item()
    assert loss_of({"label_smoothing": 0.2}, LOGITS, several) == pytest.approx(expected)


def test_a_row_with_gold_weighs_what_its_class_does(uneven):
    rows = -(GOLD * LOGITS.log_softmax(-1)).sum(-1)
    weights = torch.tensor([1.0, 3.0, 0.5])
    found = loss_of({"class_weights": {LABELS[1]: 3, LABELS[2]: 0.5}}, LOGITS)
    assert found == pytest.approx((rows * (GOLD @ weights)).mean().item())
    even = torch.tensor(compute_class_weight("balanced", classes=np.arange(3), y=[0] * 8 + [1] * 4 + [2] * 2)).float()
    found = loss_of({"class_weights": "balanced"}, LOGITS, records=uneven)
    assert found == pytest.approx((rows * (GOLD @ even)).mean().item())
    soft = loss_of({"class_weights": {LABELS[1]: 9}}, LOGITS, terms=(SoftCrossEntropy(),))
    assert soft == loss_of({}, LOGITS, terms=(SoftCrossEntropy(),))


def test_oversampling_repeats_gold_rows_of_rarer_classes_and_nothing_else(uneven, tmp_path):
    learnt = gold_rows(uneven)
    found = oversampled(learnt, 0.75, SPACE, 5)
    counts = np.bincount(found.target[found.rows].argmax(1))
    assert counts.tolist() == [8, 6, 6] and len(found) == 20
    assert set(found.rows) == set(learnt.rows) and (np.diff(found.rows) >= 0).all()
    assert (oversampled(learnt, 0.75, SPACE, 5).rows == found.rows).all()
    assert not np.array_equal(oversampled(learnt, 0.75, SPACE, 6).rows, found.rows)
    assert len(found.source) == 20


def test_the_gold_that_a_fit_learns_counts_rows_as_often_as_they_are_drawn(uneven, tmp_path):
    labels = toy_labels(uneven, tmp_path / "labels")
    learnt = oversampled(soft_rows(uneven, Labels({labels: Share()}), SPACE, tmp_path), 0.75, SPACE, 5)
    examples = Examples(learnt, SimpleNamespace(lengths=np.zeros(len(learnt.target), np.int32)))
    assert gold(examples, 3).sum(axis=0).tolist() == [8, 6, 6]  # and none of the 18 rows of the pool


def test_a_row_of_the_pool_is_not_drawn_again(uneven, tmp_path):
    labels = toy_labels(uneven, tmp_path / "labels")
    learnt = soft_rows(uneven, Labels({labels: Share()}), SPACE, tmp_path)
    found = oversampled(learnt, 1.0, SPACE, 5)
    assert np.bincount(found.source).tolist() == [24, 18] and np.bincount(learnt.source).tolist() == [14, 18]
    # A row that is drawn again brings its soft labels along, as docs/objectives.md says.
    assert found.soft is learnt.soft and len(found.rows) > len(np.unique(found.rows))


def test_a_students_twin_treats_classes_as_it_does():
    own = {"label_smoothing": 0.1, "class_weights": {LABELS[0]: 2}, "oversample": 0.5, "objective": "one_vs_rest"}
    twin = student_entry("8L", {"training": own}, "test", Path("nowhere")).on_gold_alone()
    assert {name: getattr(twin.training, name) for name in own} == own | {"objective": parse_objective("one_vs_rest")}


def test_a_regression_learns_mean_values_of_gold_and_of_soft_labels():
    training = {"objective": {"regression": {"class_values": [0, 1, 3]}}}
    outputs, values = torch.tensor([[0.5], [2.0], [1.0], [0.0]]), torch.tensor([0.0, 1, 3])
    values = values / 1.5  # their mean gap is the unit of the output
    gold = (outputs[:, 0] - GOLD @ values).square().mean().item()
    assert loss_of(training, outputs, ORDERED) == pytest.approx(gold)
    soft = (outputs[:, 0] - TAUGHT.softmax(-1) @ values).square().mean().item()
    for term in (SoftCrossEntropy(temperature=4), LogitsMse()):
        assert loss_of(training, outputs, ORDERED, (term,)) == pytest.approx(soft)
    apart = ((outputs[:2] - outputs[2:]).square().sum() / 4).item()
    assert loss_of(training, outputs, ORDERED, (RDrop(),)) == pytest.approx(apart)


@pytest.mark.parametrize("spread", [0.25, 0.4, 1.5])
@pytest.mark.parametrize("borders", ["midpoints", "accuracy", "f1"])
def test_a_regression_is_the_same_in_any_unit_and_its_scale_the_best(spread, borders):
    """Outputs are spread by a share of a gap; a quarter asks for a scale of about 16."""
    chance = np.random.default_rng(1)
    gold = chance.integers(0, 3, 2000)
    outputs = (gold + chance.normal(0, spread, 2000))[:, None].astype(np.float32)
    target = np.eye(3, dtype=np.float32)[gold]
    found = {}
    for first, gap in ((0, 1), (0, 50), (-3, 0.01)):
        own = {"class_values": [first, first + gap, first + 2 * gap], "borders": borders}
        found[gap] = aimed({"objective": {"regression": own}}, ORDERED, None).folded(outputs, target)
        np.testing.assert_allclose(found[gap].affine(outputs), found[1].affine(outputs), rtol=1e-3, atol=1e-3)
        plain, told = found[1].figures, found[gap].figures
        np.testing.assert_allclose(told["borders"], first + gap * np.array(plain["borders"]), atol=2e-6 * max(1, gap))
        assert told["midpoints"] == pytest.approx([first + 0.5 * gap, first + 1.5 * gap])
        assert told["scale"] * gap**2 == pytest.approx(plain["scale"], rel=1e-3)
        assert told["valid"]["borders"]["log_loss"] == pytest.approx(plain["valid"]["borders"]["log_loss"], abs=1e-4)
    logits = found[1].affine(outputs)
    losses = [log_loss(logits * factor, target) for factor in (0.8, 1.0, 1.25)]
    assert losses[1] == min(losses)
    fixed = {"class_values": [0, 50, 100], "scale": 0.002}
    folded = aimed({"objective": {"regression": fixed}}, ORDERED, None).folded(outputs, target)
    between = folded.affine(np.array([[1.0], [2.0]]))  # values 50 and 100
    assert (between[1] - between[0]).tolist() == pytest.approx([0, 0.002 * 50 * 50, 0.002 * 100 * 50])


def test_one_vs_rest_learns_the_odds_of_the_positive_class(uneven):
    z, p = torch.tensor([[0.5], [2.0], [-1.0], [0.0]]), TAUGHT.softmax(-1)[:, 2:]
    training = {"objective": "one_vs_rest"}
    cross_entropy = torch.nn.functional.binary_cross_entropy_with_logits
    gold = cross_entropy(z, GOLD[:, 2:]).item()
    assert loss_of(training, z, ORDERED, records=uneven) == pytest.approx(gold)
    soft = loss_of(training, z, ORDERED, (SoftCrossEntropy(temperature=1),), uneven)
    assert soft == pytest.approx(cross_entropy(z, p).item())
    softer = loss_of(training, z, ORDERED, (SoftCrossEntropy(temperature=2),), uneven)
    assert softer == pytest.approx(4 * cross_entropy(z / 2, ((p / (1 - p)).log() / 2).sigmoid()).item())
    served = aimed(training, ORDERED, uneven).served
    np.testing.assert_allclose(served.offsets, np.log([2 / 3, 1 / 3, 1]))


@pytest.mark.parametrize("surer", [0.4, 1.0, 2.5])
def test_the_probability_of_one_class_is_calibrated_as_a_yes_or_no(surer):
    """Log odds that are right but for a factor, of one class among 41: the temperature of all logits leaves them be."""
    chance = np.random.default_rng(0)
    labels, rows = tuple(f"c{place}" for place in range(41)), 20_000
    odds = chance.normal(-2.5, 1.5, rows)
    is_positive = chance.random(rows) < 1 / (1 + np.exp(-odds))
    target = np.eye(41, dtype=np.float32)[np.where(is_positive, 0, chance.integers(1, 41, rows))]
    outputs = (surer * odds)[:, None].astype(np.float32)
    space = LabelSpace(labels, positive="c0")
    folded = OneVsRest().aim(space, np.full(41, 1 / 41)).folded(outputs, target)
    assert folded.figures["scale"] == pytest.approx(1 / surer, rel=0.05)
    logits = folded.affine(outputs)
    temperature = fit_temperature(logits, target)
    assert temperature == pytest.approx(1, abs=0.03)
    served = space.objective.probabilities(logits / temperature)[:, 0]
    np.testing.assert_allclose(served.mean(), is_positive.mean(), atol=0.01)
    fixed = OneVsRest(scale=0.5).aim(space, np.full(41, 1 / 41)).folded(outputs[:0], target[:0])
    probability = space.objective.probabilities(fixed.affine(np.array([[3.0]])))[0, 0]
    assert probability == pytest.approx(1 / (1 + np.exp(-1.5)))


def test_few_validation_rows_that_are_all_right_make_no_probability_0_or_1():
    """Sixty rows apart by a wide margin: the scale of a regression, and of one class against the rest, is theirs."""
    target = np.eye(3, dtype=np.float32)[np.arange(60) % 3]
    place = (np.arange(60) % 3)[:, None].astype(np.float32)
    regression = aimed({"objective": "regression"}, ORDERED, None).folded(place, target)
    assert 5 < regression.figures["scale"] < 10
    odds = OneVsRest().aim(ORDERED, np.full(3, 1 / 3))
    outputs = 30 * target[:, [odds.positive]] - 15
    chance = ORDERED.objective.probabilities(odds.folded(outputs, target).affine(outputs))[:, odds.positive]
    assert np.abs(chance - target[:, odds.positive]) == pytest.approx(1 / 62, rel=1e-4)
