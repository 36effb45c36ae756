import numpy as np
import pytest

from distill.core import record_store
from distill.core.errors import UserError
from distill.core.record_store import (
    class_shares,
    count_records,
    iter_records,
    read_records,
    sample_records,
    splits,
    texts_of,
    write_records,
)
from distill.core.records import Record


def record(name, target=(0.25, 0.75)):
    fields = {"product.title": f"Ёлка {name}", "id": "поле с именем id", "target": "", "slice": "и slice"}
    gold = None if target is None else np.array(target, np.float32)
    return Record(name, fields, gold, "аптека", {"product.id": name, "page.id": ""})


def same(a, b):
    gold = a.target is b.target or np.array_equal(a.target, b.target)
    return gold and (a.id, dict(a.fields), a.slice, dict(a.keys)) == (b.id, dict(b.fields), b.slice, dict(b.keys))


@pytest.mark.parametrize("target", [(0.25, 0.75), None])
@pytest.mark.parametrize("count", [1, 999, 1000, 2001])
def test_records_come_back_as_written(tmp_path, count, target):
    records = [record(f"р{i}", target) for i in range(count)]
    assert write_records(tmp_path / "train.parquet", iter(records)) == count
    found = read_records(tmp_path, "train")
    assert len(found) == count == count_records(tmp_path, "train")
    assert all(same(a, b) for a, b in zip(records, found, strict=True))
    if target:
        assert found[-1].target.dtype == np.float32


def test_large_texts_are_written_in_smaller_pieces(tmp_path, monkeypatch):
    monkeypatch.setattr(record_store, "_BATCH_CHARS", 30)
    records = [record(f"р{i}") for i in range(5)]
    write_records(tmp_path / "train.parquet", records)
    assert [found.id for found in read_records(tmp_path, "train")] == [f"р{i}" for i in range(5)]


def test_a_sample_is_seeded_in_order_and_from_the_whole_file(tmp_path):
    write_records(tmp_path / "train.parquet", [record(f"р{i:04}") for i in range(2500)])
    names = [found.id for found in sample_records(tmp_path, "train", 40, seed=1)]
    assert len(set(names)) == 40 and names == sorted(names)
    assert names[0] < "р0500" and names[-1] > "р2000"
    assert names == [found.id for found in sample_records(tmp_path, "train", 40, seed=1)]
    assert names != [found.id for found in sample_records(tmp_path, "train", 40, seed=2)]


@pytest.mark.parametrize("count", [0, 3])
def test_a_sample_of_few_records_is_all_of_them(tmp_path, count):
    records = [record(f"р{i}") for i in range(count)]
    write_records(tmp_path / "train.parquet", records)
    found = sample_records(tmp_path, "train", 50, seed=1)
    assert len(found) == count and all(map(same, records, found))


def test_no_records_are_a_file_too(tmp_path):
    assert write_records(tmp_path / "valid.parquet", []) == 0
    assert read_records(tmp_path, "valid") == []


def test_one_record_is_found_by_its_id(tmp_path):
    write_records(tmp_path / "train.parquet", [record(f"р{i}") for i in range(1500)])
    assert [found.fields["product.title"] for found in iter_records(tmp_path, "train", "р1200")] == ["Ёлка р1200"]


def test_texts_are_found_by_ids_and_unknown_ones_are_left_out(tmp_path):
    write_records(tmp_path / "test.unseen.parquet", [record(f"р{i}") for i in range(1200)])
    found = texts_of(tmp_path, "test.unseen", ["р1100", "р3", "другой"])
    assert list(found) == ["р3", "р1100"]
    assert found["р3"] == dict(record("р3").fields)


def test_splits_come_in_their_order(tmp_path):
    for name in ("pool.б", "test.unseen", "valid", "pool.а", "train", "test.seen"):
        write_records(tmp_path / f"{name}.parquet", [record("р")])
    assert splits(tmp_path) == ["train", "valid", "test.seen", "test.unseen", "pool.а", "pool.б"]


def test_a_missing_split_is_named_with_the_known_ones(tmp_path):
    write_records(tmp_path / "train.parquet", [record("р")])
    with pytest.raises(UserError, match="trian") as error:
        read_records(tmp_path, "trian")
    assert "did you mean 'train'" in str(error.value)


def test_a_broken_file_is_named(tmp_path):
    write_records(tmp_path / "train.parquet", [record(f"р{i}") for i in range(50)])
    data = bytearray((tmp_path / "train.parquet").read_bytes())
    (tmp_path / "train.parquet").write_bytes(data[: len(data) // 2])
    with pytest.raises(UserError, match="broken record file"):
        read_records(tmp_path, "train")


def test_a_failed_write_leaves_no_file(tmp_path):
    def failing():
        yield record("р")
        raise RuntimeError("planted")

    with pytest.raises(RuntimeError, match="planted"):
        write_records(tmp_path / "train.parquet", failing())
    assert list(tmp_path.iterdir()) == []


def test_class_shares_are_the_mean_of_the_gold_votes_in_part(tmp_path):
    golds = [(1, 0, 0), (0, 0.25, 0.75), (0, 1, 0)]
    write_records(tmp_path / "train.parquet", [record(f"р{i}", gold) for i, gold in enumerate(golds)])
    write_records(tmp_path / "valid.parquet", [record("в", (0, 0, 1))])
    assert class_shares(tmp_path) == pytest.approx([1 / 3, 1.25 / 3, 0.75 / 3])
    assert class_shares(tmp_path, "valid").tolist() == [0, 0, 1]


def test_class_shares_of_several_labels_are_the_share_of_rows_with_each(tmp_path):
    write_records(tmp_path / "train.parquet", [record("а", (1, 1, 0)), record("б", (1, 0, 0))])
    assert class_shares(tmp_path).tolist() == [1, 0.5, 0]


@pytest.mark.parametrize("records", [[], [record("р", None)]])
def test_a_split_without_gold_has_no_class_shares(tmp_path, records):
    write_records(tmp_path / "pool.urls.parquet", records)
    with pytest.raises(UserError, match=r"no row has gold labels[\s\S]*pool\.urls\.parquet"):
        class_shares(tmp_path, "pool.urls")
