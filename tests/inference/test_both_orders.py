"""Answers in both orders of a task that compares."""

import numpy as np
import pytest

from distill.core.project import ViewConfig
from distill.core.rendering import Encoded, Window
from distill.core.swap import ViewSwap
from distill.inference.both_orders import BothOrders, in_both_orders
from distill.inference.scorer import Scorer

SWAP = ViewSwap(fields=[["a", "b"]], order=[1, 0, 2])
ROWS = [{"a": "xxx", "b": "y", "p": "?"}, {"a": "", "b": "yyyy"}, {"a": "z", "b": "z"}]


class Lengths(Scorer):
    """Counts letters, and prefers the first text for no reason; it has no answer for a first text of `fails`."""

    most_failed = 0.3

    def prepare(self, rows):
        return [Encoded([Window([1] * len(row["a"]) or [0], [])], len(row["a"]), len(row["b"])) for row in rows]

    def answer(self, prepared, on_progress=None):
        if on_progress:
            on_progress(len(prepared))
        return np.array([[one.tokens + 1, one.cut_tokens, 0.5] for one in prepared], np.float32)

    def staged(self, prepared):
        return tuple(one.tokens for one in prepared)


def test_logits_are_the_mean_of_both_orders_put_back():
    scorer = BothOrders(Lengths(), SWAP)
    found = scorer.score(ROWS)
    # One letter of the preference for the first place goes to each of the two.
    assert found.logits.tolist() == [[3.5, 1.5, 0.5], [0.5, 4.5, 0.5], [1.5, 1.5, 0.5]]
    other = scorer.score([{"a": row["b"], "b": row["a"]} for row in ROWS]).logits
    assert np.array_equal(other, found.logits[:, SWAP.order])
    assert found.tokens.tolist() == [3, 0, 1] and found.cut_tokens.tolist() == [1, 4, 1] and scorer.most_failed == 0.6


def test_what_is_told_of_a_record_is_of_the_order_that_it_came_in_and_of_all_that_is_read():
    scorer, done = BothOrders(Lengths(), SWAP), []
    prepared = scorer.prepare(ROWS)
    assert [one.read_tokens for one in prepared] == [3 + 1, 1 + 4, 1 + 1]
    scorer.answer(prepared, done.append)
    assert done == [1, 3] and scorer.staged(prepared) == (3, 0, 1)


def test_it_can_be_left_off():
    plain = Lengths()
    view = ViewConfig(left=["a", "b"], max_tokens=9)
    assert in_both_orders(plain, view) is plain
    assert in_both_orders(plain, view.model_copy(update={"swap": SWAP.model_copy(update={"average": False})})) is plain
    assert isinstance(in_both_orders(plain, view.model_copy(update={"swap": SWAP})), BothOrders)


@pytest.mark.parametrize("half", [0, 1])
def test_half_an_answer_is_none(half):
    class Failing(Lengths):
        def answer(self, prepared, on_progress=None):
            found = super().answer(prepared)
            found[[one.tokens == (3, 1)[half] for one in prepared]] = np.nan
            return found

    logits = BothOrders(Failing(), SWAP).score(ROWS[:2]).logits
    assert np.isnan(logits[0]).all() and np.isfinite(logits[1]).all()
