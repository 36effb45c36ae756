"""Several teachers' labels joined by record id."""

from __future__ import annotations

import os
from itertools import count

import numpy as np
import pyarrow as pa
import pytest

from distill.core.activations import sigmoid, softmax
from distill.core.errors import UserError
from distill.core.objectives.objective import objective
from distill.core.objectives.single_label import SINGLE
from distill.core.soft_labels import LabelStore, SoftLabels, shard_ranges, write_shard
from distill.training.joining import Share, join
from tests.training.small_disk import small_disk

IDS = [f"т{i}" for i in range(8)]


@pytest.fixture
def joined(tmp_path):
    """`joined(stores, objective)`: logits by id of the rows of IDS that are labelled, through stores on disk."""
    numbers = count()

    def join_stored(stores, kind=SINGLE, ids=IDS):
        opened = []
        for labels, share in stores:
            folder = tmp_path / str(next(numbers))
            for index, start, stop in shard_ranges(len(labels), 3):
                write_shard(folder, index, part_of(labels, start, stop))
            opened.append((LabelStore(folder), share))
        found = join(opened, kind, pa.array(ids), tmp_path)
        assert not list(tmp_path.glob(".*"))
        return {name: found.logits[row] for row, name in enumerate(ids) if found.labelled[row]}

    return join_stored


def part_of(labels, start, stop) -> SoftLabels:
    """Rows of a store."""
    return SoftLabels(**{name: value[start:stop] for name, value in vars(labels).items()})


def store(seed, ids=IDS, status=None, scale=3.0) -> SoftLabels:
    """One teacher's logits; a row's logits depend on its place in IDS and on the seed only."""
    logits = np.random.default_rng(seed).normal(size=(len(IDS), 3)) * scale
    zeros = np.zeros(len(ids), np.int32)
    return SoftLabels(
        ids=list(ids),
        sources=["train"] * len(ids),
        logits=np.stack([logits[IDS.index(name)] for name in ids]).astype(np.float32),
        tokens=zeros,
        cut_tokens=zeros,
        status=status or ["ok"] * len(ids),
    )


def test_one_teachers_logits_are_taken_as_they_are(joined):
    found = joined([(store(1), Share(0.3))], SINGLE)
    assert list(found) == IDS
    np.testing.assert_array_equal(np.stack(list(found.values())), store(1).logits)


@pytest.mark.parametrize(("kind", "chances"), [("single", softmax), ("multi", sigmoid)])
def test_several_teachers_are_averaged_as_probabilities(joined, kind, chances):
    stores = [(store(1), Share(2.0)), (store(2), Share(0.5)), (store(3), Share(1.5))]
    expected = sum(share.weight * chances(labels.logits) for labels, share in stores) / 4.0
    found = joined(stores, objective(kind, 3))
    assert list(found) == IDS
    logits = np.stack(list(found.values()))
    assert logits.dtype == np.float32
    np.testing.assert_allclose(chances(logits), expected, rtol=1e-5)


@pytest.mark.parametrize(("kind", "chances"), [("single", softmax), ("multi", sigmoid)])
def test_among_several_each_teacher_is_taken_at_its_own_temperature(joined, kind, chances):
    stores = [(store(1), Share(3, 2.5)), (store(2), Share(1, 0.5))]
    expected = (3 * chances(store(1).logits / 2.5) + chances(store(2).logits / 0.5)) / 4
    logits = np.stack(list(joined(stores, objective(kind, 3)).values()))
    np.testing.assert_allclose(chances(logits), expected, rtol=1e-5)
    plain = np.stack(
        list(joined([(labels, Share(share.weight)) for labels, share in stores], objective(kind, 3)).values())
    )
    assert not np.allclose(chances(plain), expected, rtol=1e-2)


def test_the_temperature_of_a_teacher_alone_is_left_to_the_loss(joined):
    found = joined([(store(1), Share(1, 4.0))], SINGLE)
    np.testing.assert_array_equal(np.stack(list(found.values())), store(1).logits)


