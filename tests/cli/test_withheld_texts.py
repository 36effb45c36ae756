"""With `report: {texts: false}` no text of a row is in what leaves a run: report, page, audit, quarantine, console."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from distill.core.current import Current
from distill.core.errors import UserError
from distill.core.files import write_json
from distill.core.manifest import write_manifest
from distill.core.project import Project
from distill.report import outcome
from distill.report.assemble import assemble
from tests.cli.planted_project import read_rows, write_rows
from tests.core.test_publishing import project as publishing
from tests.tiny_run import distill

MARKER = "ПРИЗНАК"
PUBLISHED = ("report.json", "report.html", "audit.json", "audit/audit.json", "quarantine.jsonl", "records/ledger.json")


@pytest.fixture(scope="module")
def marked(planted: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose rows hold the marker: every title, a broken line, a label of no class, a test row of train."""
    folder = Path(shutil.copytree(planted.parent, tmp_path_factory.mktemp("marked") / "project"))
    for split in ("train", "valid", "test", "pool"):
        rows = [
            {**row, "page": {**row["page"], "title": f"{MARKER} {row['page']['title']}"}}
            for row in read_rows(folder, split)
        ]
        write_rows(folder, split, rows)
    path = folder / "train.jsonl"
    first = json.loads(path.read_text(encoding="utf-8").splitlines()[0])
    bad = [{**first, "id": "a", "label": MARKER}, {**first, "id": "b", "page": {"title": {MARKER: 1}}}]
    lines = [json.dumps(one, ensure_ascii=False) for one in bad] + [f'{{"id": "c", "page": "{MARKER}']
    path.write_text("\n".join([*lines, path.read_text(encoding="utf-8")]), encoding="utf-8")
    write_rows(folder, "test", [*read_rows(folder, "test"), {**first, "id": "leaked"}])
    return folder / "project.yaml"


@pytest.mark.parametrize("texts", [False, True])
def test_no_text_of_a_row_leaves_the_records(marked: Path, tmp_path: Path, texts: bool) -> None:
    run = tmp_path / "run"
    done = distill("audit", f"--config={marked}", f"--out={run}", f"--set=report.texts={str(texts).lower()}")
    assert done.returncode == 3 and "leak" in done.stdout + done.stderr, done.stdout + done.stderr
    told = {name: (run / name).read_text(encoding="utf-8") for name in PUBLISHED} | {
        "console": done.stdout + done.stderr
    }
    holding = {name for name, text in told.items() if MARKER in text or json.dumps(MARKER)[1:-1] in text}
    assert holding == set() if not texts else {"quarantine.jsonl", "audit.json", "report.json"} <= holding
    assert "train.jsonl" in told["quarantine.jsonl"] and "unknown_label" in told["quarantine.jsonl"]


def test_what_an_error_has_found_is_not_in_the_report() -> None:
    error = UserError("bad row", found=f"'{MARKER}'")
    assert outcome.stopped(error, [], texts=False)["why"] == "bad row"
    assert MARKER in outcome.stopped(error, [])["why"]


@pytest.mark.parametrize("texts", [False, True])
def test_words_of_a_server_are_not_in_the_report(tmp_path: Path, texts: bool) -> None:
    errors = {f"the server answers nonsense (names no label: '{MARKER}')": 2, "the server answers nonsense ('б')": 1}
    write_json(
        tmp_path / "labels" / "llm" / "coverage.json",
        {"stages": [{"name": "llm", "errors": errors}, {"name": "guess"}]},
    )
    write_manifest(tmp_path / "labels" / "llm", {"step": "label llm"})
    project: Project = publishing(report={"texts": texts})
    stages = assemble(project, Current(tmp_path, {"labels/llm"}), {}, [], {}, {})["cascades"][0]["stages"]
    assert stages[0]["errors"] == (errors if texts else {"the server answers nonsense": 3})
