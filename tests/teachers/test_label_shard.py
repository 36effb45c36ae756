"""One shard: the same bytes whoever writes it, nothing of anything else, and errors that lose nothing."""

from __future__ import annotations

import errno
import random
import signal
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from distill.core.errors import UserError
from distill.core.files import sha256
from distill.core.label_origin import origin_of_file
from distill.core.soft_labels import LabelStore, read_shard, read_soft_labels, shard_files, shard_path, write_shard
from teachers.label_shard import Writing, label_shard, label_shards
from teachers.shards import parts
from teachers.unfinished import missing_shards, require_planned
from tests.own_process import exit_code
from tests.teachers.shard_stubs import ORIGINS, WRITING, Stub, records, silent_model, write_texts

SHARD_ROWS = 10


@pytest.fixture
def part(tmp_path):
    """Five shards of 42 rows."""
    (found,) = parts(silent_model(tmp_path / "teacher"), records(tmp_path / "records"), SHARD_ROWS)
    return found


def labelled(part, folder, writing=WRITING, scorer=None):
    """A whole store; returns what its shards came to."""
    return list(label_shards(scorer or Stub(), part.shards, folder, writing))


def test_a_shard_has_the_same_bytes_whoever_writes_it_and_in_whatever_order(part, tmp_path):
    labelled(part, tmp_path / "one")
    for shard in part.shards[::-1]:
        label_shard(Stub(), shard, tmp_path / "many", WRITING)
    hashes = [[sha256(path) for path in shard_files(tmp_path / name)] for name in ("one", "many")]
    assert hashes[0] == hashes[1] and len(hashes[0]) == 5
    found = read_soft_labels(tmp_path / "one")
    assert found.ids == [*(f"train-{row}" for row in range(12)), *(f"pool.urls-{row}" for row in range(30))]
    assert found.sources == ["train"] * 12 + ["pool.urls"] * 30
    origin = origin_of_file(shard_path(tmp_path / "one", 1))
    assert origin is not None and origin.rows == {"train": [10, 12], "pool.urls": [0, 8]}
    assert set(origin.records) == {"train", "pool.urls"} and origin.teacher == ORIGINS.teacher


def test_equal_texts_of_a_shard_are_scored_once_with_the_labels_of_each_scored(part, tmp_path):
    once, each = Stub(), Stub(speaks=False)
    counts = labelled(part, tmp_path / "once", scorer=once)
    labelled(part, tmp_path / "each", scorer=each)
    shards = [each.asked[start : start + SHARD_ROWS] for start in range(0, 42, SHARD_ROWS)]
    assert len(each.asked) == 42 and [one.spared for one in counts] == [len(one) - len(set(one)) for one in shards]
    assert once.asked == [text for one in shards for text in dict.fromkeys(one)] and len(once.asked) == 39
    a, b = read_soft_labels(tmp_path / "once"), read_soft_labels(tmp_path / "each")
    assert a.ids == b.ids and np.array_equal(a.logits, b.logits) and np.array_equal(a.tokens, b.tokens)


def test_a_finished_store_has_nothing_missing_and_a_lost_shard_alone_is_made_again(part, tmp_path):
    labelled(part, tmp_path / "store")
    assert missing_shards(part, ORIGINS, tmp_path / "store").shards == []
    shard_path(tmp_path / "store", 2).unlink()
    assert [one.index for one in missing_shards(part, ORIGINS, tmp_path / "store").shards] == [2]


OTHERS = {
    "another teacher": replace(ORIGINS, teacher="x" * 64),
    "another view": replace(ORIGINS, view="x" * 64),
    "other labels": replace(ORIGINS, labels=("b", "a")),
    "another fold's model": replace(ORIGINS, model="x" * 64),
}


@pytest.mark.parametrize("what", OTHERS)
def test_a_shard_of_something_else_is_refused_by_name(part, tmp_path, what):
    folder = tmp_path / "store"
    labelled(part, folder)
    label_shard(Stub(), part.shards[3], folder, Writing(OTHERS[what]))
    before = sha256(shard_path(folder, 3))
    with pytest.raises(UserError, match=rf"a shard is of {what}\n[\s\S]*shard-00003[\s\S]*expected"):
        missing_shards(part, ORIGINS, folder)
    assert sha256(shard_path(folder, 3)) == before
    if what != "another fold's model":
        for read in (read_soft_labels, LabelStore):
            with pytest.raises(UserError, match="shards of two origins in one store"):
                read(folder)


def test_precision_and_scale_may_differ_from_shard_to_shard(part, tmp_path):
    labelled(part, tmp_path)
    label_shard(Stub(), part.shards[3], tmp_path, Writing(replace(ORIGINS, precision="bf16", factor=1.0)))
    assert missing_shards(part, ORIGINS, tmp_path).shards == [] and len(read_soft_labels(tmp_path)) == 42


