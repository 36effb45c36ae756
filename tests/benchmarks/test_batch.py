"""Answers for files are timed in calls of their own, which a second start keeps."""

from __future__ import annotations

import json
import os

import pytest

from benchmarks import batch, batch_student
from benchmarks.figures import fill
from benchmarks.result_kinds import kind_of
from distill.core.errors import UserError
from tests.export.tiny_bundle import shared_bundle


def test_calls_are_compared_and_kept(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(batch, "make_bundle", lambda *_: shared_bundle())
    command = ["--work", str(tmp_path), "--results", str(tmp_path / "results"), "--rows", "60", "--speed-rows", "50"]
    command += ["--rounds", "1", "--precision", "fp32"]
    assert batch.main(command) == 0
    result, several = json.loads((tmp_path / "results" / "batch.json").read_text("utf-8")), os.cpu_count()
    found = [(one["part"], one["rows"], one["workers"]) for one in result["calls"]]
    assert found == [("speed", 50, 1), ("speed", 50, several), ("memory", 60, several), ("keys", 60, several)]
    one, other, _, keys = result["calls"]
    name = f"{several}_workers_fp32"
    assert result["ratios"] == {name: pytest.approx(other["rows_per_s"] / one["rows_per_s"], abs=1e-3)}
    assert keys["keys"] == 60 and min(one["peak_bytes"], other["worker_peak_bytes"]) > 1e7
    page, words = kind_of(result).full(result), kind_of(result).figures
    assert page.count("\n| ") == 6 and "table of as many keys, 2 × 128" in page
    assert fill("{peak: keys, 60}, {largest: keys}", result, words, "here").endswith(" MB, 60")
    assert fill(f"{{times: {name}}}", result, words, "here").endswith("×")
    monkeypatch.setattr(batch, "_call", None)  # nothing is left to call
    assert batch.main(command) == 0 and capsys.readouterr().out.count('{"ratios"') == 2


def test_a_call_that_fails_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(batch, "make_bundle", lambda *_: shared_bundle())
    with pytest.raises(UserError, match=r"ended without a result[\s\S]*no precision 'fp8'"):
        batch.measure([batch.Cell("memory", 5, 1, "fp8")], tmp_path)


def test_records_are_short_and_their_texts_repeat_where_they_are_asked_to(tmp_path):
    for texts, different in ((None, 20), (5, 5)):
        batch_student.write_records(tmp_path / "in.jsonl", 20, texts)
        rows = [json.loads(line) for line in (tmp_path / "in.jsonl").read_text("utf-8").splitlines()]
        assert len({json.dumps([row["product"], row["page"]]) for row in rows}) == different
        assert len({row["id"] for row in rows}) == 20


@pytest.mark.slow
def test_a_student_becomes_a_bundle(tmp_path):
    bundle = batch_student.make_bundle(tmp_path, 1, 32)
    assert (bundle / "model.int8.onnx").exists() and batch_student.make_bundle(tmp_path, 1, 32) == bundle
