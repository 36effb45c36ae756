"""One row for each request that was timed."""

import pytest
from pyarrow import parquet

from benchmarks import bench
from benchmarks.bench import Bench
from benchmarks.config import BenchConfig
from benchmarks.layouts import BATCHES
from benchmarks.request_records import SCHEMA, write_requests
from distill.core.errors import UserError


@pytest.fixture
def measured(subject, monkeypatch):
    """Two subjects, two processes each, three requests of five records."""

    def process(one, rows, config, threads, more):
        assert more["keep"]
        times = [(at + 1) * 10**6 for at in range(len(rows))]
        batches = {str(size): {"total_ns": times, "tokenise_ns": [10**5] * len(rows)} for size in config.batch}
        sign = 1.0 if one.role == "teacher" else -1.0
        logits = [[sign * row["id"], 0.0] for row in rows]
        return {"batches": batches, "tokens": [1], "layouts": {BATCHES: 1.0}, "logits": logits}

    def of(**more):
        monkeypatch.setattr(bench, "run_process", process)
        subjects = [subject("t@document", "document", "pytorch", "fp32", "teacher"), subject("s@card")]
        rows = [{"id": number} for number in range(5)]
        config = BenchConfig(**{"requests": 3, "processes": 2, "minutes": 0, **more})
        return Bench(subjects, {"document": rows, "card": rows}, config, 1, keep=True).run()

    return of


def test_a_row_has_the_record_both_answers_and_the_latency(measured, tmp_path):
    found = measured()
    write_requests(tmp_path / "r.parquet", found, [f"record-{number}" for number in range(5)])
    table = parquet.read_table(tmp_path / "r.parquet")
    assert table.schema.equals(SCHEMA)
    rows = table.to_pylist()
    assert len(rows) == 2 * 2 * 3
    student = [row for row in rows if row["model"] == "s@card"]
    for row in student:
        number = float(row["id"].removeprefix("record-"))
        assert row["reference"] == "t@document"
        assert (row["logits"][0], row["reference_logits"][0]) == (-number, number)
    assert [row["total_ms"] for row in student[:3]] == [1, 2, 3] and student[3]["process"] == 1
    same = {row["id"]: row["input_sha256"] for row in rows}
    assert all(same[row["id"]] == row["input_sha256"] for row in rows) and len(set(same.values())) == 3


def test_without_single_requests_there_is_nothing_to_keep(measured, tmp_path):
    with pytest.raises(UserError, match="measure batch 1"):
        write_requests(tmp_path / "r.parquet", measured(batch=[4]), [""] * 5)
    assert not (tmp_path / "r.parquet").exists()
