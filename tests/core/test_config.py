"""Strict YAML, overrides, and one message for all problems."""

from __future__ import annotations

import itertools
from typing import Literal

import pytest
from pydantic import Field

from distill.core.config import Config, load_yaml, merge, overrides, parse, parse_yaml, setting
from distill.core.errors import UserError


class Inner(Config):
    temperature: float = 1.0
    rows: int = Field(1, ge=1)


class Outer(Config):
    name: str
    loss: Inner = Inner()
    maybe: Inner | None = None
    named: dict[str, Inner] = {}
    listed: list[Inner] = []


def problems_of(values, at="") -> str:
    with pytest.raises(UserError) as caught:
        parse(Outer, values, "project.yaml", at)
    assert caught.value.exit_code == 2 and "where: project.yaml" in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "value"),
    [("2e-5", 2e-5), ("1E3", 1000.0), ("-.5e2", -50.0), ("+3.e1", 30.0), ("1.5e-3", 0.0015), ("1.5", 1.5), ("12", 12)],
)
def test_numbers_are_numbers(text, value):
    found = parse_yaml(f"rate: {text}", "x")["rate"]
    assert found == value and type(found) is type(value)


@pytest.mark.parametrize("text", ["2e-5x", "1e", "e5", "8L", "'2e-5'"])
def test_what_only_looks_like_a_number_stays_text(text):
    assert parse_yaml(f"rate: {text}", "x")["rate"] == text.strip("'")


@pytest.mark.parametrize(
    ("text", "line"), [("a: 1\nb: 2\na: 3", 3), ("x:\n  имя: 1\n  имя: 2", 3), ("- {a: 1, a: 2}", 1)]
)
def test_a_repeated_key_is_refused_with_its_line(text, line):
    with pytest.raises(UserError, match=rf"duplicate key .*, the second time in line {line}"):
        parse_yaml(text, "project.yaml")


@pytest.mark.parametrize(
    "text", ["yes", "no", "on", "Off", "y", "1:30", "001", "010", "1_000", "2024-01-01", "0b1", "="]
)
def test_what_yaml_1_1_took_for_something_else_stays_text(text):
    """Labels are written like this: `labels: [yes, no]`."""
    assert parse_yaml(f"labels: [{text}]", "x")["labels"] == [text]


@pytest.mark.parametrize(
    ("text", "value"),
    [("true", True), ("False", False), ("null", None), ("~", None), ("-12", -12), ("0", 0), ("0x1F", 31), ("0o17", 15)]
    + [("1.5", 1.5), (".5", 0.5), ("-3.", -3.0), ("1e3", 1000.0), ("2.5e-4", 2.5e-4), (".inf", float("inf"))],
)
def test_plain_values_of_the_core_schema(text, value):
    found = parse_yaml(f"v: {text}", "x")["v"]
    assert found == value and type(found) is type(value)


def test_a_merge_key_is_no_repetition():
    text = "a: &a {x: 1, y: 2}\nb:\n  <<: *a\n  y: 3"
    assert parse_yaml(text, "x")["b"] == {"x": 1, "y": 3}


@pytest.mark.parametrize(
    "text",
    [
        "a: {{ template }}",
        "a: [1",
        "a: !!int x",
        "a: !!timestamp abc",
        "[" * 5000,
        "a: b: c",
        "a:\n\t- b",
        "a: !!python/name:os.system x",
    ],
)
def test_broken_yaml_is_named_with_its_file(text):
    with pytest.raises(UserError, match=r"not valid YAML[\s\S]*project\.yaml"):
        parse_yaml(text, "project.yaml")


@pytest.mark.parametrize("text", ["", "- a", "text", "5"])
def test_a_config_is_a_mapping(text):
    with pytest.raises(UserError, match="a mapping is needed"):
        parse_yaml(text, "x")


def test_a_file_is_read_as_utf8(tmp_path):
    path = tmp_path / "project.yaml"
    path.write_text("метка: да", encoding="utf-8")
    assert load_yaml(path) == {"метка": "да"}
    path.write_bytes("метка: да".encode("cp1251"))
    with pytest.raises(UserError, match="UTF-8"):
        load_yaml(path)
    with pytest.raises(UserError, match=r"not found[\s\S]*nowhere\.yaml"):
        load_yaml(tmp_path / "nowhere.yaml")


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ({"nam": "x"}, "nam: unknown, did you mean 'name'?"),
        ({"loss": {"temprature": 2}}, "loss.temprature: unknown, did you mean 'temperature'?"),
        ({"maybe": {"temprature": 2}}, "maybe.temprature: unknown, did you mean 'temperature'?"),
        ({"named": {"a": {}, "б": {"row": 2}}}, "named.б.row: unknown, did you mean 'rows'?"),
        ({"listed": [{}, {"temperatur": 2}]}, "listed.1.temperatur: unknown, did you mean 'temperature'?"),
        ({"loss": {"xyz": 2}}, "loss.xyz: unknown, known: temperature, rows"),
    ],
)
def test_an_unknown_key_names_the_nearest_one_at_any_depth(values, line):
    assert f"  - {line}\n" in problems_of({"name": "x", **values})


def test_all_problems_stand_in_one_message():
    found = problems_of({"los": 1, "loss": {"temperature": "hot", "rows": 0}, "named": {"a": {"rows": None}}})
    assert found.startswith("5 problems in the config\n")
    for line in (
        "name: missing",
        "los: unknown",
        "loss.temperature: ",
        "(found 'hot')",
        "loss.rows: Input should be greater than or equal to 1 (found 0)",
        "named.a.rows: ",
    ):
        assert line in found