@pytest.mark.parametrize(("kind", "chances"), [("single", softmax), ("multi", sigmoid)])
def test_weights_of_each_class_take_the_place_of_one(joined, kind, chances):
    own = [(0.8, 0.1, 0.5), (0.1, 0.8, 0.5)]
    stores = [(store(1), Share(0.6, 2.0, own[0])), (store(2), Share(0.4, 1.0, own[1]))]
    expected = own[0] * chances(store(1).logits / 2) + own[1] * chances(store(2).logits)
    expected /= expected.sum(1, keepdims=True) if kind == "single" else np.sum(own, axis=0)
    mixed = np.stack(list(joined(stores, objective(kind, 3)).values()))
    np.testing.assert_allclose(chances(mixed), expected, rtol=1e-5)
    alone = np.stack(list(joined([(store(1), Share(1.0, 2.0, (2.0, 1.0, 1.0)))], objective(kind, 3)).values()))
    assert not np.allclose(alone, store(1).logits)


def test_weights_count_by_their_ratio(joined):
    one, other = (joined([(store(1), Share(a)), (store(2), Share(b))], SINGLE) for a, b in ((1, 3), (10, 30)))
    np.testing.assert_allclose(np.stack(list(one.values())), np.stack(list(other.values())), rtol=1e-6)


def test_a_teacher_joined_with_itself_keeps_its_probabilities(joined):
    found = joined([(store(1), Share()), (store(1), Share())], SINGLE)
    np.testing.assert_allclose(softmax(np.stack(list(found.values()))), softmax(store(1).logits), rtol=1e-5)


def test_rows_are_joined_by_id_and_not_by_place(joined):
    straight = joined([(store(1), Share()), (store(2), Share(2.0))], SINGLE)
    turned = joined([(store(1), Share()), (store(2, IDS[::-1]), Share(2.0))], SINGLE)
    assert list(turned) == IDS
    for name in IDS:
        np.testing.assert_array_equal(turned[name], straight[name])


def test_only_rows_that_every_teacher_labelled_well_remain(joined):
    status = ["ok", "empty", "ok", "nonfinite", "ok", "ok", "ok", "ok"]
    assert list(joined([(store(1, status=status), Share())], SINGLE)) == [IDS[i] for i in (0, 2, 4, 5, 6, 7)]
    found = joined([(store(1, status=status), Share()), (store(2, IDS[2:7]), Share())], SINGLE)
    assert list(found) == [IDS[i] for i in (2, 4, 5, 6)]


@pytest.mark.parametrize("kind", ["single", "multi"])
def test_teachers_without_a_common_row_give_nothing(joined, kind):
    assert joined([(store(1, IDS[:3]), Share()), (store(2, IDS[3:]), Share())], objective(kind, 3)) == {}


@pytest.mark.parametrize("kind", ["single", "multi"])
def test_certain_teachers_give_finite_logits_and_the_same_answers(joined, kind):
    certain = store(1, scale=1e4)
    found = np.stack(list(joined([(certain, Share()), (certain, Share())], objective(kind, 3)).values()))
    assert np.isfinite(found).all()
    np.testing.assert_array_equal(objective(kind, 3).decisions(found), objective(kind, 3).decisions(certain.logits))


def test_a_disk_that_has_no_room_for_the_logits_is_named_before_anything_is_written(tmp_path):
    for index, start, stop in shard_ranges(len(IDS), 3):
        write_shard(tmp_path, index, part_of(store(1), start, stop))
    opened = LabelStore(tmp_path)
    with small_disk(64), pytest.raises(UserError, match=r"(?s)cannot write.*\.logits"):
        join([(opened, Share())], SINGLE, pa.array(IDS), tmp_path)
    assert not list(tmp_path.glob(".*"))


def test_a_shard_that_is_another_file_than_it_was_is_not_joined_to_the_old_ids(tmp_path):
    for index, start, stop in shard_ranges(len(IDS), 3):
        write_shard(tmp_path, index, part_of(store(1), start, stop))
    opened = LabelStore(tmp_path)
    places = np.arange(len(IDS))
    expected = opened.logits(places)
    np.testing.assert_array_equal(expected, store(1).logits)
    write_shard(tmp_path, 1, part_of(store(2, IDS[::-1]), 3, 6))
    with pytest.raises(UserError, match=r"(?s)were changed while they were read.*shard-00001"):
        opened.logits(places)
    os.remove(tmp_path / "shard-00002.parquet")
    with pytest.raises(UserError, match="shard-00002"):
        opened.logits(places[6:])
