"""A run with a cascade as its teacher, through the command line: labels, student, table, page, sheet and back."""

from __future__ import annotations

import csv
import json

import pytest

from distill.core.soft_labels import read_soft_labels
from tests.cli.planted_project import LABELS, write_project
from tests.tiny_run import distill

TEACHERS = """
  cascade:
    keywords: {мимо: [ремонт], рядом: [аналог*]}
    stages:
      - {stage: keywords, threshold: 0.5}
      - {stage: zero_shot, on_error: go_on}
students:
  words_small: {preset: words}
controls: {card_teacher: false, gold_twins: false, random: false, tfidf: false}
"""


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory):
    """A run up to its figures, and what it printed."""
    config = write_project(tmp_path_factory.mktemp("cascade") / "project")
    text = config.read_text(encoding="utf-8")
    before, _, rest = text.partition("teachers:\n")
    config.write_text(f"{before}teachers:{TEACHERS}{rest[rest.index('export:') :]}", encoding="utf-8")
    run = config.parent / "run"
    done = distill("evaluate", f"--config={config}", f"--out={run}")
    assert done.returncode == 0, done.stdout + done.stderr
    return run, done.stdout


def test_a_student_learns_what_the_cascade_labelled_and_both_are_in_one_table(evaluated):
    run, printed = evaluated
    labels = read_soft_labels(run / "labels" / "cascade")
    assert labels.status.count("unlabelled") == 43 and labels.status.count("ok") == 87
    report = json.loads((run / "report.json").read_text(encoding="utf-8"))
    models = {one["name"]: one for one in report["models"]}
    assert {"cascade@document", "words_small@card"} <= set(models) and report["choice"]["teachers"]
    assert models["words_small@card"]["quality"]["accuracy"]["value"] > 0.6
    keywords, zero_shot = report["cascades"][0]["stages"]
    assert (keywords["rows"], keywords["accuracy"]["value"], keywords["gold_rows"]) == (87, 1.0, 60)
    assert zero_shot["errors"] == {"no model is named (null)": 43}
    page = (run / "report.html").read_text(encoding="utf-8")
    assert "Stages of the cascade" in page and "43 rows: no model is named" in page
    told = " ".join(printed.split())
    assert "stage keywords: 87 rows (66.9%), 100.0% (94.0%–100.0%) right on 60 training rows" in told
    assert "labels by class: мимо 50.6%, рядом 49.4%, точно 0.0%, none of точно" in told


def test_a_sheet_goes_out_and_comes_back(evaluated):
    run, _ = evaluated
    sheet = run.parent / "sheet.csv"
    drawn = distill("sample", run, "--rows=20", f"--out={sheet}")
    assert drawn.returncode == 0 and "20 of 27 labelled rows" in drawn.stdout, drawn.stderr
    again = distill("sample", run, f"--out={sheet}")
    assert again.returncode == 2 and "--force" in again.stderr and "Traceback" not in again.stderr
    with sheet.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.reader(file))
    for row in rows[1:]:
        row[rows[0].index("label")] = LABELS[int(row[0].partition("-")[2]) % 3]
    with sheet.open("w", encoding="utf-8-sig", newline="") as file:
        csv.writer(file, delimiter=";").writerows(rows)
    read = distill("sample", run, f"--read={sheet}", "--json")
    assert read.returncode == 0, read.stderr
    found = json.loads(read.stdout.splitlines()[-1])
    assert found["accuracy"]["value"] == 1 and found["stages"][0]["stage"] == "keywords"
    assert "right in 100.0% (83.9%–100.0%) of 27 labelled rows" in " ".join(read.stderr.split())