@pytest.mark.parametrize(
    ("value", "line"),
    [
        (2, "weights: Input should be 'balanced' or a valid dictionary (found 2)"),
        ({"a": "much"}, "weights.a: Input should be a valid number, unable to parse string as a number (found 'much')"),
    ],
)
def test_a_value_of_no_allowed_form_is_one_problem_and_one_inside_a_form_is_that_alone(value, line):
    class Either(Config):
        weights: Literal["balanced"] | dict[str, float]

    with pytest.raises(UserError) as caught:
        parse(Either, {"weights": value}, "x")
    assert str(caught.value).splitlines()[:2] == ["1 problem in the config", f"  - {line}"]


def test_a_class_of_ours_is_not_named_where_a_mapping_is_needed():
    assert "  - loss: Input should be a valid dictionary (found 3)\n" in problems_of({"name": "x", "loss": 3})


def test_problems_of_a_part_start_with_its_place():
    assert "  - teachers.base.loss.rows: " in problems_of({"name": "x", "loss": {"rows": -1}}, at="teachers.base")


def test_a_config_is_frozen():
    config = parse(Outer, {"name": "x"}, "x")
    with pytest.raises(ValueError):
        config.name = "y"


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_nan_and_infinity_are_no_settings(value):
    assert "loss.temperature" in problems_of({"name": "x", "loss": {"temperature": value}})


def test_merging_goes_key_by_key_and_leaves_its_inputs_alone():
    base, over = {"a": {"b": 1, "c": [1, 2]}, "d": 1}, {"a": {"c": [3]}, "d": {"e": 1}, "f": None}
    assert merge(base, over) == {"a": {"b": 1, "c": [3]}, "d": {"e": 1}, "f": None}
    assert base == {"a": {"b": 1, "c": [1, 2]}, "d": 1} and over["a"] == {"c": [3]}
    assert merge({"a": 1}, {"a": {"b": 2}}) == {"a": {"b": 2}}


def test_overrides_are_read_as_yaml():
    settings = ["a.b=2e-5", "a.c=[x, 2]", "d=", "e=null", "f=да = нет", "a.b=3", "g={h: 1}", "g.i=2"]
    assert overrides(settings) == {
        "a": {"b": 3, "c": ["x", 2]},
        "d": "",
        "e": None,
        "f": "да = нет",
        "g": {"h": 1, "i": 2},
    }


def test_overrides_find_keys_that_hold_dots():
    base = {"a": {"b.c": {"d": 1}, "b": 2}, "1": 0, 2: {"e": 0}}
    settings = ["a.b.c.d=3", "a.b.x=4", "n.m=5", "2.e=6", "f={g.h: 1}", "f.g.h=7"]
    assert overrides(settings, base) == {
        "a": {"b.c": {"d": 3}, "b": {"x": 4}},
        "n": {"m": 5},
        2: {"e": 6},
        "f": {"g.h": 7},
    }


@pytest.mark.parametrize("value", ["a #b", "a: b", "'\"", "😀", "2e-5", "", None, {"a.b": [1, "x: y"]}])
def test_a_setting_is_read_back_as_it_was(value):
    assert overrides([setting("a.b", value)]) == {"a": {"b": value}}


@pytest.mark.parametrize("setting", ["a", "=1", "a..b=1", ".a=1", "a.=1", "a=[1", "a={b: 1, b: 2}"])
def test_a_broken_override_is_quoted(setting):
    with pytest.raises(UserError) as caught:
        overrides([setting])
    assert setting in str(caught.value)


class _Inner(Config):
    depth: int = 2


class _Outer(Config):
    name: str
    inner: _Inner = Field(default_factory=_Inner)
    parts: dict[str, _Inner] = Field(default_factory=dict)


class _InnerWithMore(Config):
    depth: int = 2
    width: int = 7


class _OuterWithMore(Config):
    name: str
    inner: _InnerWithMore = Field(default_factory=_InnerWithMore)
    parts: dict[str, _InnerWithMore] = Field(default_factory=dict)
    extra: str | None = None


@pytest.mark.parametrize(
    "values",
    [
        {"name": "a"},
        {"name": "a", "inner": {"depth": 2}},
        {"name": "a", "inner": {"depth": 3}, "parts": {"x": {}, "y": {"depth": 4}}},
    ],
)
def test_a_new_field_at_its_default_changes_no_fingerprint(values):
    assert _Outer(**values).as_fingerprint() == _OuterWithMore(**values).as_fingerprint()


def test_a_fingerprint_holds_what_differs_from_the_defaults_and_leaves_out_what_is_named():
    found = _OuterWithMore(name="a", inner={"depth": 3}, extra="b")
    assert found.as_fingerprint() == {"name": "a", "inner": {"depth": 3}, "extra": "b"}
    assert found.as_fingerprint("extra", "name") == {"inner": {"depth": 3}}


BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n" for before, name in itertools.pairwise("abcdefghijk")
)
MERGES = "a: &a {k0: 0}\n" + "".join(
    f"{name}: &{name} {{<<: [{', '.join([f'*{before}'] * 9)}], k{name}: 0}}\n"
    for before, name in itertools.pairwise("abcdefghijk")
)


@pytest.mark.parametrize(
    "text", [BOMB, MERGES, "a: &a [*a]", "a: &a {b: *a}"], ids=["aliases", "merges", "list", "map"]
)
def test_aliases_that_stand_for_too_much_end_at_once(text):
    with pytest.raises(UserError, match="not valid YAML"):
        parse_yaml(text, "project.yaml")


def test_aliases_that_save_writing_stay():
    assert parse_yaml("a: &a {x: 1}\nb: {<<: *a, y: 2}\nc: [*a, *a]", "")["b"] == {"x": 1, "y": 2}
