"""Answers are finished by the same command after a kill, a full disk or an error, and never mixed with others."""

from __future__ import annotations

import errno
import json
import os
import random
import time

import pytest

from distill.core.errors import UserError
from distill.core.lock import run_lock
from export.batch import shards, store, workers
from export.runtime import load_bundle
from tests.export.batch.files import answers, predict
from tests.export.tiny_bundle import copy_of, reseal, shared_bundle
from tests.own_process import exit_code

ROWS, SHARD, BAD = 100, 8, (3, 50)  # 13 shards


@pytest.fixture(autouse=True)
def small_shards(monkeypatch):
    monkeypatch.setattr(shards, "SHARD_ROWS", SHARD)


@pytest.fixture
def source(tmp_path):
    """Rows that all read differently, two of them broken."""
    lines = [json.dumps({"id": f"r{i}", "page.title": f"drill {i}"}) for i in range(ROWS)]
    for number in BAD:
        lines[number] = "{broken"
    (tmp_path / "in.jsonl").write_text("\n".join(lines), encoding="utf-8")
    return tmp_path / "in.jsonl"


@pytest.fixture
def scored(monkeypatch):
    """How many rows of each shard were answered, and `fail(after, error)`: the next call ends so."""

    class Scored(list):
        def fail(self, after, happens):
            self.clear()
            monkeypatch.setattr(workers, "answer_rows", lambda *given: counted(*given, after=after, happens=happens))

    seen, real = Scored(), workers.answer_rows

    def counted(model, rows, question, after=None, happens=None):
        if len(seen) == after:
            happens()
        seen.append(len(rows))
        return real(model, rows, question)

    monkeypatch.setattr(workers, "answer_rows", counted)
    return seen


def outcome(out):
    """The bytes of the answers and of the rejects."""
    return out.read_bytes(), out.with_name(f"{out.name}.rejects.jsonl").read_bytes()


def raises(error):
    def happens():
        raise error

    return happens


