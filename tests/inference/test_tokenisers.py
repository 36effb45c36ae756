"""Tokenising in other processes gives what this one would give, and leaves none behind."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from distill.core.errors import UserError
from distill.core.project import ViewConfig
from distill.core.record_store import write_records
from distill.core.records import Record
from distill.core.soft_labels import read_soft_labels
from distill.core.view import TOKENIZER_FILE, View
from distill.inference import tokenisers
from teachers.config import LabellingConfig
from teachers.label import label
from tests.inference.conftest import VIEW

ROOT = Path(__file__).resolve().parents[2]


def test_processes_tokenise_and_the_labels_are_the_same(folder, rows, tmp_path, monkeypatch):
    View("document", ViewConfig(**VIEW), folder / TOKENIZER_FILE).save(folder)
    monkeypatch.setattr(tokenisers, "_PIECE_ROWS", 8)
    made = [Record(str(n), {key: text or "" for key, text in row.items()}) for n, row in enumerate(rows)]
    write_records(tmp_path / "pool.web.parquet", made)
    write_records(tmp_path / "train.parquet", [])
    config = LabellingConfig(precision="fp32", shard_rows=16)
    assert config.as_fingerprint() == config.model_copy(update={"tokenisers": 2}).as_fingerprint()
    used = []
    encode = tokenisers.Tokenisers.encode_batch
    monkeypatch.setattr(tokenisers.Tokenisers, "encode_batch", lambda *given: used.append(1) or encode(*given))
    label(config, folder, tmp_path, 1, tmp_path / "thread")
    assert not used
    label(config.model_copy(update={"tokenisers": 2}), folder, tmp_path, 1, tmp_path / "processes")
    assert len(used) == 3
    one, other = read_soft_labels(tmp_path / "thread"), read_soft_labels(tmp_path / "processes")
    assert (list(one.ids), one.logits.tobytes()) == (list(other.ids), other.logits.tobytes())


def test_a_process_that_is_killed_is_told(make_renderer):
    pool = tokenisers.Tokenisers(make_renderer(), 1)
    assert len(pool.encode_batch([{}])) == 1
    os.kill(next(iter(pool._pool._processes)), signal.SIGKILL)
    for _ in range(2):
        with pytest.raises(UserError, match=r"was killed[\s\S]*labelling\.tokenisers[\s\S]*shards are kept") as told:
            pool.encode_batch([{}])
        assert told.value.exit_code == 2


_HOLDER = """
import os, sys, time
from distill.core.view import View
from distill.inference import tokenisers
if __name__ == "__main__":
    from pathlib import Path
    pool = tokenisers.Tokenisers(View.load(Path(sys.argv[1])).renderer(), 1)
    pool.encode_batch([{}])
    print(*pool._pool._processes, flush=True)
    time.sleep(60)
"""


def test_processes_end_with_one_that_is_killed(folder, tmp_path):
    View("document", ViewConfig(**VIEW), folder / TOKENIZER_FILE).save(folder)
    program = tmp_path / "holder.py"
    program.write_text(_HOLDER)
    holder = subprocess.Popen(
        [sys.executable, str(program), str(folder)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    child = int(holder.stdout.readline())
    os.kill(child, 0)
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    holder.stdout.close()
    for _ in range(200):
        if not _is_alive(child):
            return
        time.sleep(0.1)
    raise AssertionError(f"process {child} is still there")


def _is_alive(process):
    status = Path(f"/proc/{process}/stat")
    return status.exists() and status.read_text().rpartition(")")[2].split()[0] != "Z"
