"""One more objective is one class, and one with its losses: a single output on a scale with borders between classes."""

import numpy as np
import pytest
import torch

from distill.core import objectives
from distill.core.config import parse
from distill.core.errors import GateFailed, UserError
from distill.core.files import read_json
from distill.core.label_space import LabelSpace
from distill.core.objectives.objective import known_objectives, objective, of_problem_type
from distill.core.project import Task
from distill.evaluation.calibration import fit_temperature
from distill.evaluation.metrics import mixture, prior_logits
from distill.evaluation.scored import Scored
from distill.inference.torch_runner import TorchRunner
from distill.models.encoder import load_classifier
from distill.training import objectives as row_losses_package
from distill.training.collapse import require_spread
from distill.training.fit import fit
from distill.training.losses.gold import Gold
from distill.training.losses.soft_cross_entropy import SoftCrossEntropy
from distill.training.objectives.row_losses import row_losses
from tests.training.toy import LABELS, toy_examples, toy_loss, toy_run, toy_training

GRADED = '''
from dataclasses import dataclass

import numpy as np

from distill.core.activations import softmax
from distill.core.objectives.single_label import SingleLabel


@dataclass(frozen=True)
class Graded(SingleLabel):
    """The classes are the grades 0, 1, 2, ..., with borders halfway between them."""

    classes: int

    name, problem_type, activation, tempered = "graded", "regression", "identity", False

    @classmethod
    def of(cls, classes):
        return cls(classes)

    def head_size(self, classes):
        return 1

    def probabilities(self, logits):
        return softmax(-4 * (np.asarray(logits, np.float64) - np.arange(self.classes)) ** 2)

    def logits(self, probabilities, least=1e-12):
        return self._grade(np.asarray(probabilities, np.float64))

    def decisions(self, logits):
        return super().decisions(self.probabilities(logits))

    def row_log_loss(self, logits, target):
        return ((logits - self._grade(target)) ** 2)[:, 0]

    def _grade(self, shares):
        return (shares * np.arange(self.classes)).sum(-1, keepdims=True)
'''
GRADED_LOSSES = """
from distill.training.objectives.row_losses import RowLosses, require_softened


class GradedLosses(RowLosses):
    name = "graded"

    def hard(self, logits, target):
        grades = logits.new_tensor(range(target.shape[1]))
        return (logits[:, 0] - (target * grades).sum(-1)) ** 2

    def soft(self, student_logits, teacher_logits, temperature):
        require_softened(student_logits, teacher_logits, temperature)
        return ((student_logits - teacher_logits) ** 2).sum(-1)
"""


@pytest.fixture
def graded(tmp_path, monkeypatch):
    """The third objective as two files, found while the test runs."""
    for package, source in ((objectives, GRADED), (row_losses_package, GRADED_LOSSES)):
        folder = tmp_path / package.__name__
        folder.mkdir()
        (folder / "graded.py").write_text(source, encoding="utf-8")
        monkeypatch.setattr(package, "__path__", [*package.__path__, str(folder)])
    return objective("graded", 3)


def test_the_objectives_and_what_they_are_called():
    assert known_objectives() == ["multi", "single"]
    assert [of_problem_type(name, 3).name for name in (None, "?", "multi_label_classification")] == [
        "single",
        "single",
        "multi",
    ]
    with pytest.raises(UserError, match="did you mean 'multi'"):
        objective("multy", 3)


def test_it_is_found_by_its_name_in_the_project(graded):
    space = parse(Task, {"labels": list(LABELS), "kind": "graded"}, "project.yaml", "task").space
    assert space.objective == graded and space.outputs == ("output_0",)
    assert of_problem_type("regression", 3) == graded
    assert space.target({LABELS[0]: 1, LABELS[2]: 3}).tolist() == [0.25, 0, 0.75]


def test_its_figures_come_from_one_output(graded):
    space = LabelSpace(LABELS, graded, LABELS[2])
    target = np.eye(3)[[0, 1, 2, 1]]
    scored = Scored("m", space, list("абвг"), np.array([[-3.0], [1.2], [1.6], [0.2]]), target)
    total = scored.tally.total()
    assert total.accuracy == 0.75 and total.log_loss == pytest.approx((9 + 0.04 + 0.16 + 0.64) / 4)
    assert scored.positive()[1].tolist() == [False, False, True, False]
    with pytest.raises(ValueError, match=r"expected \(4, 1\) and \(4, 3\)"):
        Scored("m", space, list("абвг"), target, target)
    assert fit_temperature(scored.logits, target, graded) == 1
    mixed = mixture([[[0.0]], [[1.0]]], [1, 1], graded)
    assert mixed.shape == (1, 1) and mixed[0, 0] == pytest.approx(0.5, abs=0.02)
    assert prior_logits([0.5, 0.0, 0.5], graded).tolist() == [1.0]


def test_it_is_trained_with_a_head_of_one_output(graded, encoder, tmp_path):
    torch.manual_seed(5)
    model = load_classifier(encoder, LABELS, graded)
    assert (model.config.num_labels, model.config.problem_type) == (1, "regression")
    valid = toy_examples(encoder, 12, prefix="в")
    labels = {f"т{index}": np.float32([index % 3]) for index in range(0, 60, 2)}
    train = toy_examples(encoder, 60, soft=labels)
    loss = toy_loss(objective=graded)
    assert [type(term) for term in loss.terms] == [Gold, SoftCrossEntropy]
    assert any(example.teacher_logits is not None for example in train)
    folder = tmp_path / "model"
    fit(model, train, valid, toy_training(epochs=4, dropout=0, may_collapse=True), toy_run(loss), folder)
    batch = {name: np.ones((2, 4), np.int64) for name in ("input_ids", "attention_mask", "token_type_ids")}
    assert TorchRunner(folder).logits(batch).shape == (2, 1)
    losses = [entry["log_loss"] for entry in read_json(folder / "training_history.json")["history"]]
    assert losses[-1] < losses[0] and row_losses(graded).name == "graded"


def test_a_collapse_is_judged_by_its_borders(graded):
    gold = np.eye(3, dtype=np.float32)[[0, 1, 2, 1]]
    with pytest.raises(GateFailed, match=f"'{LABELS[1]}'"):
        require_spread(np.full((4, 1), 1.1, np.float32), gold, LABELS, graded, 0.5)
    require_spread(np.float32([[0.1], [1.1], [1.9], [1.0]]), gold, LABELS, graded, 0.5)