@pytest.mark.parametrize("kind", ["jsonl", "csv.gz"])
def test_finished_shards_are_kept_and_the_outcome_is_that_of_one_call(tmp_path, source, scored, kind):
    (tmp_path / "whole").mkdir()
    whole, out = tmp_path / "whole" / f"out.{kind}", tmp_path / f"out.{kind}"
    assert predict(shared_bundle(), source, whole).rows == ROWS - len(BAD)
    scored.fail(5, raises(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        predict(shared_bundle(), source, out)
    assert not out.exists() and len(scored) == 5
    scored.fail(None, None)
    found = predict(shared_bundle(), source, out)
    assert (found.rows, found.rejects, len(scored)) == (ROWS - len(BAD), len(BAD), 13 - 5)
    assert outcome(out) == outcome(whole) and [path.name for path in tmp_path.glob(".out*")] == []
    assert [json.loads(line)["line"] for line in outcome(out)[1].splitlines()] == [number + 1 for number in BAD]


@pytest.mark.parametrize("change", ["input", "bundle", "precision", "operating_point", "key"])
def test_shards_of_something_else_are_never_taken(tmp_path, source, scored, change):
    out, bundle, options = tmp_path / "out.jsonl", copy_of(shared_bundle(), tmp_path), {}
    scored.fail(5, raises(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        predict(bundle, source, out, precision="fp32")
    if change == "input":
        source.write_text(source.read_text("utf-8").replace("drill 1", "саw 1"), "utf-8")
    elif change == "bundle":
        reseal(bundle, lineage={"teacher": "another"})
    else:
        options = {"precision": {"precision": "int8"}, "key": {"key": "id"}}.get(change, {"point": "f1"})
    scored.fail(None, None)
    predict(bundle, source, out, **{"precision": "fp32", **options})
    assert len(scored) == 13
    model = load_bundle(bundle, options.get("precision", "fp32"), verify=False)
    first = json.loads(source.read_text("utf-8").splitlines()[1])
    expected = model.predict([first], options.get("point"))[0]
    found = answers(out)[1]
    assert found["label"] == expected["label"] and found.get("positive") == expected.get("positive")
    assert found["probabilities"] == pytest.approx(expected["probabilities"], abs=1e-6)


@pytest.mark.parametrize("damaged", ["shard-000002.jsonl", "shard-000000.rejects", "shard-000001.json"])
def test_a_damaged_shard_is_made_again(tmp_path, source, scored, damaged):
    out = tmp_path / "out.jsonl"
    predict(shared_bundle(), source, out)
    expected = outcome(out)
    scored.fail(5, raises(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        predict(shared_bundle(), source, out)
    path = next((tmp_path / ".out.jsonl.shards").rglob(damaged))
    content = path.read_bytes()
    path.write_bytes(content[:-9] + b"#" + content[-8:])
    scored.fail(None, None)
    predict(shared_bundle(), source, out)
    assert len(scored) == 13 - 5 + 1 and outcome(out) == expected


def test_a_full_disk_is_named_and_loses_no_finished_shard(tmp_path, source, scored, monkeypatch):
    out, real = tmp_path / "out.jsonl", store.open_answers

    def full(path, *given, **more):
        if "shard-000004" in path.name:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(path, *given, **more)

    monkeypatch.setattr(store, "open_answers", full)
    with pytest.raises(UserError, match=r"cannot write[\s\S]*shard-000004[\s\S]*free space"):
        predict(shared_bundle(), source, out)
    monkeypatch.setattr(store, "open_answers", real)
    scored.clear()
    assert predict(shared_bundle(), source, out).rows == ROWS - len(BAD) and len(scored) == 13 - 4


def test_a_file_that_changes_while_it_is_read_is_named(tmp_path, source, scored):
    out = tmp_path / "out.jsonl"

    def grow():
        with source.open("a", encoding="utf-8") as file:
            file.write('\n{"id": "late", "page.title": "x"}')

    scored.fail(3, grow)
    with pytest.raises(UserError, match=r"changed while it was read[\s\S]*in\.jsonl"):
        predict(shared_bundle(), source, out)
    assert not out.exists()
    scored.fail(None, None)
    assert predict(shared_bundle(), source, out).rows == ROWS - len(BAD) + 1 and len(scored) == 13
    assert answers(out)[-1]["id"] == "late"


def test_a_file_that_disappears_is_named(tmp_path, source, scored):
    content = source.read_bytes()
    scored.fail(3, source.unlink)
    with pytest.raises(UserError, match=r"the file is gone[\s\S]*in\.jsonl"):
        predict(shared_bundle(), source, tmp_path / "out.jsonl")
    source.write_bytes(content)
    scored.fail(None, None)
    assert predict(shared_bundle(), source, tmp_path / "out.jsonl").rows == ROWS - len(BAD) and len(scored) == 13 - 4


def test_two_commands_do_not_write_the_same_answers(tmp_path, source):
    out = tmp_path / "out.jsonl"
    with run_lock(tmp_path / ".out.jsonl.shards"):
        with pytest.raises(UserError, match=r"another command is working here[\s\S]*process \d+"):
            predict(shared_bundle(), source, out)
        assert predict(shared_bundle(), source, tmp_path / "other.jsonl").rows
    assert predict(shared_bundle(), source, out).rows


def test_a_folder_that_cannot_be_is_named(tmp_path, source):
    (tmp_path / "file").write_text("x", encoding="utf-8")
    with pytest.raises(UserError, match=r"cannot write[\s\S]*a file is where a folder is needed"):
        predict(shared_bundle(), source, tmp_path / "file" / "out.jsonl")


@pytest.mark.parametrize(
    ("kills", "count"),
    [(4, 1), pytest.param(20, 1, marks=pytest.mark.slow), pytest.param(20, 2, marks=pytest.mark.slow)],
)
def test_kills_at_random_moments_change_nothing(tmp_path, source, kills, count):
    seed = random.SystemRandom().randrange(10**6)
    chance = random.Random(seed)
    bundle = shared_bundle()
    (tmp_path / "whole").mkdir()
    whole, out = tmp_path / "whole" / "out.jsonl", tmp_path / "out.jsonl"
    started = time.monotonic()
    assert killed(bundle, source, whole, count) == 0, seed
    seconds = time.monotonic() - started
    for _ in range(kills):
        killed(bundle, source, out, count, chance.uniform(0, seconds))
    assert killed(bundle, source, out, count) == 0, seed
    assert outcome(out) == outcome(whole), seed
    assert not list(tmp_path.rglob("*.partial")) and not list(tmp_path.glob(".out*")), seed


def killed(bundle, source, out, count, after=None):
    """How a process that answers ended; killed `after` seconds, or not."""
    return exit_code(small, bundle, source, out, count, kill_after=after)


def small(bundle, source, out, count):
    """Answer in small shards."""
    shards.SHARD_ROWS = SHARD
    predict(bundle, source, out, threads=1, workers=count)
