"""Which rows a model learns from."""

import numpy as np
import pytest

from distill.core.errors import UserError
from distill.core.record_store import read_records, write_records
from distill.core.records import Record
from distill.training.joining import Share
from distill.training.learnt_rows import Labels, gold_rows, labelled_rows, soft_rows
from tests.families.lessons import toy_labels
from tests.training.toy import SPACE, write_toy


@pytest.fixture
def records(tmp_path):
    return write_toy(tmp_path / "records", train=6, pool=4)


def test_training_rows_come_first_then_the_pools_by_name(tmp_path):
    for split in ("pool.urls", "valid", "pool.runtime", "train", "test.unseen"):
        records = [Record(f"{split}-{i}", {"page.title": "дрель"}) for i in range(2)]
        write_records(tmp_path / f"{split}.parquet", records)
    found = [(split, record.id) for split, record in labelled_rows(tmp_path)]
    assert found == [(split, f"{split}-{i}") for split in ("train", "pool.runtime", "pool.urls") for i in range(2)]


def test_rows_with_a_label_or_gold_are_learnt(records, tmp_path):
    labels = toy_labels(records, tmp_path / "labels", without={"т1", "т2", "п0", "п3"})
    found = soft_rows(records, Labels({labels: Share()}), SPACE, tmp_path)
    assert [row.id for row in found.records(records)] == [*(f"т{i}" for i in range(6)), "п1", "п2"]
    assert found.rows.tolist() == [*range(6), 7, 8] and found.source.tolist() == [0] * 6 + [1] * 2
    assert found.soft.labelled.tolist() == [True, False, False, True, True, True, False, True, True, False]
    assert np.array_equal(found.target[:6], [row.target for row in read_records(records, "train")])
    assert found.has_gold.tolist() == [True] * 6 + [False] * 4


def test_gold_is_that_of_the_training_rows(records):
    found = gold_rows(records)
    assert [row.id for row in found.records(records)] == [f"т{i}" for i in range(6)] and found.soft is None


def test_rows_of_a_slice_are_told_from_rows_of_none(records):
    rows = read_records(records, "train")
    slices = ["аптека", None, "None", "аптека", None, "стройка"]
    made = [Record(row.id, row.fields, row.target, name) for row, name in zip(rows, slices, strict=True)]
    write_records(records / "train.parquet", made)
    assert gold_rows(records, slices=["аптека"]).rows.tolist() == [0, 3]
    assert gold_rows(records, slices=["None", "стройка"]).rows.tolist() == [2, 5]
    with pytest.raises(UserError, match="аптека"):
        gold_rows(records, slices=["аптеки"])
