"""Rows encoded once on disk: what is stored, when it is made again, what is refused."""

import os
import shutil
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest

from distill.core.errors import UserError
from distill.core.leftovers import is_alive
from distill.core.manifest import MANIFEST
from distill.core.progress import reporting
from distill.core.record_store import read_records, write_records
from distill.training import encoded_store
from distill.training.encoded_rows import encoded_batch, map_encoded, write_encoded
from distill.training.encoded_store import EncodedStore
from distill.training.encoding import Shard, encode_by
from tests.training.small_disk import small_disk
from tests.training.toy import CARD, WINDOWED, Watch, toy_records, toy_view, write_toy


@pytest.fixture
def records(tmp_path):
    return write_toy(tmp_path / "records", train=23, pool=9)


@pytest.fixture
def store(encoder, records, tmp_path, monkeypatch):
    """Shards of five rows."""
    monkeypatch.setattr(encoded_store, "_SHARD_ROWS", 5)
    return EncodedStore(tmp_path / "cache", records, toy_view(encoder, WINDOWED))


@pytest.fixture
def encodings(monkeypatch):
    """The shards that are encoded, by the names of their files."""
    made, encode = [], encoded_store.encode

    def noting(shard, view):
        made.append(shard.path.name)
        encode(shard, view)

    monkeypatch.setattr(encoded_store, "encode", noting)
    return made


def rendered(store, *splits):
    rows = [row.fields for split in splits for row in read_records(store.records, split)]
    return [one.windows for one in store.view.renderer().encode_batch(rows)]


def test_rows_of_several_splits_end_to_end(store):
    watch = Watch()
    with reporting(watch):
        rows = store.rows(["train", "pool.urls"])
    windows = [window for row in rendered(store, "train", "pool.urls") for window in row]
    assert (watch.total, watch.steps[-1], watch.tokens) == (23, 23, sum(len(one.ids) for one in windows))
    assert len(rows) == 32 and list(rows) == rendered(store, "train", "pool.urls")
    assert rows.lengths.tolist() == [max(len(window.ids) for window in windows) for windows in rows]


def test_rows_are_encoded_once_and_anew_for_other_rows_or_another_view(store, encodings, encoder, records, tmp_path):
    store.rows(["train"])
    assert encodings == [f"rows-{index:05d}.arrow" for index in range(5)]
    store.rows(["train"])
    EncodedStore(tmp_path / "cache", records, toy_view(encoder, WINDOWED)).rows(["train"])
    assert len(encodings) == 5
    assert list(EncodedStore(tmp_path / "cache", records, toy_view(encoder, CARD)).rows(["train"])) != rendered(
        store, "train"
    )
    assert len(encodings) == 10
    write_records(records / "train.parquet", toy_records("я", 4))
    assert list(store.rows(["train"])) == rendered(store, "train") and len(encodings) == 11


def test_an_interrupted_build_goes_on_with_the_missing_shards(store, encodings, monkeypatch):
    encode = encoded_store.encode

    def stopping(shard, view):
        if shard.start == 15:
            raise KeyboardInterrupt
        encode(shard, view)

    with monkeypatch.context() as patched:
        patched.setattr(encoded_store, "encode", stopping)
        with pytest.raises(KeyboardInterrupt):
            store.rows(["train"])
    (store.folder("train") / f".rows-00003.arrow.{os.getpid()}.partial").write_bytes(b"half")
    assert list(store.rows(["train"])) == rendered(store, "train")
    assert encodings == [f"rows-{index:05d}.arrow" for index in range(5)]
    assert not list(store.folder("train").glob(".*"))


def test_several_processes_store_the_same_bytes(store, records, tmp_path):
    alone = store.folder("train")
    store.rows(["train"])
    several = EncodedStore(tmp_path / "other", records, store.view, processes=2)
    several.rows(["train"])
    names = sorted(path.name for path in alone.glob("*.arrow"))
    assert len(names) == 5
    for name in names:
        assert (several.folder("train") / name).read_bytes() == (alone / name).read_bytes()


def test_a_flipped_byte_or_a_missing_shard_is_refused(store):
    store.rows(["train"])
    path = store.folder("train") / "rows-00002.arrow"
    whole = path.read_bytes()
    path.write_bytes(whole[:200] + bytes([whole[200] ^ 1]) + whole[201:])
    with pytest.raises(UserError, match="rows-00002.arrow"):
        store.rows(["train"])
    path.unlink()
    with pytest.raises(UserError, match="rows-00002.arrow"):
        store.rows(["train"])


def test_a_file_that_is_no_arrow_file_is_refused(tmp_path):
    (tmp_path / "rows.arrow").write_bytes(b"no arrow" * 20)
    with pytest.raises(UserError, match="damaged encoded rows"):
        map_encoded(tmp_path / "rows.arrow")


