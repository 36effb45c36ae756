"""Prediction files of labelled splits."""

import numpy as np
import pytest

from distill.core.errors import UserError
from distill.core.label_space import LabelSpace
from distill.core.predictions import read_predictions
from distill.core.project import ViewConfig
from distill.core.record_store import write_records
from distill.core.records import Record
from distill.core.view import TOKENIZER_FILE, View
from distill.inference import predict as module
from distill.inference.predict import predict
from distill.inference.runner_scorer import RunnerScorer
from distill.inference.torch_runner import TorchRunner

LABELS = ("нет", "упомянут", "да")
SPLITS = ["valid", "test.новые"]


def _renderer(folder):
    config = ViewConfig(left=["product.title"], right=["page.title", "page.body"], max_tokens=40)
    return View("document", config, folder / TOKENIZER_FILE).renderer()


def _record(name, row, **over):
    fields = {path: text or "" for path, text in row.items()}
    target = LabelSpace(LABELS).target({"нет": 1, "да": 3} if name.endswith("3") else LABELS[len(name) % 3])
    return Record(name, fields, target, **over)


@pytest.fixture
def records(rows, tmp_path):
    """Two labelled splits; the second has slices and keys, some of them missing."""
    first = [_record(f"в{number}", row) for number, row in enumerate(rows[:14])]
    second = [
        _record(
            f"э{number}", row, slice="аптека" if number % 2 else None, keys={"product.id": "7" if number % 3 else ""}
        )
        for number, row in enumerate(rows[14:])
    ]
    write_records(tmp_path / "records" / "valid.parquet", first)
    write_records(tmp_path / "records" / "test.новые.parquet", second)
    return tmp_path / "records", {"valid": first, "test.новые": second}


class Opened:
    """Opens a model behind its view and notes it, with the rows of every batch."""

    def __init__(self, folder, **options):
        self.folder, self.options, self.times, self.rows = folder, options, 0, []

    def __call__(self):
        self.times += 1
        self.runner = TorchRunner(self.folder)
        return RunnerScorer(self, _renderer(self.folder), **self.options)

    def logits(self, batch):
        self.rows.append(len(batch["input_ids"]))
        return self.runner.logits(batch)


def test_ids_order_gold_slices_and_clusters(folder, records, tmp_path):
    stored, splits = records
    predict(Opened(folder), stored, SPLITS, tmp_path / "out")
    for split, rows in splits.items():
        found = read_predictions(tmp_path / "out" / f"{split}.parquet")
        assert found.ids == [row.id for row in rows]
        assert np.array_equal(found.target, np.stack([row.target for row in rows]))
        expected = RunnerScorer(TorchRunner(folder), _renderer(folder)).score([row.fields for row in rows]).logits
        np.testing.assert_allclose(found.logits, expected, atol=1e-6)
        assert found.slices == [row.slice or "" for row in rows]
        assert found.clusters == [row.keys.get("product.id") or row.id for row in rows]
    assert [0.25, 0, 0.75] in found.target.tolist() or [0.25, 0, 0.75] in read_predictions(
        tmp_path / "out" / "valid.parquet"
    ).target.tolist()


def test_rows_are_read_as_they_are_answered(folder, records, tmp_path, monkeypatch):
    stored, splits = records
    predict(Opened(folder), stored, ["valid"], tmp_path / "whole")
    taken, read = [], module.iter_records

    def noting(place, split):
        for record in read(place, split):
            taken.append(record.id)
            yield record

    class Noting(Opened):
        def logits(self, batch):
            self.first = getattr(self, "first", None) or len(taken)
            return super().logits(batch)

    monkeypatch.setattr(module, "iter_records", noting)
    monkeypatch.setattr(module, "CHUNK_ROWS", 2)
    opened = Noting(folder)
    predict(opened, stored, ["valid"], tmp_path / "pieces")
    assert opened.first < len(taken) == len(splits["valid"]) == 14
    one, other = (read_predictions(tmp_path / name / "valid.parquet") for name in ("whole", "pieces"))
    assert one.ids == other.ids and one.clusters == other.clusters and np.array_equal(one.target, other.target)
    np.testing.assert_allclose(one.logits, other.logits, atol=1e-5)


def test_splits_that_are_there_are_kept(folder, records, tmp_path):
    stored, splits = records
    out = tmp_path / "out"
    predict(Opened(folder), stored, ["valid"], out)
    before = (out / "valid.parquet").stat().st_mtime_ns
    opened = Opened(folder)
    predict(opened, stored, SPLITS, out)
    assert opened.times == 1 and sum(opened.rows) == len(splits["test.новые"])
    assert (out / "valid.parquet").stat().st_mtime_ns == before


def test_nothing_missing_does_not_open_the_model(folder, records, tmp_path):
    predict(Opened(folder), records[0], SPLITS, tmp_path / "out")
    opened = Opened(folder)
    predict(opened, records[0], SPLITS, tmp_path / "out")
    assert opened.times == 0


def test_one_record_at_a_time_where_batches_matter(folder, records, tmp_path):
    opened = Opened(folder, max_rows=1)
    predict(opened, records[0], SPLITS, tmp_path / "out")
    assert set(opened.rows) == {1}


def test_a_failure_keeps_the_splits_before_it(folder, records, tmp_path):
    class Failing(Opened):
        def logits(self, batch):
            if sum(self.rows) >= 14:
                raise RuntimeError("device lost")
            return super().logits(batch)

    with pytest.raises(RuntimeError, match="device lost"):
        predict(Failing(folder), records[0], SPLITS, tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["valid.parquet"]


def test_unknown_split_is_named(folder, records, tmp_path):
    with pytest.raises(UserError, match="valdi"):
        predict(Opened(folder), records[0], ["valdi"], tmp_path / "out")


def test_unlabelled_records_have_no_prediction_file(folder, records, tmp_path, rows):
    write_records(records[0] / "pool.urls.parquet", [Record("п", {p: t or "" for p, t in rows[1].items()})])
    with pytest.raises(ValueError, match="1 records, 0 with gold"):
        predict(Opened(folder), records[0], ["pool.urls"], tmp_path / "out")
    assert not (tmp_path / "out" / "pool.urls.parquet").exists()
