"""The soft-label store: the same shards whatever the interruption, and no shard that is read wrong."""

from __future__ import annotations

import dataclasses

import numpy as np
import pyarrow.parquet as pq
import pytest

from distill.core.errors import UserError
from distill.core.manifest import digest, write_manifest
from distill.core.soft_labels import (
    SoftLabels,
    finished_shard,
    read_shard,
    read_soft_labels,
    shard_path,
    shard_ranges,
    statuses,
    write_shard,
)

ROWS, SHARD_ROWS = 23, 5


def labels(start: int = 0, stop: int = ROWS) -> SoftLabels:
    """Rows start … stop − 1 of a fixed set."""
    random = np.random.default_rng(5)
    logits = (random.normal(size=(ROWS, 3)) * 4).astype(np.float32)
    tokens = random.integers(0, 60, ROWS).astype(np.int32)
    return SoftLabels(
        ids=[f"т{i}" for i in range(start, stop)],
        sources=["train" if i < 9 else "pool.urls" for i in range(start, stop)],
        logits=logits[start:stop],
        tokens=tokens[start:stop],
        cut_tokens=(tokens // 3)[start:stop],
        status=statuses(logits, tokens)[start:stop],
    )


def label(folder, stop_after: int | None = None) -> int:
    """What a labelling step does; gives up after some shards. Returns how many it wrote."""
    written = 0
    for index, start, stop in shard_ranges(ROWS, SHARD_ROWS):
        if finished_shard(folder, index, labels(start, stop).ids) is not None:
            continue
        if written == stop_after:
            break
        write_shard(folder, index, labels(start, stop))
        written += 1
    return written


def same(a: SoftLabels, b: SoftLabels) -> bool:
    pairs = [(getattr(a, field.name), getattr(b, field.name)) for field in dataclasses.fields(SoftLabels)]
    return all(np.array_equal(one, other) for one, other in pairs)


def test_what_is_written_is_read_in_order(tmp_path):
    assert label(tmp_path) == 5
    found = read_soft_labels(tmp_path)
    assert same(found, labels()) and len(found) == ROWS
    assert (found.logits.dtype, found.tokens.dtype) == (np.float32, np.int32)


def test_order_of_shards_is_that_of_their_numbers(tmp_path):
    for index in (10, 2, 0):
        write_shard(tmp_path, index, labels(index, index + 1))
    assert read_soft_labels(tmp_path).ids == ["т0", "т2", "т10"]


@pytest.mark.parametrize("stop_after", range(6))
def test_an_interrupted_store_equals_an_uninterrupted_one(tmp_path, stop_after):
    for name, interruption in (("whole", None), ("resumed", stop_after)):
        label(tmp_path / name, interruption)
        assert label(tmp_path / name) == (0 if interruption is None else 5 - min(interruption, 5))
        write_manifest(tmp_path / name, {})
    assert digest(tmp_path / "whole") == digest(tmp_path / "resumed")


def test_shards_cover_the_rows_once():
    assert list(shard_ranges(ROWS, SHARD_ROWS)) == [(0, 0, 5), (1, 5, 10), (2, 10, 15), (3, 15, 20), (4, 20, 23)]
    assert list(shard_ranges(10, 5)) == [(0, 0, 5), (1, 5, 10)]
    assert list(shard_ranges(0, 5)) == []


@pytest.mark.parametrize("column", ["id", "source", "logits", "tokens", "cut_tokens", "status"])
def test_a_flipped_byte_in_any_column_is_named(tmp_path, column):
    label(tmp_path)
    path = shard_path(tmp_path, 1)
    chunks = pq.read_metadata(path).row_group(0)
    chunk = next(c for c in map(chunks.column, range(6)) if c.path_in_schema.split(".")[0] == column)
    data = bytearray(path.read_bytes())
    last = (chunk.dictionary_page_offset or chunk.data_page_offset) + chunk.total_compressed_size - 1
    data[last] ^= 0x01
    path.write_bytes(data)
    for read in (lambda: read_soft_labels(tmp_path), lambda: finished_shard(tmp_path, 1, labels(5, 10).ids)):
        with pytest.raises(UserError, match=r"shard-00001\.parquet[\s\S]*only its rows are labelled anew"):
            read()
    assert same(read_shard(shard_path(tmp_path, 0)), labels(0, 5))


@pytest.mark.parametrize("keep", [0, 7, 200, -1])
def test_a_cut_shard_is_named(tmp_path, keep):
    label(tmp_path)
    path = shard_path(tmp_path, 3)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(UserError, match=r"shard-00003\.parquet"):
        read_soft_labels(tmp_path)
    with pytest.raises(UserError, match=r"shard-00003\.parquet"):
        label(tmp_path)


def test_a_shard_of_other_rows_is_not_taken_for_done(tmp_path):
    label(tmp_path)
    for ids in (labels(0, 4).ids, labels(1, 6).ids, labels(0, 5).ids[::-1]):
        with pytest.raises(UserError, match=r"other rows[\s\S]*shard-00000\.parquet"):
            finished_shard(tmp_path, 0, ids)


def test_half_precision_is_smaller_and_close(tmp_path):
    wide = SoftLabels.concatenate([labels()] * 40)
    write_shard(tmp_path / "full", 0, wide)
    write_shard(tmp_path / "half", 0, wide, half=True)
    found = read_soft_labels(tmp_path / "half")
    assert pq.read_schema(shard_path(tmp_path / "half", 0)).field("logits").type.value_type == "halffloat"
    assert found.logits.dtype == np.float32 and not np.array_equal(found.logits, wide.logits)
    np.testing.assert_allclose(found.logits, wide.logits, rtol=1e-3)
    assert same(dataclasses.replace(found, logits=wide.logits), wide)


def test_logits_that_half_precision_cannot_hold_are_no_labels(tmp_path):
    wide = labels()
    wide.logits[2] = [70_000, 0, -1]
    write_shard(tmp_path, 0, wide, half=True)
    found = read_soft_labels(tmp_path)
    assert found.status[2] == "nonfinite" and found.status.count("nonfinite") == wide.status.count("nonfinite") + 1


def test_statuses_name_what_is_not_for_training():
    logits = np.array([[1, 2], [np.nan, 1], [np.inf, 0], [1, 2], [-np.inf, 0]], np.float32)
    tokens = np.array([3, 3, 3, 0, 0], np.int32)
    assert statuses(logits, tokens) == ["ok", "nonfinite", "nonfinite", "empty", "nonfinite"]


def test_nonfinite_logits_survive_the_store(tmp_path):
    broken = dataclasses.replace(labels(0, 2), logits=np.array([[np.nan, np.inf, 1], [0, 0, 0]], np.float32))
    write_shard(tmp_path, 0, broken)
    np.testing.assert_array_equal(read_soft_labels(tmp_path).logits, broken.logits)


def test_an_empty_store_says_what_to_run(tmp_path):
    with pytest.raises(UserError, match="run distill label first"):
        read_soft_labels(tmp_path)
