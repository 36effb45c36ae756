"""The rate of workers: from when all are at work to the last shard."""

import pytest

from benchmarks.ray_labelling import _rate
from distill.core.errors import UserError
from distill.core.label_counts import LabelCounts
from teachers.engines.worker import Finished


def shards(*places):
    """Shards of ten rows, one a second, by who labelled each."""
    return [(float(second), Finished(place, LabelCounts(10), {}, {})) for second, place in enumerate(places)]


def test_the_clock_starts_when_each_worker_has_finished_a_shard():
    assert _rate(shards("a", "a", "a"), 1) == 10
    assert _rate([*shards("a", "a", "b"), *[(7.0, one) for _, one in shards("a", "b", "a", "b")]], 2) == 40 / 5


def test_a_worker_that_comes_when_nearly_all_is_done_is_named():
    with pytest.raises(UserError, match=r"nearly all[\s\S]*--rows"):
        _rate(shards("a", "a", "a", "b", "a"), 2)
    with pytest.raises(UserError):
        _rate(shards("a", "a", "a", "a", "a"), 2)