def test_shards_of_other_records_and_of_another_cut_are_refused(part, tmp_path):
    other = write_texts(records(tmp_path / "other"), "pool.urls", [f"бур {row}" for row in range(30)])
    (same_ids,) = parts(silent_model(tmp_path / "teacher"), other, SHARD_ROWS)
    folder = tmp_path / "store"
    label_shard(Stub(), same_ids.shards[2], folder, WRITING)
    with pytest.raises(UserError, match=r"other record files\n[\s\S]*pool\.urls"):
        missing_shards(part, ORIGINS, folder)
    shard_path(folder, 2).unlink()
    (smaller,) = parts(silent_model(tmp_path / "teacher"), part.shards[0].records, 6)
    label_shard(Stub(), smaller.shards[0], folder, WRITING)
    with pytest.raises(UserError, match=r"a shard is of other rows\n[\s\S]*train 0–6, expected train 0–10"):
        missing_shards(part, ORIGINS, folder)
    shard_path(folder, 0).unlink()
    label_shard(Stub(), smaller.shards[6], folder, WRITING)
    with pytest.raises(UserError, match=r"none of the rows to label[\s\S]*shard-00006[\s\S]*shard_rows"):
        require_planned(folder, [part])


@pytest.mark.parametrize("silent", [0, 1])
def test_a_shard_that_does_not_say_what_made_it_is_not_one_of_a_teachers_store(part, tmp_path, silent):
    labelled(part, tmp_path)
    write_shard(tmp_path, silent, read_shard(shard_path(tmp_path, silent)))
    for read in (read_soft_labels, LabelStore):
        with pytest.raises(UserError, match="shards of two origins in one store"):
            read(tmp_path)
    with pytest.raises(UserError, match="does not say what made it"):
        missing_shards(part, ORIGINS, tmp_path)


@pytest.mark.parametrize("keep", [0, 100, -1])
def test_a_shard_cut_short_is_named_and_not_labelled_again(part, tmp_path, keep):
    labelled(part, tmp_path)
    path = shard_path(tmp_path, 1)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(UserError, match=r"shard-00001\.parquet[\s\S]*delete this shard"):
        missing_shards(part, ORIGINS, tmp_path)


def test_rows_without_finite_logits_are_counted_and_a_shard_of_nothing_else_is_an_error(part, tmp_path):
    counts = labelled(part, tmp_path / "some", scorer=Stub(bad="5"))
    statuses = read_soft_labels(tmp_path / "some").status
    assert sum(one.statuses.get("nonfinite", 0) for one in counts) == statuses.count("nonfinite") > 1
    with pytest.raises(UserError, match=r"no row of a shard has finite logits[\s\S]*10 of 10 rows[\s\S]*train-0"):
        labelled(part, tmp_path / "all", scorer=Stub(bad=" "))
    assert not list((tmp_path / "all").glob("*"))


def test_one_bad_row_in_a_last_shard_of_two_ends_nothing(part, tmp_path):
    counts = label_shard(Stub(bad=" "), part.shards[4], tmp_path, WRITING)
    assert counts.statuses == {"nonfinite": 2} and shard_path(tmp_path, 4).exists()


def test_empty_rows_are_counted(tmp_path):
    (part,) = parts(
        silent_model(tmp_path), write_texts(write_texts(tmp_path / "r", "train", ["", "бур"]), "pool.a", [""]), 10
    )
    (counts,) = labelled(part, tmp_path / "store")
    assert counts.statuses == {"empty": 2, "ok": 1} and counts.tokens == 1


def test_a_full_disk_is_named_and_what_was_written_is_kept(part, tmp_path, monkeypatch):
    write, calls = pq.write_table, []

    def full(table, where, **options):
        calls.append(where)
        if len(calls) == 3:
            Path(where).write_bytes(b"half")
            raise OSError(errno.ENOSPC, "Error writing bytes to file. Detail: [errno 28] No space left on device")
        write(table, where, **options)

    monkeypatch.setattr(pq, "write_table", full)
    told = rf"cannot write\n[\s\S]*No space left on device: [\d,.]+ MiB free on the disk of {tmp_path}"
    with pytest.raises(UserError, match=told):
        labelled(part, tmp_path / "store")
    assert {path.name for path in (tmp_path / "store").iterdir()} == {"shard-00000.parquet", "shard-00001.parquet"}
    left = missing_shards(part, ORIGINS, tmp_path / "store").shards
    assert [one.index for one in left] == [2, 3, 4]
    list(label_shards(Stub(), left, tmp_path / "store", WRITING))
    assert len(read_soft_labels(tmp_path / "store")) == 42


def test_shards_beyond_five_digits_keep_their_order(tmp_path, part):
    labelled(part, tmp_path)
    for old, new in ((0, 99_999), (1, 100_000)):
        shard_path(tmp_path, old).rename(shard_path(tmp_path, new))
    assert [path.name for path in shard_files(tmp_path)][-2:] == ["shard-99999.parquet", "shard-100000.parquet"]


def test_kills_at_random_moments_leave_the_bytes_of_a_store_that_nothing_disturbed(part, tmp_path):
    labelled(part, tmp_path / "whole")
    chance, kills, folder = random.Random(5), 0, tmp_path / "killed"
    while left := missing_shards(part, ORIGINS, folder).shards:
        # A little longer each time, so that one of them lives long enough.
        ended = exit_code(slowly, left, folder, kill_after=chance.uniform(0, 0.02 * (1 + kills)))
        kills += ended == -signal.SIGKILL
    assert kills >= 3
    assert [sha256(path) for path in shard_files(folder)] == [sha256(path) for path in shard_files(tmp_path / "whole")]


def slowly(left, folder):
    """Label these shards."""
    for _ in label_shards(Slow(), left, folder, WRITING):
        pass


class Slow(Stub):
    """Takes longer for a shard than the first ones live."""

    def answer(self, prepared, on_progress=None):
        time.sleep(0.03)
        return super().answer(prepared, on_progress)
