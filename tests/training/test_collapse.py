"""The guard against a model that says the same of every row."""

import numpy as np
import pytest

from distill.core.errors import GateFailed
from distill.core.objectives.multi_label import MultiLabel
from distill.core.objectives.single_label import SINGLE
from distill.training.collapse import require_finite, require_spread

LABELS = ("мимо", "рядом", "точно")
GOLD = np.eye(3, dtype=np.float32)[[0, 1, 2, 1]]
ADVICE = "lower the learning rate"


def _constant(answer=1, rows=4):
    logits = np.random.default_rng(0).normal(0, 0.1, (rows, 3)).astype(np.float32)
    logits[:, answer] += 5
    return logits


def test_one_answer_for_all_rows_is_refused_by_name_and_with_advice():
    with pytest.raises(GateFailed, match="'рядом'(?s:.*)learning rate 0.5(?s:.*)lower the learning rate"):
        require_spread(_constant(), GOLD, LABELS, SINGLE, 0.5)


def test_a_run_that_was_ended_where_it_began_is_told_to_train_longer():
    with pytest.raises(GateFailed, match="collapsed(?s:.*)raise training.patience(?s:.*)epochs") as refused:
        require_spread(_constant(), GOLD, LABELS, SINGLE, 0.5, stopped=True)
    assert ADVICE not in str(refused.value)


def test_a_single_other_answer_is_enough():
    logits = _constant()
    logits[2, 0] = 9
    require_spread(logits, GOLD, LABELS, SINGLE, 0.5)


def test_one_answer_is_right_where_gold_has_one():
    require_spread(_constant(), np.eye(3, dtype=np.float32)[[1, 1, 1, 1]], LABELS, SINGLE, 0.5)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_logits_that_are_not_finite_are_refused(value):
    logits = (GOLD * 2).copy()
    logits[3, 2] = value
    with pytest.raises(GateFailed, match=f"diverged(?s:.*){ADVICE}"):
        require_finite(logits, 0.5)


def test_multi_label_answers_are_sets_of_labels():
    gold = np.array([[1, 1, 0], [1, 0, 0], [0, 0, 0]], np.float32)
    with pytest.raises(GateFailed, match=f"the same labels(?s:.*){ADVICE}"):
        require_spread(np.tile(np.float32([3, -1, -1]), (3, 1)), gold, LABELS, MultiLabel(), 0.5)
    require_spread(gold * 2 - 1, gold, LABELS, MultiLabel(), 0.5)


def test_multi_label_rows_may_share_their_largest_logit():
    gold = np.array([[1, 1, 0], [1, 0, 0]], np.float32)
    require_spread(np.float32([[3, 1, -1], [3, -1, -1]]), gold, LABELS, MultiLabel(), 0.5)


def test_probabilities_that_tell_rows_apart_are_no_collapse_although_one_class_always_leads():
    gold = np.eye(3, dtype=np.float32)[[1] * 8 + [0, 2]]
    logits = np.tile(np.float32([0, 3, 0]), (10, 1))
    with pytest.raises(GateFailed, match="collapsed"):
        require_spread(logits, gold, LABELS, SINGLE, 0.5)
    logits[8:] = [[1, 1.5, 0], [0, 1.5, 1]]
    require_spread(logits, gold, LABELS, SINGLE, 0.5)
