"""The README's commands, config and snippets work as they are there; only sizes and paths are made small."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from benchmarks.publish import with_tables
from benchmarks.results_page import anchor
from distill.core.config import parse, parse_yaml
from distill.core.project import Project
from distill.demo.generate import Sizes
from distill.models.fresh import Shape, make_encoder
from students.config import StudentConfig
from tests.demo.easy import generate_easy
from tests.tiny_run import TINY

ROOT = Path(__file__).resolve().parents[1]
SHAPE = Shape(layers=8, width=32, heads=2, vocabulary=600)
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def block(after: str, language: str = "") -> str:
    """The first fenced block after a text."""
    found = re.search(rf"```{language}\n(.*?)```", README.split(after, 1)[1], re.DOTALL)
    assert found
    return found[1]


def commands(text: str) -> list[list[str]]:
    return [shlex.split(line, comments=True) for line in text.splitlines() if line.strip()]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working folder with `data/`, an encoder and what the commands name."""
    folder = tmp_path_factory.mktemp("home")
    generate_easy(folder / "data", sizes=Sizes(train=240, valid=120, test=160, pool=100))
    (folder / "data" / "project.yaml").unlink()
    for path in (folder / "data").glob("*.jsonl"):
        path.write_text("".join(map(own_address, path.read_text(encoding="utf-8").splitlines(keepends=True))))
    shutil.copy(folder / "data" / "test.jsonl", folder / "records.jsonl")
    make_encoder(texts(folder / "data" / "train.jsonl"), folder / "encoder", SHAPE, 1)
    return folder


def own_address(line: str) -> str:
    """A row whose page has an address of its own: init leaves out a column whose few values give the label away."""
    try:
        row = json.loads(line)
    except ValueError:
        return line
    row["page"]["url"] += f"/{row['page']['id']}"
    return json.dumps(row, ensure_ascii=False) + "\n"


def texts(path: Path) -> list[str]:
    """The texts of a file's rows, so that the encoder has their words and a teacher from it beats the class priors."""
    rows = map(json.loads, path.read_text(encoding="utf-8").splitlines())
    return [text for row in rows for text in (row["product"]["title"], *row["page"].values())]


def test_commands_of_your_own_data(home):
    lines = commands(block("## Your own data"))
    assert [line[1] for line in lines[1:]] == ["init", "audit", "show", "--config", "verify", "predict"]
    assert lines[0][:2] == ["pip", "install"]
    first = json.loads((home / "data" / "train.jsonl").read_text(encoding="utf-8").splitlines()[0])["id"]
    swaps = {"ID": first, "FOLDER_OR_HUB_ID": "encoder"}
    for line in lines[1:]:
        arguments = [swaps.get(word, word) for word in line[1:]]
        if arguments[0] == "init":
            arguments[1:2] = [str(path) for path in sorted((home / "data").glob("*.jsonl"))]
        if arguments[0] == "show":
            arguments += ["--checkpoint", "encoder"]
        if arguments[0] == "--config":
            training = "{epochs: 1, ceiling_steps: 40, learning_rate: 1e-3, precision: fp32}"
            small = [f"--set=students.{name}.training={training}" for name in ("8L_trunc", "6L")]
            teacher = "--set=teachers.base.training={epochs: 10, learning_rate: 2e-3, batch_size: 8, precision: fp32}"
            kept = [option for option in TINY if "students" not in option and "fresh" not in option]
            off = [f"--set=gates.{gate}=null" for gate in ("retention_card", "over_gold", "leak")]
            # A teacher on cards more would be fitted, exported and timed as the one on documents is.
            left_out = "trained_students: false, int8_teachers: false, openvino: false"
            few = f"{{requests: 8, processes: 1, warmup: 1, minutes: 0, {left_out}}}"
            arguments += [*kept, teacher, *small, *off, f"--set=bench={few}"]
            # Nor are there gold-only twins, and the teacher is timed as it was trained alone.
            compared = ("controls.card_teacher", "controls.gold_twins", "teachers.base.export")
            arguments += [f"--set={one}=false" for one in compared]
        done = python("-m", "distill", *arguments, cwd=home)
        assert done.returncode == 0, (arguments, done.stdout, done.stderr)


def test_an_encoder_of_your_own(home):
    lines = commands(block("## An encoder of your own"))
    assert [line[1] for line in lines] == ["pretrain", "--config"]
    if not (home / "project.yaml").exists():
        pytest.skip("needs the commands' project file")
    few = ["--set=pretrain.held_out=8", "--set=pretrain.training={max_steps: 2, batch_size: 2}", "--set=threads=1"]
    done = python("-m", "distill", *lines[0][1:], *few, cwd=home)
    assert done.returncode == 0, (done.stdout, done.stderr)
    assert (home / lines[1][lines[1].index("--checkpoint") + 1] / "model.safetensors").is_file()


def test_snippet_of_the_bundle(home):
    bundles = home / "runs" / "project" / "bundles"
    if not bundles.exists():
        pytest.skip("needs the commands' run")
    snippet = block("## In production", "python").replace('"bundles/', f'"{bundles}/') + "\nprint(type(model).__name__)"
    done = python("-c", snippet, cwd=bundles / "8L_trunc")
    assert done.returncode == 0, done.stderr


def test_config_parses():
    project = parse(Project, parse_yaml(block("Exit code 2", "yaml"), "README"), "README")
    assert project.views["document"].windows is not None


def test_lines_that_select_layers_are_fields_of_a_student():
    lines = re.findall(r"`students: (\{.*?\}\})`", README)
    assert len(lines) == 8
    for line in lines:
        for entry in parse_yaml(f"students: {line}", "README")["students"].values():
            assert set(entry) <= set(StudentConfig.model_fields)


def test_the_pythons_named_are_those_of_the_package_and_of_make():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert "Both commands need Python 3.11–3.13" in README and project["requires-python"] == ">=3.11,<3.14"
    assert "(3, 11) <= sys.version_info[:2] <= (3, 13)" in (ROOT / "Makefile").read_text(encoding="utf-8")


def test_tables_are_those_of_the_stored_results():
    assert with_tables(README, ROOT / "benchmarks" / "results") == README


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_to_files_and_headings(page):
    assert [link for link in links(page) if not leads_somewhere(page, link)] == []


def test_a_link_to_no_heading_is_found():
    page = ROOT / "README.md"
    assert leads_somewhere(page, "docs/results.md#results") and not leads_somewhere(page, "docs/results.md#result")
    assert not leads_somewhere(page, "docs/result.md")


def links(page: Path) -> list[str]:
    """The targets of a page's links, those to other sites left out."""
    found = re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8"))
    return [link for link in found if not link.startswith("http")]


def leads_somewhere(page: Path, link: str) -> bool:
    """Whether the file is there, and the heading in it."""
    name, _, heading = link.partition("#")
    target = page.parent / name if name else page
    if not target.exists() or not heading:
        return target.exists()
    headings = re.findall(r"^#+ (.*)$", target.read_text(encoding="utf-8"), re.MULTILINE)
    return heading in {anchor(title) for title in headings}


def test_the_picture_of_the_layers_is_the_import_contract():
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    layers = next(contract["layers"] for contract in contracts if contract["id"] == "layers")
    assert [re.split(r"\s{2,}", line)[0] for line in block("## Inside").splitlines()] == layers


def python(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"}
    command = [sys.executable, *arguments]
    return subprocess.run(command, capture_output=True, text=True, encoding="utf-8", env=env, cwd=cwd, check=False)
