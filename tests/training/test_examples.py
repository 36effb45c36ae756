"""Examples, their batches, windows pooled to rows, and the order of rows."""

import numpy as np
import pytest
import torch
from accelerate.data_loader import BatchSamplerShard
from torch.utils.data import BatchSampler

from distill.core.record_store import read_records
from distill.core.rendering import Window
from distill.training.encoded_store import EncodedStore
from distill.training.examples import Collator, Example, Examples, LengthGroupedSampler, lengths, pool_windows
from distill.training.joining import Share
from distill.training.learnt_rows import Labels, soft_rows
from tests.families.lessons import toy_labels
from tests.training.toy import SIGNS, SPACE, WINDOWED, random_logits, toy_examples, toy_view, write_toy

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


@pytest.fixture(scope="module")
def stored(encoder, tmp_path_factory):
    """Six training rows, a pool of four, labels of some of both; and the same rows as they are read."""
    folder = write_toy(tmp_path_factory.mktemp("stored"), train=6, pool=4)
    labels = toy_labels(folder, tmp_path_factory.mktemp("labels"), without={"т1", "п0", "п3"})
    learnt = soft_rows(folder, Labels({labels: Share()}), SPACE, tmp_path_factory.mktemp("scratch"))
    view = toy_view(encoder, WINDOWED)
    store = EncodedStore(tmp_path_factory.mktemp("cache"), folder, view)
    rows = [row for split in learnt.splits for row in read_records(folder, split)]
    return Examples(learnt, store.rows(learnt.splits)), [row for row in rows if row.id not in {"п0", "п3"}], view


def test_stored_rows_are_those_that_the_view_renders(stored):
    examples, rows, view = stored
    encoded = view.renderer().encode_batch([row.fields for row in rows])
    assert [example.windows for example in examples] == [one.windows for one in encoded]
    assert any(len(example.windows) > 1 for example in examples) and len(examples) == 8
    assert lengths(examples).tolist() == [example.length for example in examples]


def test_stored_rows_have_the_labels_of_their_ids(stored):
    examples, rows, _ = stored
    assert [e.teacher_logits is not None for e in examples] == [row.id != "т1" for row in rows]
    signs = [next(i for i, sign in enumerate(SIGNS) if sign in row.fields["page.title"]) for row in rows]
    assert [e.teacher_logits is None or int(e.teacher_logits.argmax()) for e in examples] == [
        sign if row.id != "т1" else True for sign, row in zip(signs, rows, strict=True)
    ]
    assert [e.target is not None for e in examples] == [True] * 6 + [False] * 2
    assert all(np.array_equal(e.target, row.target) for e, row in zip(examples, rows[:6], strict=False))
    assert [e.source for e in examples] == [0] * 6 + [1] * 2


def test_stored_rows_make_the_batches_that_rows_in_memory_make(stored):
    examples, rows, view = stored
    encoded = view.renderer().encode_batch([row.fields for row in rows])
    plain = [
        Example(own.windows, stored.teacher_logits, row.target, stored.source)
        for own, row, stored in zip(encoded, rows, examples, strict=True)
    ]
    collator, order = Collator(3, 3, 9), [7, 0, 3, 1]
    found, expected = (collator([part[index] for index in order]) for part in (examples, plain))
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        assert torch.equal(found[name], values) and found[name].dtype == values.dtype


def test_rows_beyond_the_end_are_refused(stored):
    with pytest.raises(IndexError):
        stored[0][8]


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
    examples = toy_examples(encoder, 12, WINDOWED)
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


@pytest.mark.parametrize("rows", [40, 37])
def test_two_processes_read_the_rows_of_each_batch_of_one_in_as_many_steps(rows):
    sampler = LengthGroupedSampler(np.random.default_rng(1).integers(3, 90, rows), 8, seed=3)
    sampler.set_epoch(2)
    whole = list(BatchSampler(sampler, 8, drop_last=False))
    halves = [list(BatchSamplerShard(BatchSampler(sampler, 4, drop_last=False), 2, rank)) for rank in (0, 1)]
    together = [one + other for one, other in zip(*halves, strict=True)]
    assert len(together) == len(whole) == 5
    assert together[: rows // 8] == whole[: rows // 8]
    assert set(together[-1]) >= set(whole[-1]) and len(together[-1]) == 8
