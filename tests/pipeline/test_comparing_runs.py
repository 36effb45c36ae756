"""Two assemblies of a project, each with its run, and what a user is told of their models."""

from __future__ import annotations

import json
import shutil

from typer.testing import CliRunner

from distill.api import run
from distill.cli.app import app


def test_an_old_and_a_new_model_by_name_after_rows_changed(words, tmp_path):
    project, old, _ = words
    later = shutil.copytree(project.parent, tmp_path / "later")
    lines = (later / "test.jsonl").read_text(encoding="utf-8").splitlines()
    gone = json.loads(lines[0])["id"]
    row = json.loads(lines[1])
    row["page"]["title"] += " снова"
    (later / "test.jsonl").write_text("\n".join([json.dumps(row), *lines[2:]]) + "\n", encoding="utf-8")
    new = tmp_path / "run"
    run(later / project.name, new, until="evaluate")
    done = CliRunner().invoke(app, ["compare", str(old), str(new), "--json"])
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout.splitlines()[-1])
    assert ["words@document"] * 2 in found["models"] and found["rows"]["only_old"]["ids"] == [gone]
    assert found["rows"]["shared"] == found["new"]["test_rows"] == found["old"]["test_rows"] - 1
    assert found["rows"]["other_text"]["ids"] == [row["id"]]
    same = [one for one in found["comparisons"] if one["metric"] == "accuracy"]
    assert all(abs(one["difference"]) <= 1 / one["rows"] for one in same), "at most the changed row differs"
    told = CliRunner().invoke(app, ["compare", str(old), str(new), "words@document", "cards@card"])
    assert told.exit_code == 0 and "words@document → cards@card: macro F1" in told.stdout
    within = CliRunner().invoke(app, ["compare", str(new), "words@document", "cards@card"])
    assert within.exit_code == 0 and within.stdout.startswith("accuracy")
