"""Examples, their batches, windows pooled to rows, and the order of rows."""

import numpy as np
import pytest
import torch

from distill.core.records import Record
from distill.core.rendering import Window
from distill.training.examples import Collator, Example, LengthGroupedSampler, encode_examples, pool_windows
from tests.training.toy import CARD, WINDOWED, random_logits, toy_records, toy_view

LENGTHS = np.random.default_rng(0).integers(4, 200, 3017)


def _example(lengths, teacher=None, target=None):
    windows = [Window(list(range(5, 5 + length)), [0] * (length - 1) + [1]) for length in lengths]
    return Example(windows, teacher, target)


def _batches(order, size):
    return [order[start : start + size] for start in range(0, len(order), size)]


def _padding(order, size):
    return sum(LENGTHS[rows].max() * len(rows) - LENGTHS[rows].sum() for rows in _batches(order, size))


def _order(seed=1, epoch=0, size=16, lengths=LENGTHS):
    sampler = LengthGroupedSampler(lengths, size, seed)
    sampler.set_epoch(epoch)
    return list(sampler)


def test_soft_labels_are_joined_by_id(encoder):
    records = [*toy_records("т", 4), *toy_records("п", 3, labelled=False)]
    soft = {"п2": random_logits(1)[0], "т1": random_logits(1, seed=1)[0], "чужой": random_logits(1)[0]}
    examples = encode_examples(records, toy_view(encoder).renderer(), soft)
    assert [e.teacher_logits is not None for e in examples] == [False, True, False, False, False, False, True]
    assert examples[1].teacher_logits is soft["т1"] and examples[6].teacher_logits is soft["п2"]
    assert [e.target is not None for e in examples] == [True] * 4 + [False] * 3
    assert np.array_equal(examples[1].target, records[1].target)


def test_examples_hold_what_the_view_renders(encoder):
    record = Record("1", {"product.title": "дрель 3", "page.title": "купить дрель"})
    (example,) = encode_examples([record], toy_view(encoder, CARD).renderer())
    assert example.windows == toy_view(encoder, CARD).renderer().encode(record.fields).windows
    assert example.length == len(example.windows[0].ids)


def test_length_is_that_of_the_longest_window():
    assert _example([3, 7, 5]).length == 7


def test_collator_pads_all_windows_together():
    teacher, target = np.float32([1, 2, 3]), np.float32([0, 1, 0])
    batch = Collator(3, 3, pad_id=9)([_example([4], teacher), _example([6, 3], None, target), _example([2])])
    shapes = {name: tuple(values.shape) for name, values in batch.items()}
    assert shapes == {
        **dict.fromkeys(("input_ids", "attention_mask", "token_type_ids"), (4, 6)),
        "owner": (4,),
        **dict.fromkeys(("teacher_logits", "target"), (3, 3)),
        **dict.fromkeys(("has_teacher", "has_gold", "source"), (3,)),
    }
    assert batch["owner"].tolist() == [0, 1, 1, 2]
    assert batch["input_ids"][2].tolist() == [5, 6, 7, 9, 9, 9] and batch["attention_mask"].sum(1).tolist() == [
        4,
        6,
        3,
        2,
    ]
    assert batch["has_teacher"].tolist() == [True, False, False] and batch["has_gold"].tolist() == [False, True, False]
    assert batch["teacher_logits"][0].tolist() == [1, 2, 3] and batch["target"][1].tolist() == [0, 1, 0]
    assert batch["target"].dtype == batch["teacher_logits"].dtype == torch.float32


def test_windows_of_a_view_reach_the_batch(encoder):
    examples = encode_examples(toy_records("т", 12), toy_view(encoder, WINDOWED).renderer())
    batch = Collator(3, 3, 0)(examples)
    assert max(len(e.windows) for e in examples) > 1
    assert batch["owner"].bincount().tolist() == [len(e.windows) for e in examples]


def _pooled_by_loop(logits, owner, how):
    rows = []
    for row in range(max(owner) + 1):
        own = torch.stack([logits[index] for index, name in enumerate(owner) if name == row])
        rows.append(own.mean(0) if how == "mean" else own.max(0).values)
    return torch.stack(rows)


@pytest.mark.parametrize("how", ["mean", "max"])
@pytest.mark.parametrize("owner", [[0, 0, 1, 2, 2, 2, 3], [0, 1, 2, 3, 4, 5, 6], [0] * 7])
def test_pooled_logits_and_gradients_equal_a_loop(how, owner):
    logits, weight = torch.from_numpy(random_logits(7)), torch.from_numpy(random_logits(max(owner) + 1, seed=1))
    found, expected = logits.clone().requires_grad_(), logits.clone().requires_grad_()
    pooled = pool_windows(found, torch.tensor(owner), how)
    reference = _pooled_by_loop(expected, owner, how)
    torch.testing.assert_close(pooled, reference)
    (pooled * weight).sum().backward()
    (reference * weight).sum().backward()
    torch.testing.assert_close(found.grad, expected.grad)


def test_pooling_keeps_nan_in_its_row():
    logits = torch.from_numpy(random_logits(5))
    logits[3, 1] = float("nan")
    for how in ("mean", "max"):
        pooled = pool_windows(logits, torch.tensor([0, 0, 1, 1, 2]), how)
        assert pooled.isnan().nonzero().tolist() == [[1, 1]]


@pytest.mark.parametrize("rows", [1, 15, 16, 17, 800, 801, 3017])
def test_each_row_comes_once(rows):
    order = _order(lengths=LENGTHS[:rows])
    assert sorted(order) == list(range(rows)) and len(LengthGroupedSampler(LENGTHS[:rows], 16, 1)) == rows
    assert all(type(row) is int for row in order)


def test_order_depends_on_seed_and_epoch_only():
    assert _order() == _order()
    assert _order(epoch=1) != _order() and _order(seed=2) != _order()
    assert _order(seed=1, epoch=2) != _order(seed=2, epoch=1)


def test_a_resumed_sampler_gives_the_order_of_its_epoch():
    sampler = LengthGroupedSampler(LENGTHS, 16, 1)
    seen = []
    for epoch in range(3):
        sampler.set_epoch(epoch)
        seen.append(list(sampler))
    assert _order(epoch=2) == seen[2] == list(sampler)


def test_batches_carry_far_less_padding_than_a_random_order():
    shuffled = np.random.default_rng(1).permutation(len(LENGTHS))
    assert _padding(np.array(_order()), 16) < 0.1 * _padding(shuffled, 16)


def test_batches_are_shuffled_and_differ_between_epochs():
    means = [LENGTHS[rows].mean() for rows in _batches(np.array(_order()), 16)[:-1]]
    assert abs(np.corrcoef(means, np.arange(len(means)))[0, 1]) < 0.3
    first, second = ({frozenset(rows) for rows in _batches(_order(epoch=epoch), 16)} for epoch in (0, 1))
    assert len(first & second) < 0.05 * len(first)
