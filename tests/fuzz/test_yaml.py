"""Project files and `--set` options: every case ends in settings, or in an error that names the config."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from distill.core.config import load_yaml, merge, overrides, parse, parse_yaml
from distill.core.errors import UserError
from distill.core.intake.sources import data_files, expand
from distill.core.project import Project
from distill.pipeline.settings import resolve_settings
from tests.fuzz.odd_values import TEXTS
from tests.fuzz.running import fuzz, sized

PROJECT = """
task: {labels: [нет, да], positive: да, kind: single}
data:
  root: data
  id: id
  label: label
  keys: [key]
  train: [train.jsonl]
  valid: [train.jsonl]
  test: {unseen: test.jsonl}
  pool: {urls: {files: "*.jsonl", rows: 5}}
  split: {mode: given, valid: 0.1, test: 0.2}
  junk: {min_chars: 1, patterns: [спам]}
views:
  document: {left: [a, b], right: [c], max_tokens: 64, budgets: {c: 8}, windows: {stride: 2, max: 2}}
  card: {left: [a], max_tokens: 16}
teachers:
  base: {preset: base, view: document, weight: 1, training: {learning_rate: 2e-5}}
students:
  6L: {preset: 6L, temperature: 3, losses: {}}
labels: auto
export: [onnx, onnx-int8]
gates: {leak: 0, parity_fp32: 1.0e-4}
controls: {card_teacher: false}
bench: {requests: 8}
quality: {metric: f1_macro, replicates: 100}
seed: 1
"""
VALUES = [
    *(
        "!!int x",
        "!!float x",
        "!!timestamp abc",
        "!!bool x",
        "!!binary '*'",
        "!!set {a, b}",
        "!!omap [a]",
        "!!python/none x",
    ),
    *(
        "!!python/object/apply:os.system [true]",
        "!x y",
        "&a [*a]",
        "*unknown",
        "{<<: 1}",
        "{<<: [1]}",
        "{? [a] : b}",
        "{{a: b}: c}",
    ),
    *(
        "2024-01-01",
        "yes",
        "~",
        "null",
        "[]",
        "{}",
        "[[]]",
        "1e999",
        "-.inf",
        ".nan",
        "0x" + "f" * 400,
        "9" * 5000,
        "1_000",
    ),
    *(
        "'",
        '"',
        '"\\ud83d"',
        '"\\x00"',
        '"\\u2028"',
        "|",
        ">",
        "- -",
        "@",
        "`",
        "%",
        "?",
        ":",
        "# x",
        "--- a",
        "...",
        "\t",
        "auto",
    ),
    *(
        "../../*",
        "**",
        "[",
        "{",
        "]",
        "}",
        "a\x00b",
        "*.jsonl",
        "train.jsonl/",
        "NUL",
        "[" * 3000,
        "{a: " * 900,
        "- " * 900,
    ),
    *(
        '"a\\u0000b"',
        '["a\\u0000b"]',
        '{"a\\u0000b": train.jsonl}',
        '{"\\ud83d": x}',
        '["\\ud83d*"]',
        "base",
        "document",
        "6L",
    ),
]


@sized(400, 7000)
def test_project_files(cases, tmp_path):
    fuzz(_one, cases, tmp_path)


def _one(rng: random.Random, work: Path) -> None:
    (work / "data").mkdir()
    for name, labels in (("train", ("нет", "да")), ("test", ("да", "нет"))):
        rows = "".join(f'{{"id": "{name}{i}", "label": "{labels[i % 2]}", "a": "x{i}"}}\n' for i in range(4))
        (work / "data" / f"{name}.jsonl").write_text(rows, encoding="utf-8")
    text = PROJECT
    for _ in range(rng.randrange(1, 4)):
        text = _changed(text, rng)
    path = work / "project.yaml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    sets = [f"{rng.choice(_KEYS)}={rng.choice(VALUES)}"] if rng.random() < 0.3 else []
    if rng.random() < 0.2:
        settings = resolve_settings(path, work / "run", sets=sets)
        settings.as_json()
        data_files(settings.project, Path())
    else:  # without the presets, which take most of the time
        project = parse(Project, merge(load_yaml(path), overrides(sets)), str(path))
        data_files(project, work)
    assert {path.name for path in work.iterdir()} == {"data", "project.yaml"}


_KEYS = [
    "task.labels",
    "data.train",
    "data.pool.urls",
    "views.card",
    "teachers.base",
    "seed",
    "a.b.c",
    "students",
    "data",
    "",
]


def _changed(text: str, rng: random.Random) -> str:
    """The file with a value, a key, a line or a few characters changed."""
    lines = text.split("\n")
    at = rng.randrange(len(lines))
    key, colon, rest = lines[at].partition(": ")
    kind = rng.randrange(8)
    if kind < 3 and colon:
        lines[at] = f"{key}: {rng.choice(VALUES)}"
    elif kind == 3:
        lines[at] = lines[at].replace("[", f"[{rng.choice(VALUES)}, ", 1)
    elif kind == 4:
        lines[at] = f"{key[: len(key) - len(key.lstrip())]}{rng.choice(TEXTS)[:60]}: {rest}"
    elif kind == 5:
        lines.insert(at, rng.choice([lines[rng.randrange(len(lines))], rng.choice(VALUES), " " * rng.randrange(9)]))
    elif kind == 6:
        del lines[at]
    else:
        place = rng.randrange(len(text))
        return text[:place] + rng.choice([*VALUES, *TEXTS]) + text[place + rng.randrange(3) :]
    return "\n".join(lines)


def test_an_unknown_key_of_any_spelling_is_named():
    with pytest.raises(UserError, match=r"bench&a \[x\]: unknown"):
        parse(Project, parse_yaml(PROJECT + "bench&a [x]: 1", "p"), "p")


def test_a_name_that_no_file_can_have_is_named(tmp_path):
    for name in ("x" * 300, "a\0b"):
        with pytest.raises(UserError, match=r"no file can have this name\n  where: data\.train"):
            expand(tmp_path, [name], "data.train")
