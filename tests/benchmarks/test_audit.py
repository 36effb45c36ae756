"""The benchmark of the audit: what it plants is what it says, and what it measures is counted."""

import json
import random

import pyarrow as pa
import pytest

from benchmarks import audit
from benchmarks.audit_records import DECOY, EQUAL, NEAR, Words, jaccard, write_project
from distill.core.config import load_yaml
from distill.core.errors import UserError
from distill.core.files import read_json


def test_the_likeness_of_two_texts_is_that_of_their_runs_of_three_words():
    assert jaccard("a b c d e".split(), "a b c d x".split()) == 2 / 4
    assert jaccard("a b c".split(), "a b c".split()) == 1


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("audit")
    return folder, write_project(folder, 6000, None)


def test_planted_rows_are_as_alike_as_they_are_said_to_be(made):
    folder, project = made
    rows = {row["id"]: row for row in map(json.loads, (folder / "pool.jsonl").read_text("utf-8").splitlines())}
    planted = read_json(folder / "planted.json")
    assert len(rows) == 6000 and load_yaml(project)["data"]["near"] == {}
    kinds = {kind: [found for own, _, found in planted.values() if own == kind] for kind in (NEAR, DECOY, EQUAL)}
    assert all(0.8 <= found <= 0.95 for found in kinds[NEAR]) and len(kinds[NEAR]) > 600
    assert all(0.6 <= found <= 0.78 for found in kinds[DECOY]) and len(kinds[DECOY]) > 600
    titles = {}
    for name, row in rows.items():
        if planted.get(name, ("", ""))[1] == "pool":
            of = titles[row["title"]]
            assert jaccard(of["text"].split(), row["text"].split()) == planted[name][2]
        titles.setdefault(row["title"], row)


def test_recall_and_precision_are_of_what_was_dropped_and_planted(made, monkeypatch):
    folder, _ = made
    planted = read_json(folder / "planted.json")
    near = [name for name, (kind, of, _) in planted.items() if (kind, of) == (NEAR, "pool")]
    missed, wrong = set(near[:5]), {"pool1", "pool2"}
    kept = [f"pool{n}" for n in range(6000) if f"pool{n}" not in {*near, *wrong} - missed]
    dropped = {"near_duplicate": len(near) - len(missed) + len(wrong)}
    (folder / "run" / "audit").mkdir(parents=True)
    found = {"rows": {"by_source": {"pool.web": {"dropped": dropped}}}, "leaks": []}
    (folder / "run" / "audit" / "audit.json").write_text(json.dumps(found))
    monkeypatch.setattr(audit, "read_columns", lambda *_: pa.table({"id": kept}))
    figures = audit._found(folder)
    assert figures["recall"] == 1 - 5 / len(near) and figures["leaks_found"] == 0 < figures["leaks_planted"]
    assert figures["precision"] == (len(near) - 5) / (len(near) - 3)


def test_words_may_be_those_of_files(tmp_path):
    with pytest.raises(UserError, match="too few words"):
        Words(random.Random(1), tmp_path)
    lines = [json.dumps({"id": n, "body": " ".join(f"Word{n}x{m}" for m in range(40))}) for n in range(40)]
    (tmp_path / "a.jsonl").write_text("\n".join(lines), "utf-8")
    row = Words(random.Random(1), tmp_path).row("r")
    assert all(word.startswith("word") or word.isdigit() for word in row["text"].split())


@pytest.mark.slow
def test_a_small_pool_goes_through_the_command(tmp_path, capsys):
    assert audit.main(["--work", str(tmp_path / "work"), "--rows", "3000", "--results", str(tmp_path)]) == 0
    ratios = json.loads(capsys.readouterr().out.splitlines()[-1])["ratios"]
    assert ratios["recall"] > 0.95 and ratios["precision"] == 1
    (call,) = read_json(tmp_path / "audit.json")["calls"]
    assert call["rows"] == 3000 and call["leaks_found"] == call["leaks_planted"] == 500 and call["peak_bytes"] > 1 << 20
