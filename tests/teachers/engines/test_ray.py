"""A real Ray cluster on this machine, with labels in a folder that its workers share."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from distill.core.errors import UserError
from distill.core.labelling import Labelling
from distill.core.leftovers import temporary_folder
from distill.core.progress import reporting
from teachers.engines import ray as ray_engine
from teachers.engines.cluster import cluster
from teachers.engines.engine import engine
from teachers.engines.local import Local
from tests.teachers.engines.dying import make_dying
from tests.teachers.engines.words_teacher import contents, words_teacher
from tests.training.toy import Watch

ASKED = {"engine": "ray", "workers": 2}


@pytest.fixture(scope="module")
def ray(tmp_path_factory):
    """A cluster for all tests here: it takes seconds to start."""
    pytest.importorskip("ray")
    tmp_path_factory.getbasetemp()  # outside of the temporary folder below, which is gone before others' tests
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("RAY_ADDRESS", raising=False)
        patch.setenv("RAY_USAGE_STATS_ENABLED", "1")
        with temporary_folder(), cluster(Labelling(**ASKED), 1) as (module, _):
            yield module


def test_workers_one_of_which_dies_leave_the_store_of_one_process(ray, tmp_path, monkeypatch):
    words = words_teacher(tmp_path / "words")
    make_dying(words.teacher, tmp_path / "deadly")
    words = replace(words, whole=tmp_path / "one process")
    words.label(words.whole)
    (tmp_path / "deadly").touch()
    watch = Watch()
    with reporting(watch):
        words.label(tmp_path / "store", **ASKED, store=f"file://{tmp_path}/shared")
    assert "a worker died at shard" in "\n".join(watch.notes) and not (tmp_path / "deadly").exists()
    assert words.is_whole(tmp_path / "store")
    assert words.kept(f"file://{tmp_path}/shared", "store").names() == {
        "manifest.json", *contents(words.whole)
    }  # fmt: skip
    assert watch.steps[:2] == [24, 64] and watch.steps[-1] == watch.total == 64 and len(watch.steps[2:]) == 7
    monkeypatch.setattr(ray_engine, "cluster", pytest.fail)
    words.label(tmp_path / "store", **ASKED)


def test_ray_reports_to_nobody(ray):
    from ray._common.usage import usage_lib

    assert os.environ["RAY_USAGE_STATS_ENABLED"] == "0" and not usage_lib.usage_stats_enabled()
    assert not ray._private.worker.global_worker.node._ray_params.include_dashboard


def test_what_ray_cannot_do_is_refused_before_the_run(monkeypatch):
    with pytest.raises(UserError, match=r"only this process sees this storage[\s\S]*labelling\.store"):
        engine(Labelling(engine="ray", store="memory://run")).require()
    with pytest.raises(UserError, match=r"unknown engine[\s\S]*labelling\.engine[\s\S]*did you mean 'ray'"):
        engine(Labelling(engine="rays"))
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("LOCAL_RANK", "0")
    with pytest.raises(UserError, match=r"torchrun and Ray[\s\S]*labelling\.engine"):
        engine(Labelling(engine="ray")).require()


def test_a_model_behind_a_server_is_asked_from_here(words, tmp_path, monkeypatch):
    monkeypatch.setattr(ray_engine, "cluster", pytest.fail)
    monkeypatch.setattr(ray_engine, "is_remote", lambda model: True)
    watch = Watch()
    with reporting(watch):
        words.label(tmp_path / "store", **ASKED)
    assert words.is_whole(tmp_path / "store") and "behind a server" in watch.notes[0]
    assert isinstance(engine(Labelling()), Local)
