"""Workers that die: their shards are given out again, and a shard at which they all die is named."""

from __future__ import annotations

import sys

import pytest

from distill.core.errors import MissingExtra, UserError
from distill.core.label_counts import LabelCounts
from distill.core.labelling import Labelling
from distill.core.progress import reporting
from teachers.engines import cluster as cluster_module
from teachers.engines.cluster import cluster
from teachers.engines.crew import Asked, Crew
from teachers.engines.worker import Finished
from teachers.shards import Shard
from tests.teachers.engines.fake_ray import FakeRay, RayError
from tests.training.toy import Watch


class Worker:
    """Says which shard it was given."""

    def __init__(self, order):
        self.order = order

    def open(self):
        if self.order == "unseen":
            raise UserError("a worker does not see the model", where="node-7")

    def label(self, shard, origin):
        return Finished("here", LabelCounts(len(shard)), {str(shard.index): origin}, {})


SHARDS = [Shard(index, None, [("pool.urls", 10 * index, 10 * index + 10)]) for index in range(6)]
DEATH = RayError("The actor died.\nThe actor is dead because its its process has died. Some common causes include: …")


@pytest.fixture
def crew(monkeypatch):
    """Makes a crew of workers that only answer."""
    monkeypatch.setattr("teachers.engines.crew.ShardWorker", Worker)
    return lambda ray, order="order", workers=2, deaths=3: Crew(ray, order, Asked(workers, 2, 0.5, deaths))


def _indices(crew):
    found = [one for done in crew.label(SHARDS, lambda shard: f"origin {shard.index}") for one in done.hashes.items()]
    assert all(origin == f"origin {index}" for index, origin in found)
    return sorted(int(index) for index, _ in found)


def test_each_worker_has_what_was_asked_and_no_more_work_at_once_than_that(crew):
    ray = FakeRay()
    assert _indices(crew(ray)) == list(range(6))
    assert ray.made == [({"num_cpus": 2, "num_gpus": 0.5, "max_restarts": 0}, ("order",))] * 2 and ray.most == 2
    ray = FakeRay()
    assert _indices(crew(ray, workers=9)) == list(range(6)) and len(ray.made) == 6
    assert ray.killed == 6


def test_shards_of_dead_workers_are_given_out_again(crew):
    ray, watch = FakeRay([("label", 2, DEATH), ("label", 5, DEATH), ("open", None, DEATH)]), Watch()
    with reporting(watch):
        assert _indices(crew(ray)) == list(range(6))
    assert not ray.script and len(ray.made) == 5
    assert "a worker died at shard 2, rows 20 to 29 of pool.urls; it is given out again" in "\n".join(watch.notes)


@pytest.mark.parametrize("deaths", [1, 3])
def test_a_shard_that_kills_its_workers_is_named_with_its_rows(crew, deaths):
    found = []
    with pytest.raises(
        UserError, match=rf"{deaths} workers have died[\s\S]*shard 4, rows 40 to 49 of pool\.urls"
    ) as told:
        for done in crew(FakeRay([("label", 4, DEATH)] * deaths), deaths=deaths).label(SHARDS, str):
            found += done.hashes
    assert {"0", "1", "2", "3"} <= set(found) and "its process has died." in str(told.value)
    assert "Some common causes" not in str(told.value)


def test_workers_that_die_while_they_open_the_model_end_it(crew):
    ray = FakeRay([("open", None, DEATH)] * 3)
    with pytest.raises(UserError, match=r"3 workers have died[\s\S]*opening the model"):
        list(crew(ray, deaths=3).label(SHARDS, str))
    assert _indices(crew(FakeRay([("open", None, DEATH)] * 2), deaths=3)) == list(range(6))


def test_an_error_of_a_worker_is_told_as_it_is_and_all_workers_end(crew):
    ray = FakeRay()
    with pytest.raises(UserError, match=r"does not see the model\n  where: node-7"):
        list(crew(ray, order="unseen").label(SHARDS, str))
    assert ray.killed == 1  # the other one; the first is gone with its error


def test_who_waits_for_room_is_told_what_there_is(crew):
    watch = Watch()
    with reporting(watch):
        _indices(crew(FakeRay(silent=1)))
    assert watch.notes == [
        "no worker has started yet: each takes 2 CPUs and 0.5 GPUs, the cluster has 1 CPUs and 0 GPUs free"
    ]


class Nodes(FakeRay):
    """A cluster of three machines, one of them dead, or none."""

    started = False

    def is_initialized(self):
        return self.started

    def init(self, address, **how):
        self.address, self.how, self.started = address, how, True
        if "nowhere" in address:
            raise ConnectionError("Ran into a deadline\nexceeded")

    def shutdown(self):
        self.started = False

    def nodes(self):
        return [
            {"Alive": True, "Resources": {"CPU": 8.0, "GPU": 1.0}},
            {"Alive": True, "Resources": {"CPU": 5.0}},
            {"Alive": False, "Resources": {"CPU": 64.0, "GPU": 8.0}},
        ]


def _asked(monkeypatch, **asked):
    """The cluster as it was started, and what is asked of it."""
    nodes = Nodes()
    monkeypatch.setattr(cluster_module, "ray_module", lambda: nodes)
    with cluster(Labelling(engine="ray", **asked), 2) as (ray, found):
        assert ray is nodes and nodes.started
    assert not nodes.started
    return nodes, found


def test_a_cluster_is_asked_for_as_many_workers_as_it_has_room_for(monkeypatch):
    monkeypatch.setenv("RAY_ADDRESS", "10.0.0.1:6379")
    with reporting(watch := Watch()):
        nodes, found = _asked(monkeypatch)
    assert watch.notes == [
        "workers label on processors (labelling.gpus: 0), the cluster has 1 GPUs: with 1 each takes one"
    ]
    assert nodes.address == "10.0.0.1:6379" and not {"num_cpus", "include_dashboard"} & set(nodes.how)
    assert found == Asked(4 + 2, 2, 0, 5)
    with reporting(watch := Watch()):
        assert _asked(monkeypatch, gpus=0.5)[1] == Asked(2, 2, 0.5, 5) and not watch.notes
    assert _asked(monkeypatch, workers=40, gpus=1, deaths=2)[1] == Asked(40, 2, 1, 2)
    monkeypatch.setenv("RAY_ADDRESS", "nowhere:1")
    with pytest.raises(UserError, match=r"no Ray cluster\n.*nowhere:1\n.*a deadline exceeded\n.*RAY_ADDRESS"):
        _asked(monkeypatch)


def test_without_an_address_one_is_started_here_for_as_long_as_it_is_needed(monkeypatch):
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    nodes, _ = _asked(monkeypatch, workers=3)
    assert (nodes.address, nodes.how["num_cpus"], nodes.how["include_dashboard"]) == ("local", 6, False)


def test_without_ray_its_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtra, match=r"distill\[ray\]"), cluster(Labelling(engine="ray"), 1):
        pass
