"""The rule for names that become paths."""

from __future__ import annotations

import pytest

from distill.core.config import parse
from distill.core.errors import UserError
from distill.core.names import as_name, folded, name_problems, shown
from distill.core.project import Project

COMPOSED, SPELT_OUT = "\u0439", "\u0438\u0306"  # one letter, й, in two Unicode forms
SECTIONS = ("teachers", "students", "views", "data.test", "data.pool")
VIEW = {"left": ["title"], "max_tokens": 16}
PROJECT = {
    "task": {"labels": ["нет", "да"]},
    "data": {"train": "train.jsonl", "test": {"unseen": "test.jsonl"}},
    "views": {"document": VIEW, "card": VIEW},
}


@pytest.mark.parametrize("section", SECTIONS)
@pytest.mark.parametrize(
    "name", ["8L_trunc", "base", "_", "3", "a+b-c_d", "ученик", SPELT_OUT, "a" * 100, "й" * 50, "gold", "partial"]
)
def test_names_that_may_be_used(section, name):
    assert name_problems(section, [name]) == []


@pytest.mark.parametrize("section", SECTIONS)
@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("", "'': empty"),
        (".", "begins with no '.'"),
        ("..", "begins with no '.'"),
        ("...", "begins with no '.'"),
        (".hidden", "begins with no '.'"),
        ("-x", "begins with no '.' or '-'"),
        ("v1.", "ends with no '.'"),
        ("../teachers", "../teachers: '/' in a name"),
        ("../../../data", "'/' in a name"),
        ("x/../../../../vout", "'/' in a name"),
        ("/etc", "'/' in a name"),
        ("a\\b", r"'\\' in a name"),
        ("C:x", "':' in a name"),
        ("my model", "' ' in a name"),
        ("s3@card", "'@' in a name"),
        ("a>b", "'>' in a name"),
        ("a\0b", r"'a\x00b': '\x00' in a name"),
        ("\x1b[31mred", r"'\x1b[31mred': '\x1b' '[' in a name"),
        ("line\nbreak", r"'line\nbreak': '\n' in a name"),
        ("\ud800", r"'\ud800' in a name"),
        ("right\u202eleft", r"'\u202e' in a name"),
        ("a" * 300, "300 bytes long, at most 100"),
        ("й" * 51, "102 bytes long"),
        ("x.partial", "the ending '.partial'"),
        ("x.REPLACED", "the ending '.replaced'"),
    ],
)
def test_names_that_are_refused(section, name, part):
    (line,) = name_problems(section, [name])
    assert part in line and line.isprintable() and len(line) < 200


@pytest.mark.parametrize(
    ("section", "name", "part"),
    [
        ("students", "s3-gold", "the ending '-gold'"),
        ("students", "s3-Gold-Steps", "the ending '-gold-steps'"),
        ("teachers", "base-gold", "the ending '-gold'"),
        ("students", "majority", "reserved"),
        ("teachers", "Ensemble", "reserved"),
        ("teachers", "mean", "reserved"),
        ("teachers", "card", "reserved"),
        ("views", "card.onnx", "stands before an export target"),
    ],
)
def test_names_that_mean_something_else_in_their_section(section, name, part):
    (line,) = name_problems(section, [name])
    assert part in line
    assert name_problems("data.test", [name]) == []


@pytest.mark.parametrize(
    ("one", "other"), [("s3", "S3"), (COMPOSED, SPELT_OUT), ("straße", "STRASSE"), ("\ufb01t", "FIT"), ("x²", "x2")]
)
def test_names_that_differ_in_case_or_unicode_form_only(one, other):
    assert folded(one) == folded(other)
    (line,) = name_problems("students", [one, "another", other])
    assert line.startswith(f"{other}: differs from {one} only in case or Unicode form")


def test_a_name_is_shown_so_that_a_terminal_can_print_it():
    assert shown("../data") == "../data" and shown("") == "''" and shown("a\x07") == r"'a\x07'"
    assert len(shown("a" * 300)) < 60 and shown("a" * 300).endswith("…")


@pytest.mark.parametrize(
    ("text", "taken", "name"),
    [
        ("seen (1)", [], "seen_1"),
        ("--", [], "test"),
        ("-x-", [], "x"),
        ("A", ["a"], "A_1"),
        ("a", ["A", "a_1"], "a_2"),
        ("й" * 300, [], "й" * 25),
    ],
)
def test_a_file_lends_its_name(text, taken, name):
    assert as_name(text, taken, "test") == name
    assert name_problems("data.test", [*taken, name]) == []


def test_one_message_lists_the_names_of_all_sections_and_what_else_is_wrong():
    values = {
        **PROJECT,
        "data": {"train": "t", "test": {"../out": "a", "..": "b"}, "pool": {"a/b": "c"}},
        "views": {"document": VIEW, "card": VIEW, "x/../../../../vout": VIEW},
        "teachers": {"base": {}, "base@card": {}},
        "students": {"../../../data": {}, ".": {}, "s3": {}, "S3": {}, "s3-gold": {}, "a\0b": {}},
        "threads": 0,
    }
    with pytest.raises(UserError) as caught:
        parse(Project, values, "project.yaml")
    text = str(caught.value)
    assert "11 problems" in text and caught.value.exit_code == 2
    for part in (
        "data.test.../out: '/'",
        "data.test...: a name",
        "data.pool.a/b: '/'",
        "views.x/../../../../vout: '/'",
        "teachers.base@card: '@'",
        "students.../../../data: '/'",
        "students..: a name",
        "students.S3: differs from s3",
        "students.s3-gold: the ending",
        r"students.'a\x00b': '\x00'",
        "threads: ",
    ):
        assert f"  - {part}" in text
    assert "\0" not in text
