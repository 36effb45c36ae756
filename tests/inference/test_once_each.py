"""Records that a model reads alike are answered once, and only such records."""

from __future__ import annotations

import numpy as np
import pytest

from distill.core.objectives.single_label import SINGLE
from distill.core.swap import ViewSwap
from distill.families.ensemble import Member, Mixture
from distill.inference.both_orders import BothOrders
from distill.inference.once_each import OnceEach
from distill.inference.runner_scorer import RunnerScorer
from distill.inference.scorer import Scorer
from distill.inference.torch_runner import TorchRunner

WINDOWS = {"stride": 4, "max": 3, "pool": "mean"}


class Sums:
    """A runner whose logits are sums of a row's ids; counts its rows."""

    def __init__(self):
        self.rows = 0

    def logits(self, batch):
        self.rows += len(batch["input_ids"])
        sums = (batch["input_ids"] * batch["attention_mask"]).sum(1)
        return np.stack([sums, -sums], axis=1).astype(np.float32)


@pytest.mark.parametrize("windows", [None, WINDOWS], ids=["cut", "windows"])
def test_equal_ids_are_read_once_and_told_of_as_all(windows, make_renderer, rows):
    runner, told, twice = Sums(), [], [*rows, *rows[::-1]]
    once = OnceEach(RunnerScorer(runner, make_renderer(windows=windows), batch_tokens=100))
    (found,) = once.score_chunks([twice], told.append)
    whole = RunnerScorer(Sums(), make_renderer(windows=windows)).score(twice)
    assert np.array_equal(found.logits, whole.logits) and found.tokens.tolist() == whole.tokens.tolist()
    read = {tuple(tuple(w.ids) for w in one.windows) for one in make_renderer(windows=windows).encode_batch(rows)}
    assert runner.rows == sum(map(len, read)) and once.spared == len(twice) - len(read) >= len(rows)
    assert told == sorted(told) and told[-1] == len(twice)


def test_texts_that_differ_behind_the_cut_alone_keep_their_own_counts(make_renderer, rows):
    renderer = make_renderer()
    long = max(rows, key=lambda row: renderer.encode(row).cut_tokens)
    longer = {name: f"{text} {text}" if name == "page.body" else text for name, text in long.items()}
    once = OnceEach(RunnerScorer(Sums(), renderer))
    found = once.score([long, longer])
    assert once.spared == 1 and found.tokens[0] < found.tokens[1] and found.cut_tokens[0] < found.cut_tokens[1]
    assert np.array_equal(found.logits[0], found.logits[1])


def test_without_equal_records_not_a_bit_changes_and_with_them_float_noise_alone(folder, make_renderer, rows):
    unlike = list({str(row): row for row in rows}.values())
    scorer = RunnerScorer(TorchRunner(folder), make_renderer(windows=WINDOWS))
    read = {str(scorer.keys(scorer.prepare([row]))): row for row in unlike}
    alone = scorer.score([*read.values()])
    assert np.array_equal(OnceEach(scorer).score([*read.values()]).logits, alone.logits)
    twice = [row for row in read.values() for _ in range(2)]
    found = OnceEach(scorer).score(twice).logits
    assert np.array_equal(found[::2], found[1::2])
    np.testing.assert_allclose(found, scorer.score(twice).logits, atol=1e-5)


def test_both_orders_and_all_members_have_to_read_the_same(make_renderer, rows):
    renderer = make_renderer()
    inner = RunnerScorer(Sums(), renderer)
    fields = [("product.title", "page.title")]
    both = BothOrders(inner, ViewSwap(fields=fields, order=[1, 0]))
    mixed = Mixture([Member(inner, 1.0), Member(RunnerScorer(Sums(), renderer), 1.0)], SINGLE)
    for scorer in (both, mixed):
        keys = scorer.keys(scorer.prepare([rows[0], rows[1], rows[0]]))
        assert keys[0] == keys[2] != keys[1]
    silent = Mixture([Member(inner, 1.0), Member(Silent(), 1.0)], SINGLE)
    assert silent.keys(silent.prepare(rows[:2])) is None
    once = OnceEach(Silent())
    assert len(once.score([rows[0], rows[0]]).logits) == 2 and once.spared == 0


class Silent(Scorer):
    """A model that does not say what it reads."""

    def prepare(self, rows):
        return [Read() for _ in rows]

    def answer(self, prepared, on_progress=None):
        return np.zeros((len(prepared), 2), np.float32)


class Read:
    """Nothing."""

    tokens = cut_tokens = read_tokens = 0
