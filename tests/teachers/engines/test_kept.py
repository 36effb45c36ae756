"""Shards in storage: whoever made one, no other machine makes it again, and a damaged one is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import fsspec
import pytest

from distill.core.errors import UserError
from distill.core.steps import Step, Steps
from distill.core.storage import Bucket, storage
from distill.families.ensemble import Ensemble
from distill.families.family import Opening, fit
from distill.families.tfidf import Tfidf
from teachers.engines import local
from teachers.engines import worker as worker_module
from teachers.engines.crew import Asked
from teachers.engines.engine import Task
from teachers.engines.inputs import upload
from teachers.engines.kept import KeptShards
from teachers.engines.ray import _order
from teachers.engines.worker import Order, ShardWorker
from teachers.label_origins import Origins
from teachers.label_shard import Writing
from teachers.shards import parts
from teachers.unfinished import missing_shards
from tests.families.lessons import toy_lesson
from tests.shaky_storage import Shaky
from tests.training.toy import DOCUMENT

SHARDS = {f"shard-{index:05d}.parquet" for index in range(7)}


@pytest.fixture
def memory():
    """An empty storage in memory."""
    files = fsspec.filesystem("memory")
    files.store.clear()
    return files


def test_another_machine_copies_the_finished_shards_and_opens_no_model(words, tmp_path, memory, monkeypatch):
    words.label(tmp_path / "one", store="memory://bucket/run")
    kept = words.kept("memory://bucket/run", "one")
    assert words.is_whole(tmp_path / "one") and kept.names() == SHARDS | {"manifest.json"}
    with monkeypatch.context() as patch:
        patch.setattr(local, "open_model", pytest.fail)
        words.label(tmp_path / "other" / "one", store="memory://bucket/run")
    assert words.is_whole(tmp_path / "other" / "one")


def test_labels_of_another_step_are_never_taken_for_these(words, tmp_path, memory):
    for own in (words, replace(words, shard_rows=20)):
        step = Step("label", "labels/words", lambda folder, own=own: own.label(folder, store="memory://run"))
        Steps(tmp_path / str(own.shard_rows), {}, {}).run(step)
    places = {name.split("/")[1] for name in storage("memory://run").names()}
    assert len(places) == 2 and all(place.startswith("words-") for place in places)


def test_a_run_goes_on_from_the_shards_in_the_storage_and_leaves_nothing_else_there(words, tmp_path, memory):
    kept = words.kept("memory://run", "store")
    for index in (0, 3):
        kept.put(words.whole / f"shard-{index:05d}.parquet", f"shard-{index:05d}.parquet")
    for name in ("inputs/0/records/train.parquet", ".shard-00001.parquet.0f.partial", "stages-00002.parquet"):
        kept.put(words.whole / "shard-00001.parquet", name)
    place = kept.url.removeprefix("memory:/")
    before = memory.created(f"{place}/shard-00003.parquet")
    words.label(tmp_path / "store", store="memory://run")
    assert words.is_whole(tmp_path / "store") and kept.names() == SHARDS | {"manifest.json"}
    assert memory.created(f"{place}/shard-00003.parquet") == before


def test_a_shard_that_was_damaged_in_the_storage_is_named(words, tmp_path, memory):
    words.label(tmp_path / "one", store="memory://run")
    place = words.kept("memory://run", "one").url.removeprefix("memory:/")
    held = bytearray(memory.cat(f"{place}/shard-00002.parquet"))
    held[40] ^= 1
    memory.pipe(f"{place}/shard-00002.parquet", bytes(held))
    with pytest.raises(UserError, match=r"not the one that was put there[\s\S]*memory://run.*shard-00002\.parquet"):
        words.label(tmp_path / "new" / "one", store="memory://run")
    assert not (tmp_path / "new" / "one" / "shard-00002.parquet").exists()
    memory.rm(f"{place}/shard-00002.parquet")
    words.label(tmp_path / "new" / "one", store="memory://run")
    assert words.is_whole(tmp_path / "new" / "one")
    memory.pipe(f"{place}/manifest.json", json.dumps({"files": {"shard-00002.parquet": 5}}).encode())
    with pytest.raises(UserError, match=r"a damaged ledger[\s\S]*manifest\.json"):
        words.label(tmp_path / "newer" / "one", store="memory://run")


def test_a_storage_that_drops_out_loses_nothing(words, tmp_path, monkeypatch):
    monkeypatch.setattr(Bucket.__init__, "__defaults__", (lambda seconds: None,))
    monkeypatch.setattr(Shaky, "after", 3)
    monkeypatch.setattr(Shaky, "drops", 5)
    with pytest.raises(UserError, match=r"does not answer[\s\S]*reset by peer[\s\S]*start again"):
        words.label(tmp_path / "store", store="shaky://run")
    assert {path.name for path in (tmp_path / "store").iterdir()} >= {"shard-00000.parquet", "shard-00002.parquet"}
    words.label(tmp_path / "store", store="shaky://run")
    assert words.is_whole(tmp_path / "store")
    assert words.kept("shaky://run", "store").names() == SHARDS | {"manifest.json"}


def test_files_beside_a_shard_are_there_before_it(tmp_path, memory, monkeypatch):
    for name in ("shard-00001.parquet", "stages-00001.parquet", "costs-00001.json", "shard-00010.parquet"):
        (tmp_path / name).write_bytes(b"x")
    put: list[str] = []
    monkeypatch.setattr(Bucket, "put", lambda self, path, name: put.append(name))
    KeptShards(storage("memory://run")).give(tmp_path, 1)
    assert put == ["costs-00001.json", "stages-00001.parquet", "shard-00001.parquet"]


def test_a_worker_elsewhere_reads_model_and_rows_from_the_storage(words, tmp_path, memory):
    """An ensemble, whose members are other folders, on shards that cross from one file of records to the next."""
    run = tmp_path / "run" / "teachers"
    for name in ("one", "two"):
        (run / name).mkdir(parents=True)
        fit("tfidf", Tfidf.Settings(), toy_lesson(words.records, DOCUMENT, "document"), run / name)
    (run / "both").mkdir()
    members = {name: run / name for name in ("one", "two")}
    config = Ensemble.Settings.model_validate({"members": {"one": 1, "two": 3}})
    fit("ensemble", config, toy_lesson(words.records, members=members), run / "both")
    here = replace(words, teacher=run / "both", whole=tmp_path / "whole")
    here.label(here.whole)
    (part,) = parts(here.teacher, here.records, 10)
    origins = Origins.of(part, here.teacher, "fp32")
    place = storage("memory://run")
    inputs = upload(place, here.teacher, missing_shards(part, origins, tmp_path).shards, 0)
    order = Order(Path("/nowhere"), Opening(1), Writing(origins), inputs, "memory://run/made")
    worker = ShardWorker(order)
    worker.open()
    for shard in part.shards:
        found = worker.label(replace(shard, records=Path("/nowhere")), origins.origin(shard))
        KeptShards(place / "made").take(*found.hashes, tmp_path, *found.hashes.values())
    worker.close()
    assert _files(tmp_path) == _files(here.whole)


def _files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("shard-*")}


def test_a_worker_that_does_not_see_the_model_says_where_it_is():
    worker = ShardWorker(Order(Path("/nowhere/base"), Opening(1), Writing(Origins("", "", (), "fp32"))))
    with pytest.raises(UserError, match=r"does not see the model\n.*process \d+\n.*/nowhere/base\n.*labelling\.store"):
        worker.open()
    worker.close()


@pytest.mark.parametrize(("gpus", "place"), [(0, "cpu"), (0.5, "cuda"), (1, "cuda")])
def test_workers_without_a_share_of_a_gpu_keep_to_the_processor(words, monkeypatch, gpus, place):
    """They may see the cards of all others, and would all take the first one."""
    opened = []
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr(worker_module, "open_model", lambda model, how: opened.append(how.device))
    task = Task(0, words.teacher, [], Opening(1), Writing(Origins("", "", (), "fp32")))
    worker = ShardWorker(_order(task, Asked(1, 1, gpus, 1)))
    worker.open()
    worker.close()
    assert opened == [place]
