"""Bundles whose files say something else, with a manifest that fits: every case is checked or refused, by name."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from distill.core.errors import DistillError
from tests.export.tiny_bundle import copy_of, reseal, shared_bundle
from tests.fuzz.commands import distill
from tests.fuzz.odd_values import damaged, value
from tests.fuzz.running import fuzz, sized

pytest.importorskip("onnxruntime")
FILES = ("manifest.json", "preprocessing.json", "postprocessing.json", "golden.jsonl", "config.json", "tokenizer.json")


@sized(15, 500)
def test_bundles(cases, tmp_path):
    shared_bundle()
    fuzz(_one, cases, tmp_path)


def _one(rng: random.Random, work: Path) -> None:
    folder = copy_of(shared_bundle(), work)
    for name in rng.sample(FILES, rng.randrange(1, 3)):
        _change(folder / name, rng)
    if rng.random() < 0.1:
        rng.choice(sorted(path for path in folder.rglob("*") if path.is_file())).unlink()
    if rng.random() < 0.9:
        try:
            reseal(folder)
        except Exception:  # noqa: BLE001 - a manifest that cannot be made to fit stays as it is
            return _read(folder, rng)
    return _read(folder, rng)


def _read(folder: Path, rng: random.Random) -> None:
    records = folder.parent / "records.jsonl"
    records.write_text('{"product": {"title": "дрель"}}\n', encoding="utf-8")
    if rng.random() < 0.7:
        distill("verify", folder, "--threads", "1")
        return
    try:
        distill("predict", folder, records, "--threads", "1")
    except DistillError:
        pass
    assert {path.name for path in folder.parent.iterdir()} <= {folder.name, *_ANSWERS}


_ANSWERS = {"records.jsonl", "records.answers.jsonl", "records.answers.jsonl.rejects.jsonl"}


def _change(path: Path, rng: random.Random) -> None:
    if not path.is_file():
        return
    if rng.random() < 0.1:
        path.write_bytes(damaged(path.read_bytes()[: rng.randrange(1, 4000)], rng))
        return
    lines = path.read_text(encoding="utf-8").split("\n") if path.suffix == ".jsonl" else [path.read_text("utf-8")]
    index = rng.randrange(len(lines))
    if lines[index].strip():
        content = json.loads(lines[index])
        _change_in(content, rng)
        lines[index] = json.dumps(content, ensure_ascii=True)
    if path.suffix == ".jsonl" and rng.random() < 0.2:
        lines = rng.choice([[], lines[:1], lines[:50], [*lines, "[]"], [*lines, lines[0]]])
    path.write_text("\n".join(lines), encoding="utf-8")


def _change_in(content: Any, rng: random.Random) -> None:
    """One value anywhere in a JSON value changed, left out, or put in."""
    while True:
        places = list(content) if isinstance(content, dict) else list(range(len(content)))
        if not places:
            return
        place = rng.choice(places)
        inner = content[place]
        if isinstance(inner, dict | list) and inner and rng.random() < 0.8:
            content = inner
            continue
        kind = rng.randrange(4)
        if kind == 0:
            del content[place]
        elif kind == 1 and isinstance(inner, int | float):
            content[place] = rng.choice([0, -1, inner + 1, inner * 1e9, float("nan"), str(inner), None])
        elif kind == 2 and isinstance(content, list):
            rng.shuffle(content)
        else:
            content[place] = value(rng)
        return
