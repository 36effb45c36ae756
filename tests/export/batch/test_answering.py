"""Rows of one text are answered once, rows of several files keep their order and their names."""

from __future__ import annotations

import json

import pytest

from distill.core.errors import UserError
from export.batch import shards
from export.batch.predict import predict_files
from export.predict_options import PredictOptions
from export.runtime import Bundle
from tests.export.batch.files import answers, predict, write_source
from tests.export.tiny_bundle import shared_bundle


@pytest.fixture
def asked(monkeypatch):
    """The number of records of each question to the model."""
    counts, real = [], Bundle.predict
    monkeypatch.setattr(
        Bundle, "predict", lambda self, rows, *given: counts.append(len(rows)) or real(self, rows, *given)
    )
    return counts


def test_equal_texts_are_scored_once(tmp_path, asked):
    titles = ["drill", " drill ", "saw", "drill", {"a": 1}]
    lines = [json.dumps({"id": i, "page": {"title": title}, "other": i}) for i, title in enumerate(titles)]
    (tmp_path / "in.jsonl").write_text("\n".join(lines), encoding="utf-8")
    found = predict(shared_bundle(), tmp_path / "in.jsonl", tmp_path / "out.jsonl")
    assert asked == [2] and (found.rows, found.rejects) == (4, 1)
    first, second, third, fourth = answers(tmp_path / "out.jsonl")
    assert first["probabilities"] == second["probabilities"] == fourth["probabilities"] != third["probabilities"]
    assert [one["id"] for one in (first, second, third, fourth)] == [0, 1, 2, 3]


def test_long_rows_make_small_shards(tmp_path, asked, monkeypatch):
    monkeypatch.setattr(shards, "SHARD_CHARACTERS", 100)
    source = write_source(tmp_path / "in.jsonl", [f"{i}" * 60 for i in range(5)])
    predict(shared_bundle(), source, tmp_path / "out.jsonl")
    assert asked == [2, 2, 1]


def test_several_files_and_globs_are_answered_in_their_order(tmp_path):
    kinds = ["b.csv", "c.parquet", "a.jsonl.gz"]
    for kind in kinds:
        write_source(tmp_path / kind)
    files, out = [str(tmp_path / "b.csv"), str(tmp_path / "*.parquet"), str(tmp_path / "a.*")], tmp_path / "out.tsv.gz"
    found = predict_files(shared_bundle(), files, PredictOptions(out, precision="int8"))
    single = predict(shared_bundle(), tmp_path / "b.csv", tmp_path / "one.tsv.gz", precision="int8")
    assert found.rows == 9 and answers(out) == answers(single.out) * 3
    with pytest.raises(UserError, match=r"answers to several files need a name[\s\S]*--out"):
        predict_files(shared_bundle(), files, PredictOptions())
    with pytest.raises(UserError, match=r"no file matches[\s\S]*nothing"):
        predict_files(shared_bundle(), [str(tmp_path / "nothing*")], PredictOptions(out))
    with pytest.raises(UserError, match="overwrite"):
        predict_files(shared_bundle(), files, PredictOptions(tmp_path / "c.parquet"))


def test_rows_of_several_files_without_an_id_are_named_by_file_and_line(tmp_path):
    for name in ("a.jsonl", "b.jsonl"):
        (tmp_path / name).write_text('{"page.title": "x"}\n\n{"page.title": "y"}\n{', encoding="utf-8")
    found = predict(shared_bundle(), tmp_path / "*.jsonl", tmp_path / "out.csv")
    names = [f"{tmp_path / name}:{line}" for name in ("a.jsonl", "b.jsonl") for line in (1, 3)]
    assert [row["id"] for row in answers(tmp_path / "out.csv")] == names
    rejects = [json.loads(line) for line in found.rejects_file.read_text("utf-8").splitlines()]
    assert [(one["file"], one["line"]) for one in rejects] == [
        (str(tmp_path / name), 4) for name in ("a.jsonl", "b.jsonl")
    ]


def test_a_file_of_several_that_lacks_the_fields_is_named(tmp_path):
    write_source(tmp_path / "a.jsonl")
    (tmp_path / "b.jsonl").write_text('{"name": "x"}', encoding="utf-8")
    with pytest.raises(UserError, match=r"no row has a field[\s\S]*b\.jsonl[\s\S]*columns name"):
        predict(shared_bundle(), tmp_path / "*.jsonl", tmp_path / "out.csv")


def test_an_id_that_no_file_can_hold_is_a_reject(tmp_path):
    lines = [json.dumps({"id": "\ud800", "page.title": "x"}), json.dumps({"id": 0, "page.title": "x"})]
    (tmp_path / "in.jsonl").write_text("\n".join(lines), encoding="utf-8")
    found = predict(shared_bundle(), tmp_path / "in.jsonl", tmp_path / "out.jsonl")
    assert found.rejects == 1 and [one["id"] for one in answers(tmp_path / "out.jsonl")] == [0]


def test_shards_of_parquet_are_one_file(tmp_path, monkeypatch):
    monkeypatch.setattr(shards, "SHARD_ROWS", 2)
    source = write_source(tmp_path / "in.parquet", [f"drill {i}" for i in range(7)])
    predict(shared_bundle(), source, tmp_path / "out.parquet", "f1", "int8")
    predict(shared_bundle(), source, tmp_path / "out.jsonl", "f1", "int8")
    assert answers(tmp_path / "out.parquet") == answers(tmp_path / "out.jsonl")
