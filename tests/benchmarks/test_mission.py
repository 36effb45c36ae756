"""The list of the sources' systems: each has a command that is accepted, presets that exist and a test."""

from __future__ import annotations

import argparse
import ast
import importlib
import shlex
from functools import cache
from pathlib import Path

import pytest
import typer

from benchmarks.mission import FILE, PAGE, Mission, mission_page, read_mission
from distill.cli import studies
from distill.cli.app import app
from distill.cli.options import Options
from distill.cli.studies import STUDIES
from distill.core.errors import UserError
from distill.core.files import write_json
from distill.pipeline.models import table

ROOT = Path(__file__).resolve().parents[2]
MISSION = read_mission()
COMMANDS = sorted({command for system in MISSION.systems for command in system.commands})
TESTS = sorted({system.test for system in MISSION.systems})
OPTIONS = ("teacher", "student", "config", "checkpoint", "out", "set_")


class Parsed(Exception):
    """Ends a benchmark once it has read its command line."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("mission")


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_is_accepted_and_its_models_can_be_planned(command, folder, monkeypatch):
    monkeypatch.chdir(folder)
    accept(command, monkeypatch)


@pytest.mark.parametrize("test", TESTS)
def test_the_named_test_is_there(test):
    """And runs with every check: none that is left out as slow."""
    file, _, name = test.partition("::")
    assert name in names_in(ROOT / file)
    text = (ROOT / file).read_text(encoding="utf-8")
    held = next(one for one in ast.parse(text).body if getattr(one, "name", None) == name)
    marks = {ast.unparse(one) for one in getattr(held, "decorator_list", [])}
    assert "pytest.mark.slow" not in marks and "pytestmark = pytest.mark.slow" not in text


def test_a_system_is_named_once():
    names = [system.name for system in MISSION.systems]
    assert len(names) == len(set(names))


def test_the_page_is_as_its_list_says():
    assert (ROOT / "docs" / PAGE).read_text(encoding="utf-8") == mission_page(MISSION, ROOT / "benchmarks" / "results")


@pytest.mark.parametrize(
    "command",
    [
        "distill --teacher no_such_preset",
        "distill sweeep RUN",
        "distill compare --no-such-option RUN",
        "distill train --set teachers.base.training.no_such_field=1",
        "distill sweep --grid old_then_new",
        "distill ablate --fields --view no_such_view",
        "python -m benchmarks.no_such_module",
        "python -m benchmarks.quality clinc150 --no-such-option",
    ],
)
def test_a_command_that_does_not_exist_is_noticed(command, folder, monkeypatch):
    monkeypatch.chdir(folder)
    with pytest.raises((UserError, *typer.BadParameter.__bases__, ImportError, SystemExit)):
        accept(command, monkeypatch)


def test_a_figure_of_ours_is_filled_in_and_an_unknown_one_is_an_error(tmp_path):
    figure = {"value": 0.61234, "low": 0.6, "high": 0.62}
    model = {"name": "base@card", "quality": {"accuracy": figure}}
    write_json(tmp_path / "set.json", {"title": "A set", "command": "distill", "models": [model]})
    assert "61.2 (60.0–62.0)" in mission_page(with_figure("{accuracy: base@card}"), tmp_path)
    with pytest.raises(UserError, match="no such figure"):
        mission_page(with_figure("{accuracy: base@document}"), tmp_path)


def with_figure(words: str) -> Mission:
    system = {"name": "one", "words": "a", "commands": ["distill"], "test": "a.py::b"}
    ours = {"result": "set", "words": words}
    return Mission.model_validate({"sections": [{"title": "A", "systems": [{**system, "ours": ours}]}]})


def accept(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Read a command line as its program does, and plan the models that it names; nothing is made."""
    first, *rest = shlex.split(command)
    if first == "distill":
        accept_verb(rest, monkeypatch)
        return
    assert [first, rest[0]] == ["python", "-m"], f"{FILE.name}: a command is distill or python -m …, found {command}"
    module = importlib.import_module(rest[1])
    read = argparse.ArgumentParser.parse_args

    def parse(parser, arguments=None, namespace=None):
        read(parser, arguments, namespace)
        raise Parsed

    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", parse)
    with pytest.raises(Parsed):
        module.main(rest[2:])


def accept_verb(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Models that are named are planned, and so are the cells of every study, none of which is made."""
    group = typer.main.get_command(app)
    context = group.make_context("distill", [*arguments])
    if rest := [*context._protected_args, *context.args]:
        name, command, rest = group.resolve_command(context, rest)
        context = command.make_context(name, rest, parent=context)
        if name in STUDIES and "dry_run" in context.params:
            monkeypatch.setattr(studies, "_study", lambda study, dry_run, as_json: None)
            command.invoke(context)
    given = {name: context.params[name] for name in OPTIONS if context.params.get(name)}
    if given:
        table(Options(**given).settings())


@cache
def names_in(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")}
