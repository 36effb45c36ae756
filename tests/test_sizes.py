"""Sizes that keep the code readable: of files, of functions, of the command line, of what is left untyped."""

import ast
from pathlib import Path

from tests.longest import LONGEST

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("distill", "teachers", "students", "export", "benchmarks")
SOURCES = {path: path.read_text(encoding="utf-8") for room in ROOMS for path in sorted((ROOT / room).rglob("*.py"))}
TESTS = {path: path.read_text(encoding="utf-8") for path in sorted((ROOT / "tests").rglob("*.py"))}


def lines(text: str) -> int:
    return text.count("\n")


def parameters(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """How many a caller may give; `self` and `cls` are none."""
    given = function.args
    names = [one.arg for one in (*given.posonlyargs, *given.args, *given.kwonlyargs)]
    return len([name for name in names if name not in ("self", "cls")])


def test_no_file_is_longer_than_450_lines():
    assert {path.name: lines(text) for path, text in (SOURCES | TESTS).items() if lines(text) > 450} == {}


def test_the_command_line_is_shorter_than_800_lines():
    assert sum(lines(text) for path, text in SOURCES.items() if path.parent == ROOT / "distill" / "cli") < 800


def test_no_function_takes_more_than_six_parameters():
    found = {
        f"{path.name}: {node.name}": parameters(node)
        for path, text in SOURCES.items()
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and parameters(node) > 6
    }
    assert found == {}


def test_fewer_than_five_untyped_mappings_in_a_thousand_lines():
    untyped = sum(text.count("dict[str, Any]") for text in SOURCES.values())
    assert untyped < 5 * sum(map(lines, SOURCES.values())) / 1000


def test_the_files_that_workers_begin_with_are_there():
    assert set(LONGEST) <= {path.name for path in TESTS}
