"""What the command line prints of others' texts: names, records and errors are shown, and steer nothing."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from tests.core.test_output import POISON, steering
from tests.tiny_run import distill

BASE = Path(__file__).resolve().parents[2] / "teachers" / "weights" / "base"
TEXT = POISON.replace("\ud800", "").replace("\0", "")  # neither files nor arguments hold these


def test_a_poisoned_record_and_slice_are_shown(project, tmp_path):
    folder = shutil.copytree(project, tmp_path / "project")
    first, *others = (folder / "train.jsonl").read_text(encoding="utf-8").splitlines()
    row = json.loads(first)
    row["segment"] = row["slice"] = TEXT
    row["page"]["title"] = TEXT + row["page"]["title"]
    lines = [json.dumps(row, ensure_ascii=False), *others]
    (folder / "train.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    options = [
        f"--config={folder / 'project.yaml'}",
        f"--out={tmp_path / 'run'}",
        "--set=teachers.base.checkpoint=null",
    ]
    shown = [
        distill("audit", *options),
        *(distill("show", one, f"--checkpoint={BASE}", *options) for one in (row["id"], TEXT)),
    ]
    assert [done.returncode for done in shown] == [0, 0, 2], shown[1].stderr
    for done in shown:
        assert steering(done.stdout + done.stderr) == []
    assert r"\x1b[2J" in shown[1].stdout and r"\x1b[2J" in shown[2].stderr


def test_a_poisoned_name_is_an_error_that_steers_nothing(project, tmp_path):
    for option in (f"--set=task.positive={TEXT}", f"--student={TEXT}", f"--out={tmp_path}/{TEXT[:5]}"):
        done = distill("audit", f"--config={project / 'project.yaml'}", f"--out={tmp_path / 'run'}", option)
        assert "Traceback" not in done.stderr and steering(done.stdout + done.stderr) == []