@pytest.mark.parametrize("left", [0, 200, -8])
def test_a_shard_of_an_unfinished_build_that_is_cut_short_is_made_again(store, left):
    store.rows(["train"])
    path = store.folder("train") / "rows-00002.arrow"
    (store.folder("train") / MANIFEST).unlink()
    whole = path.read_bytes()
    path.write_bytes(whole[:left])
    assert list(store.rows(["train"])) == rendered(store, "train") and path.read_bytes() == whole


def test_a_shard_of_other_rows_is_made_again_too(store):
    store.rows(["train"])
    folder = store.folder("train")
    whole = (folder / "rows-00004.arrow").read_bytes()
    (folder / MANIFEST).unlink()
    shutil.copy(folder / "rows-00001.arrow", folder / "rows-00004.arrow")
    assert list(store.rows(["train"])) == rendered(store, "train")
    assert (folder / "rows-00004.arrow").read_bytes() == whole


@pytest.mark.parametrize("processes", [1, 2])
def test_a_disk_that_is_full_is_named_and_what_is_encoded_is_kept(store, tmp_path, processes):
    several = EncodedStore(tmp_path / "small", store.records, store.view, processes=processes)
    store.rows(["train"])
    sizes = [path.stat().st_size for path in sorted(store.folder("train").glob("rows-*"))]
    small, large = min(sizes), max(sizes)
    assert small < large
    with (
        small_disk((small + large) // 2),
        pytest.raises(UserError, match=r"(?s)(cannot write|could not be encoded).*rows-"),
    ):
        several.rows(["train"])
    folder = several.folder("train")
    kept = {path.name: path.stat().st_mtime_ns for path in folder.glob("rows-*")}
    assert list(replace(several, processes=1).rows(["train"])) == rendered(store, "train")
    assert all((folder / name).stat().st_mtime_ns == made for name, made in kept.items())
    assert not list(folder.glob(".*"))


def test_ids_of_large_vocabularies_are_kept(tmp_path, encoder):
    (row,) = toy_view(encoder).renderer().encode_batch([{"product.title": "дрель", "page.title": "купить"}])
    row.windows[0].ids[1] = 250_001
    write_encoded(tmp_path / "rows.arrow", encoded_batch([row]))
    assert map_encoded(tmp_path / "rows.arrow").row(0) == row.windows
    write_encoded(tmp_path / "small.arrow", encoded_batch([row, row][:0]))
    assert len(map_encoded(tmp_path / "small.arrow")) == 0


def test_a_split_without_rows_has_no_encoded_rows(store, records):
    write_records(records / "pool.none.parquet", [])
    assert len(store.rows(["pool.none"])) == 0
    assert list(store.rows(["pool.none", "train"])) == rendered(store, "train")


WORKER = """
import sys
from pathlib import Path
from distill.core.project import ViewConfig
from distill.core.view import View
from distill.training import encoding

view = View("card", ViewConfig(left=["product.title"], right=["page.title"], max_tokens=16), Path(sys.argv[1]))
with encoding.worker([encoding.Shard(Path(sys.argv[2]), Path(sys.argv[3]), "train", 0, 5)], view) as (process, _):
    print(process.pid, flush=True)
    encoding.time.sleep(60)
"""


def test_workers_end_when_their_process_is_killed(encoder, records, tmp_path):
    """While they read rows from a pipe that never ends."""
    (records / "train.parquet").unlink()
    os.mkfifo(records / "train.parquet")
    command = [sys.executable, "-c", WORKER, encoder / "tokenizer.json", tmp_path / "rows.arrow", records]
    with subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, text=True) as running:
        worker = int(running.stdout.readline())
        assert is_alive(worker)
        running.kill()
    for _ in range(200):
        if not is_alive(worker):
            return
        time.sleep(0.05)
    raise AssertionError("the worker is still there")


def test_a_worker_that_fails_ends_the_build_and_says_why(store, records):
    several = EncodedStore(store.cache, records, store.view, processes=2)
    folder = several.folder("train")
    (records / "train.parquet").write_bytes(b"no parquet")
    shards = [Shard(folder / f"rows-{index:05d}.arrow", records, "train", index, index + 1) for index in range(2)]
    with pytest.raises(UserError, match=r"could not be encoded[\s\S]*broken record file"):
        list(encode_by(2, shards, store.view))


def test_rows_keep_their_order_whatever_their_shards(store):
    rows = store.rows(["train"])
    order = np.random.default_rng(1).permutation(23)
    expected = rendered(store, "train")
    assert [rows[index] for index in order] == [expected[index] for index in order]
