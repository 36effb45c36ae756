"""What the command line says of a run: whose run folder it is, labels of any path, one checkpoint for several."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from distill.cli.app import app
from distill.cli.options import Options
from distill.core.errors import UserError
from distill.core.files import write_json

PROJECT = """
task: {labels: [нет, да]}
data: {train: train.jsonl, test: {unseen: test.jsonl}}
views: {document: {left: [a, b], max_tokens: 64}, card: {left: [a], max_tokens: 16}}
teachers: {base: {}, v1.2: {preset: base}}
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    """`project(NAME)` writes NAME/project.yaml below the working directory; returns its path."""
    monkeypatch.chdir(tmp_path)

    def write(name: str) -> Path:
        path = Path(name) / "project.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(PROJECT, encoding="utf-8")
        return path

    return write


def started(options: Options) -> Path:
    """The run folder of these options, as a run that has begun leaves it."""
    settings = options.settings()
    write_json(settings.run / "run.json", {"config": settings.as_json(), "stages": []})
    return settings.run


def test_two_projects_of_one_file_name_do_not_share_a_run_unless_a_folder_is_named(project):
    august, september = Options(config=project("august")), Options(config=project("september"))
    run = started(august)
    assert run == Path("runs/project") and started(replace(august, config=august.config.resolve())) == run
    with pytest.raises(UserError, match=r"another project has made this run") as caught:
        september.settings()
    assert caught.value.exit_code == 2 and "august/project.yaml" in str(caught.value) and "--out" in str(caught.value)
    with pytest.raises(UserError, match="config file not found"):
        replace(september, config=Path("septembre/project.yaml")).settings()
    assert replace(september, out=run).settings().run == run


@pytest.mark.parametrize("place", ["sweep/ngrams_1", "sweep/ngrams_1/seed-1", "seed-1"])
def test_a_folder_of_studies_alone_is_of_their_project_too(project, place):
    august, september = Options(config=project("august")), Options(config=project("september"))
    settings = august.settings()
    cell = replace(settings, run=settings.run / place)
    write_json(cell.run / "run.json", {"config": cell.as_json(), "stages": []})
    assert august.settings().run == settings.run
    with pytest.raises(UserError, match=r"another project has made this run(.|\n)*august/project.yaml"):
        september.settings()


def test_a_project_that_moved_goes_on_with_its_run_alone_or_with_it(project, monkeypatch):
    file = project("august")
    started(Options(config=file))
    shutil.copytree(".", "../copy")
    monkeypatch.chdir("../copy")
    assert Options(config=file).settings().run == Path("runs/project")
    file.rename("elsewhere.yaml")
    assert Options(config=project("september")).settings().run == Path("runs/project")


def test_an_embedded_project_goes_on_with_its_own_run_alone(project, monkeypatch):
    def kept(folder, name):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "project.yaml").write_text(PROJECT, encoding="utf-8")
        return folder / "project.yaml"

    monkeypatch.setattr("distill.demo.project_file.keep", kept)
    assert started(Options()) == started(Options()) == Path("runs/demo")
    own = project("mine").rename("demo.yaml")
    with pytest.raises(UserError, match="another project has made this run"):
        Options(config=own).settings()
    shutil.rmtree("runs/demo")
    started(Options(config=own))
    with pytest.raises(UserError, match="another project has made this run"):
        Options().settings()
    assert not Path("runs/demo/project").exists()


@pytest.mark.parametrize("name", ["labels #2.jsonl", "a: b.jsonl", "метки 😀.jsonl", "'x\".jsonl"])
def test_labels_may_be_in_a_file_of_any_name(project, tmp_path, name):
    settings = Options(config=project("august")).settings(tmp_path / name, until="label")
    assert settings.teachers["base"].labels == str(tmp_path / name)


def test_labels_may_be_those_of_a_teacher_with_a_dot_in_its_name(project, tmp_path):
    settings = Options(config=project("august"), teacher=["v1.2"]).settings(tmp_path / "labels.jsonl", until="label")
    assert settings.teachers["v1.2"].labels == str(tmp_path / "labels.jsonl")


@pytest.mark.parametrize(
    "command",
    [
        "",
        "scale",
        "bench --latency-budget=2",
        "sweep --over=teachers.base.training.learning_rate=1e-5,2e-5",
        "ablate --fields",
        "frontier",
    ],
)
def test_a_plan_is_not_printed_as_json(project, command):
    config = f"--config={project('august')}"
    pool = "--set=data.pool={urls: pool.jsonl}"
    done = CliRunner().invoke(app, [*command.split(), config, pool, "--dry-run", "--json"])
    assert isinstance(done.exception, UserError) and "--dry-run --json" in str(done.exception), done.exception
    assert done.exception.exit_code == 2 and not done.stdout


@pytest.mark.parametrize("verb", ["audit", "train", "presets", "report", "sweep"])
@pytest.mark.parametrize(
    "before", [["--config", "absent.yaml"], ["--out=runs/mine"], ["--set", "seed=2", "--json"], ["--dry-run"]]
)
def test_options_before_a_verb_are_refused_and_not_left_out(verb, before):
    refused = CliRunner().invoke(app, [*before, verb]).exception
    assert isinstance(refused, UserError) and refused.exit_code == 2
    names = " ".join(part.partition("=")[0] for part in before if part.startswith("--"))
    assert refused.where == f"distill {names} {verb}" and f"distill {verb} {names}" in refused.do


def test_help_and_version_may_come_before_a_verb():
    printed = {flag: CliRunner().invoke(app, [flag, "audit"]) for flag in ("--help", "--version")}
    assert {one.exit_code for one in printed.values()} == {0}
    assert "Usage" in printed["--help"].output and printed["--version"].output.strip()[0].isdecimal()
