"""`distill select`, and a run whose project has the section: from imported labels, so that no teacher is trained."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import pytest

from distill.core.errors import UserError
from distill.core.files import write_json
from distill.core.selection.store import selected_ids
from distill.pipeline.selection import stored_selection
from tests.cli.planted_project import read_rows
from tests.tiny_run import distill

SELECT = "--set=select={rows: 12, balance: [class], entropy: [0, 0.9]}"
FAST = ["--set=controls.gold_twins=false", "--set=students.small.training={max_steps: 5, may_collapse: true}"]


@pytest.fixture(scope="module")
def labelled(planted, tmp_path_factory):
    """A run with labels, and the options that name it: of three classes in turn every fifth row is undecided."""
    folder = shutil.copytree(planted.parent, tmp_path_factory.mktemp("select") / "project")
    names = [row["id"] for split in ("train", "pool") for row in read_rows(folder, split)]
    numbers = [int(name.split("-")[1]) for name in names]
    lines = [
        {"id": name, "logits": [(3.0 if number % 5 else 0.1) * (index == number % 3) for index in range(3)]}
        for name, number in zip(names, numbers, strict=True)
    ]
    (folder / "labels.jsonl").write_text("\n".join(map(json.dumps, lines)) + "\n", encoding="utf-8")
    options = [f"--config={folder / planted.name}", f"--out={folder / 'run'}"]
    options += [f"--set=teachers.base.labels={folder / 'labels.jsonl'}"]
    early = distill("select", *options, SELECT)
    assert (
        early.returncode == 2 and "there are no labels to select by yet" in early.stderr and "records" in early.stderr
    )
    made = distill("label", *options)
    assert made.returncode == 0, made.stdout + made.stderr
    return folder / "run", options


def without_torch(*arguments: str) -> subprocess.CompletedProcess[str]:
    """The command in an environment that lacks PyTorch and transformers."""
    code = "import sys; sys.modules |= {'torch': None, 'transformers': None}; from distill.__main__ import main; main()"
    return subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, encoding="utf-8", check=False)


def test_the_verb_chooses_and_says_what_it_made_of_the_pool(labelled):
    run, options = labelled
    done = without_torch("select", *options, SELECT, "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["after"]["class"] == {"мимо": 4, "рядом": 4, "точно": 4} and found["pool"] == 40
    assert found["left_out"] == {"not_needed": 20, "outside_bands": 8}
    assert (
        "Students learn from 12 of 40 rows" in " ".join(done.stderr.split())
        and len(selected_ids(run / "selection")) == 12
    )
    stages = json.loads((run / "run.json").read_text())["stages"]
    assert [stage["name"] for stage in stages if stage["status"] == "done"] == ["select pool rows"]
    again = distill("select", str(run))
    assert again.returncode == 0 and "12 of 40" in " ".join(again.stdout.split())
    both = distill("select", str(run), *options)
    assert both.returncode == 2 and "needs no options" in both.stderr


def test_without_a_section_or_a_selection_it_says_so(labelled, tmp_path):
    _, options = labelled
    for arguments, message in ((options, "nothing says what to select"), ([str(tmp_path)], "no selection here")):
        done = distill("select", *arguments)
        assert done.returncode == 2 and message in done.stderr and "Traceback" not in done.stderr


def test_of_a_run_of_several_seeds_that_of_one_is_named(tmp_path):
    write_json(tmp_path / "run.json", {"config": {"seeds": [4, 5]}, "stages": []})
    with pytest.raises(UserError, match=f"no selection here(?s:.*)give the run of one seed: {tmp_path}/seed-4"):
        stored_selection(tmp_path)


def test_a_run_learns_the_selected_rows_and_its_page_shows_them(labelled):
    run, options = labelled
    done = distill("train", *options, SELECT, *FAST)
    assert done.returncode == 0, done.stdout + done.stderr
    read = json.loads((run / "students" / "small" / "manifest.json").read_text())["inputs"]
    assert "selection" in " ".join(read)
    assert json.loads((run / "report.json").read_text())["selection"]["rows"] == 12
    assert "Selected pool rows" in (run / "report.html").read_text(encoding="utf-8")
    before = (run / "students" / "small" / "model.safetensors").read_bytes()
    assert distill("train", *options, SELECT.replace("12", "30"), *FAST).returncode == 0
    assert (run / "students" / "small" / "model.safetensors").read_bytes() != before
