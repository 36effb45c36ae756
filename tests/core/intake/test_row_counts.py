"""How many rows are told to be there before they are read, and that reading tells how far it is."""

import gzip

import pyarrow as pa
import pyarrow.parquet as pq

from distill.core.intake.audit import audit
from distill.core.intake.prepare import prepare
from distill.core.intake.row_counts import most_rows
from distill.core.progress import Reporter, reporting
from tests.core.record_fixtures import project, rows, write, write_all


def test_lines_of_text_files_and_rows_of_parquet_files_are_counted(tmp_path):
    plain = write(tmp_path / "a.jsonl", rows("а", 3, 0))
    packed = tmp_path / "b.csv.gz"
    packed.write_bytes(gzip.compress(b"id,text\n1,a\n2,b\n"))
    table = tmp_path / "c.parquet"
    pq.write_table(pa.table({"id": list(range(7))}), table)
    assert [most_rows([path]) for path in (plain, packed, table)] == [4, 4, 7]
    assert most_rows([plain, table]) == 11


def test_what_cannot_be_read_is_left_to_the_reader(tmp_path):
    broken = tmp_path / "a.jsonl.gz"
    broken.write_bytes(gzip.compress(b"1\n" * 9)[:-9])
    (tmp_path / "b.parquet").write_bytes(b"no table")
    assert most_rows([broken, tmp_path / "b.parquet", tmp_path / "none.jsonl"]) == 0


class Told(Reporter):
    def __init__(self):
        self.tasks, self.seen, self.open = [], [], 0

    def start(self, name, total, done, at_most, unit="rows"):
        assert not self.open
        self.open += 1
        self.tasks.append((name, total, unit))

    def advance(self, done):
        self.seen.append((self.tasks[-1][0], done))

    def end(self):
        self.open -= 1


def test_reading_and_comparing_tell_their_rows_one_after_the_other(tmp_path):
    plan, told = project(root=str(write_all(tmp_path, pool=rows("п", 1100, 300, labelled=False))), near={}), Told()
    with reporting(told):
        prepare(plan, tmp_path / "records")
        audit(plan, tmp_path / "records", tmp_path / "audit")
    assert [name for name, _, _ in told.tasks] == [
        *(f"reading {name}" for name in ("train", "valid", "test.seen", "pool.urls")),
        "near duplicates of pool.urls",
        *(f"comparing {name}" for name in ("train", "valid", "test.seen", "pool.urls")),
    ]
    assert ("reading pool.urls", 1000) in told.seen and ("comparing pool.urls", 500) in told.seen
    assert told.open == 0 and {unit for *_, unit in told.tasks} == {"rows"}
