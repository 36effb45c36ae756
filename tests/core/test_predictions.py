"""Prediction files: equal when read back, and damage that is named instead of read as other numbers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from distill.core.errors import UserError
from distill.core.predictions import Predictions, cluster_numbers, read_predictions, write_predictions
from distill.core.records import Record


def predictions(rows: int = 50) -> Predictions:
    random = np.random.default_rng(0)
    return Predictions(
        ids=[f"т{i}" for i in range(rows)],
        logits=random.normal(size=(rows, 3)).astype(np.float32),
        target=np.eye(3, dtype=np.float32)[random.integers(0, 3, rows)],
        slices=["аптека" if i % 2 else "" for i in range(rows)],
        clusters=[f"p{i // 2}" for i in range(rows)],
    )


def same(a: Predictions, b: Predictions) -> bool:
    lists = (a.ids, a.slices, a.clusters, a.further) == (b.ids, b.slices, b.clusters, b.further)
    return lists and np.array_equal(a.logits, b.logits) and np.array_equal(a.target, b.target)


@pytest.mark.parametrize("rows", [0, 1, 50])
def test_what_is_written_is_read(tmp_path, rows):
    path = tmp_path / "predictions" / "valid.parquet"
    write_predictions(path, predictions(rows))
    found = read_predictions(path)
    assert same(found, predictions(rows))
    assert found.logits.shape == (rows, 3) and found.logits.dtype == np.float32


def test_further_keys_are_written_where_there_are_any_and_files_without_them_have_the_first(tmp_path):
    path, one = tmp_path / "valid.parquet", predictions(6)
    both = replace(one, further=([f"страница{i % 3}" for i in range(6)], list("абвгде")))
    write_predictions(path, both)
    assert same(read_predictions(path), both)
    write_predictions(path, one)
    assert pq.read_table(path).column_names == ["id", "logits", "label", "slice", "cluster"]
    assert read_predictions(path).further == () and cluster_numbers(read_predictions(path)).shape == (6,)


def test_a_value_has_one_number_in_all_keys():
    both = replace(predictions(4), clusters=["а", "б", "в", "а"], further=(["в", "а", "г", "а"],))
    found = cluster_numbers(both)
    assert found.shape == (4, 2) and found.dtype == np.int64
    assert found[0, 1] == found[2, 0] and found[1, 1] == found[0, 0] == found[3, 1]
    assert len(np.unique(found)) == 4


def test_they_are_taken_from_labelled_records():
    gold = np.array([0, 1], np.float32)
    records = [
        Record("а", {}, gold, "аптека", {"product.id": "7", "page.id": "9"}),
        Record("б", {}, gold[::-1], None, {"product.id": "", "page.id": "9"}),
        Record("в", {}, gold, None, {"product.id": "", "page.id": ""}),
    ]
    found = Predictions.of(records, np.ones((3, 2), np.float32))
    assert (found.ids, found.slices, found.clusters) == (["а", "б", "в"], ["аптека", "", ""], ["7", "б", "в"])
    assert found.further == (["9", "9", "в"],)
    assert found.target.tolist() == [[0, 1], [1, 0], [0, 1]]


@pytest.mark.parametrize(
    ("records", "rows"), [([Record("а", {}, None)], 1), ([Record("а", {}, np.ones(2, np.float32))], 2)]
)
def test_rows_without_gold_or_logits_are_our_own_mistake(records, rows):
    with pytest.raises(ValueError, match=f"{rows} rows of logits"):
        Predictions.of(records, np.ones((rows, 2), np.float32))


def test_rows_of_one_cluster_and_no_others_have_one_number():
    found = cluster_numbers(replace(predictions(6), clusters=["ё", "10", "9", "10", "", "ё"]))
    assert found.dtype == np.int64 and sorted(set(found)) == [0, 1, 2, 3]
    assert found[0] == found[5] and found[1] == found[3]
    assert len(cluster_numbers(predictions(0))) == 0


@pytest.mark.parametrize("column", ["id", "logits", "label", "slice", "cluster"])
def test_a_flipped_byte_in_any_column_is_named(tmp_path, column):
    path = tmp_path / "valid.parquet"
    write_predictions(path, predictions())
    chunks = pq.read_metadata(path).row_group(0)
    chunk = next(c for c in map(chunks.column, range(5)) if c.path_in_schema.split(".")[0] == column)
    data = bytearray(path.read_bytes())
    data[chunk.data_page_offset + chunk.total_compressed_size // 2 + 8] ^= 0x01
    path.write_bytes(data)
    with pytest.raises(UserError, match=r"valid\.parquet"):
        read_predictions(path)


@pytest.mark.parametrize("keep", [0, 1, 100, -1])
def test_a_cut_file_is_named(tmp_path, keep):
    path = tmp_path / "valid.parquet"
    write_predictions(path, predictions())
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(UserError, match=r"valid\.parquet[\s\S]*its step will write it anew"):
        read_predictions(path)


@pytest.mark.parametrize(
    "table", [pa.table({"id": ["а"]}), pa.table({name: [1] for name in ("id", "logits", "label", "slice", "cluster")})]
)
def test_another_parquet_file_is_named(tmp_path, table):
    pq.write_table(table, tmp_path / "valid.parquet")
    with pytest.raises(UserError, match=r"other columns[\s\S]*valid\.parquet[\s\S]*id: "):
        read_predictions(tmp_path / "valid.parquet")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match=r"valid\.parquet"):
        read_predictions(tmp_path / "valid.parquet")
