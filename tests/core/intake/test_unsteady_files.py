"""Files that change while they are read, and files cut short: an error by name, and nothing that looks done."""

import gzip
import io
import os

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from distill.core.errors import UserError
from distill.core.intake.junk_rules.rule import JunkRule
from distill.core.intake.sources import read_rows
from distill.core.steps import Step, Steps
from tests.core.record_fixtures import row, rows, run, write, write_all

LINE = b'{"id": "1", "text": "x"}\n'


def appended(path):
    with path.open("ab") as file:
        file.write(LINE)


def replaced(path):
    (path.parent / "new").write_bytes(path.read_bytes())
    os.replace(path.parent / "new", path)


def touched(path):
    os.utime(path, ns=(1, 1))


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (appended, "25,000 bytes at the start, 25,025 at the end"),
        (replaced, "another file has its name now"),
        (touched, "it was written to"),
        (os.unlink, "it is gone"),
    ],
)
def test_a_file_that_changes_while_it_is_read_is_named(tmp_path, change, found):
    path = tmp_path / "pool.jsonl"
    path.write_bytes(LINE * 1000)
    reading = read_rows(path)
    next(reading)
    change(path)
    with pytest.raises(UserError, match="changed while it was read") as caught:
        list(reading)
    assert str(path) in str(caught.value) and found in str(caught.value) and "start again" in str(caught.value)


def test_what_a_change_breaks_is_told_as_the_change(tmp_path):
    path = tmp_path / "pool.jsonl.gz"
    path.write_bytes(gzip.compress(os.urandom(300_000).hex().encode() + b"\n" + LINE * 9))
    reading = read_rows(path)
    next(reading)
    path.write_bytes(path.read_bytes()[:-400])
    with pytest.raises(UserError, match="changed while it was read"):
        list(reading)


class Touching(JunkRule):
    """A rule whose judge writes to the file that is being read."""

    def judge(self, counted):
        """Fits no row."""
        return lambda texts: touched(Touching.file)


def test_a_pool_that_is_written_to_leaves_no_finished_records(tmp_path):
    Touching.file = write_all(tmp_path) / "pool.jsonl"
    with pytest.raises(UserError, match=r"(?s)changed while it was read.*pool\.jsonl"):
        run(tmp_path, junk={"rules": {"пишет": {"kind": f"{__name__}:Touching", "sources": ["pool"]}}})
    assert not (tmp_path / "records" / "ledger.json").exists()


def test_a_step_whose_file_changed_since_it_was_hashed_is_not_finished(tmp_path):
    source = tmp_path / "pool.jsonl"
    source.write_bytes(LINE)

    def body(folder):
        (folder / "made.txt").write_text("half")
        appended(source)

    steps = Steps(tmp_path / "run", {}, {})
    with pytest.raises(UserError, match="changed while it was read") as caught:
        steps.run(Step("records", "records", body, files=(source,)))
    assert str(source) in str(caught.value)
    assert not (tmp_path / "run" / "records").exists() and not [*(tmp_path / "run").rglob("made.txt")]
    calm = Step("records", "records", lambda folder: (folder / "made.txt").write_text("whole"), files=(source,))
    assert (steps.run(calm) / "made.txt").read_text() == "whole"


def parquet():
    buffer = io.BytesIO()
    pq.write_table(pa.table({"id": [str(i) for i in range(2000)], "text": ["слово"] * 2000}), buffer)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("a.parquet", parquet()[:-9], "broken Parquet file"),
        ("a.parquet", parquet()[:4], "broken Parquet file"),
        ("a.jsonl.gz", gzip.compress(LINE * 9000, mtime=0)[:-9], "broken gzip file"),
        ("a.jsonl.gz", gzip.compress(LINE, mtime=0)[:6], "broken gzip file"),
        ("a.jsonl", LINE * 3 + LINE[:-5], "ends in the middle of a row"),
        ("a.jsonl", LINE * 3 + LINE[:1], "ends in the middle of a row"),
        ("a.jsonl", LINE * 3 + b'{"page": {"text": "x"}', "ends in the middle of a row"),
        ("a.jsonl.gz", gzip.compress(LINE * 3 + LINE[:9], mtime=0), "ends in the middle of a row"),
        ("a.csv", b"id,text,label\n1,x,a\n2,y", "ends in the middle of a row"),
        ("a.tsv", b"id\ttext\tlabel\n1\tx\ta\n2", "ends in the middle of a row"),
        ("a.csv", b'id,text\n1,x\n2,"y', "never closed"),
    ],
)
def test_a_file_that_was_cut_short_is_named(tmp_path, name, data, message):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(UserError, match=message) as caught:
        list(read_rows(tmp_path / name))
    assert name in str(caught.value)


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n"])
def test_a_whole_last_row_needs_no_line_end_and_a_broken_one_is_a_row_where_it_has_one(tmp_path, end):
    (tmp_path / "a.jsonl").write_bytes(LINE * 3 + LINE.strip() + end)
    assert [one.problem for one in read_rows(tmp_path / "a.jsonl")] == [None] * 4
    if end:
        (tmp_path / "a.jsonl").write_bytes(LINE * 3 + LINE[:-5] + end)
        assert [one.problem and one.problem.reason for one in read_rows(tmp_path / "a.jsonl")][-1] == "broken_json"


@pytest.mark.parametrize(
    ("name", "last"),
    [
        ("a.jsonl", b'{"id": 1} {"id": 2}'),
        ("a.jsonl", b'{"a": ' * 3000 + b"1" + b"}" * 3000),
        ("a.jsonl", b"no object"),
        ("a.csv", b"1,2,3,4"),
    ],
)
def test_a_last_row_that_is_whole_and_wrong_is_a_row_without_a_line_end_too(tmp_path, name, last):
    (tmp_path / name).write_bytes((LINE if name == "a.jsonl" else b"id,text\n1,x\n") + last)
    assert [one.problem is None for one in read_rows(tmp_path / name)] == [True, False]


def test_no_text_of_the_row_is_in_the_message(tmp_path):
    path = write(tmp_path / "a.jsonl", rows("т", 3, 0))
    path.write_bytes(path.read_bytes() + str(row("секрет", 9)).encode()[:40])
    with pytest.raises(UserError, match="line 4") as caught:
        list(read_rows(path))
    assert "секрет" not in str(caught.value)
