"""Names that are no folder names: refused before anything is written, with nothing of the user's touched."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from distill.core.errors import UserError
from distill.pipeline.settings import resolve_settings
from tests.tiny_run import distill

COMPOSED, SPELT_OUT = "\u0439", "\u0438\u0306"  # one letter, й, in two Unicode forms
PROJECT = """
task: {labels: [нет, да]}
data: {train: train.jsonl, test: {unseen: test.jsonl}}
views: {document: {left: [a, b], max_tokens: 64}, card: {left: [a], max_tokens: 16}}
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "project.yaml"
    path.write_text(PROJECT, encoding="utf-8")
    return path


def refused(config: Path, *parts: str, **options) -> str:
    """The message that ends with 2 and holds every part and no sign that a terminal would obey."""
    with pytest.raises(UserError) as caught:
        resolve_settings(config, config.parent / "run", **options)
    text = str(caught.value)
    assert caught.value.exit_code == 2 and text.replace("\n", "").isprintable()
    for part in parts:
        assert part in text, text
    return text


def entries(*names: str) -> str:
    """The names as a section of 3-layer students, in JSON, which YAML reads."""
    return json.dumps(dict.fromkeys(names, {"preset": "3L"}))


@pytest.mark.parametrize(
    ("names", "part"),
    [
        (["../../../data"], "students.../../../data: '/'"),
        (["../teachers"], "students.../teachers: '/'"),
        (["."], "students..: a name begins"),
        ([".."], "students...: a name begins"),
        (["a" * 300], "300 bytes long"),
        (["s3", "s3-gold"], "students.s3-gold: the ending '-gold'"),
        (["s3", "s3@card"], "students.s3@card: '@'"),
        (["s3", "S3"], "students.S3: differs from s3"),
        ([COMPOSED, SPELT_OUT], f"students.{SPELT_OUT}: differs from {COMPOSED}"),
        (["base"], "students.base: a teacher has this name too"),
        (["Base"], "students.Base: a teacher has this name too"),
    ],
)
def test_names_of_students(config, names, part):
    refused(config, part, "project.yaml", sets=[f"students={entries(*names)}"])


def test_names_of_teachers_views_tests_and_pools_in_one_message(config):
    sets = [
        'teachers={"base": {}, "base@card": {preset: base}, "mean": {preset: base}}',
        'views={"x/../../../../vout": {left: [a], max_tokens: 16}}',
        'data.test={"../out": test.jsonl}',
        'data.pool={"a\\\\b": pool.jsonl}',
        'students={"..": {preset: 3L}}',
    ]
    parts = ("teachers.base@card", "teachers.mean", "views.x/../../../../vout", "data.test.../out", r"data.pool.a\b")
    refused(config, "6 problems", *parts, "students...: ", sets=sets)


def test_names_of_the_command_line(config, tmp_path):
    refused(config, "unknown student", "../x", students=["../x"])
    refused(config, "unknown teacher", "'aaaa", teachers=["a" * 300])
    refused(config, r"'\x1b[31m'", students=["\x1b[31m"])
    for name in ("my model", "card", "one/model", "two/model", "3L"):
        (tmp_path / name).mkdir(parents=True)
    refused(config, "--teacher", "my model: ' '", "finished: FOLDER", teachers=[str(tmp_path / "my model")])
    refused(config, "card: a reserved name", teachers=[str(tmp_path / "card")])
    same = [str(tmp_path / "one" / "model"), str(tmp_path / "two" / "model")]
    refused(config, "two teachers have one name", "found: model", teachers=same)
    refused(config, "students.3l: a teacher", teachers=[str(tmp_path / "3L")], sets=["students.3l={preset: 3L}"])


@pytest.mark.parametrize("flags", [["--dry-run"], []])
@pytest.mark.parametrize(
    ("option", "part"),
    [
        ('students={"../../data": {preset: 3L}}', "students.../../data"),
        ('students={"../teachers": {preset: 3L}}', "students.../teachers"),
        ('views={"x/../../../../vout": {left: [product.title], max_tokens: 16}}', "views.x/../../../../vout"),
        ('students={"a\\0b": {preset: 3L}}', "a NUL, line 1"),
    ],
)
def test_nothing_is_written_and_the_data_stays(project, tmp_path, option, part, flags):
    data = Path(shutil.copytree(project, tmp_path / "data"))
    before = {path: path.read_bytes() for path in data.iterdir()}
    done = distill(f"--config={data / 'project.yaml'}", f"--out={tmp_path / 'run'}", f"--set={option}", *flags)
    assert done.returncode == 2 and "Traceback" not in done.stderr and part in done.stderr, done.stderr
    assert done.stderr.replace("\n", "").isprintable()
    assert before == {path: path.read_bytes() for path in data.iterdir()}
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_a_folder_of_the_users_in_the_place_of_an_artifact_stays(project, tmp_path):
    mine = tmp_path / "run" / "records"
    mine.mkdir(parents=True)
    (mine / "notes.txt").write_text("mine")
    done = distill("audit", f"--config={project / 'project.yaml'}", f"--out={tmp_path / 'run'}")
    assert done.returncode == 2 and "Traceback" not in done.stderr, done.stderr
    assert str(mine) in done.stderr and "--out" in done.stderr
    assert [path.read_text() for path in mine.iterdir()] == ["mine"]
