"""The first project file: `distill init` writes it from guesses, commented, and shows a record as its views read it."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from distill.core.config import parse, parse_yaml
from distill.core.errors import UserError
from distill.core.guessing.guess import StarterProject, guess
from distill.core.intake.record_reader import BadRow, RecordReader
from distill.core.intake.show import render
from distill.core.intake.sources import Reading, data_files, read_rows
from distill.core.project import Project
from distill.core.records import Record

__all__ = ["StarterProject", "first_record", "guess", "preview", "starter_yaml"]

_LABELS = [
    "# Whose soft labels students learn from: auto asks the teachers on validation; or document, card, mean, a name.",
    "labels: auto",
]
_TOKENS_PER_WORD = 1.6  # between English (1.3) and Russian (2) in multilingual vocabularies
_STEP, _LEAST, _MOST_DOCUMENT, _MOST_CARD = 16, 32, 512, 128


def starter_yaml(starter: StarterProject) -> str:
    """A project file that parses as `Project`, with the reason for each guess and what to check."""
    parts = ["# Made by `distill init` from the first rows of your files. Check the lines marked with (?)."]
    parts += _task(starter) + _data(starter) + _views(starter) + _LABELS
    return "\n".join(parts) + "\n"


def preview(starter: StarterProject) -> str:
    """The first training record as each view of the guessed project renders it, in words and signs."""
    project = parse(Project, parse_yaml(starter_yaml(starter), "distill init"), "distill init")
    record = first_record(project, starter.folder)
    shown = [render(record, name, view).text() for name, view in project.views.items()]
    return "\n".join([f"record {record.id}", *shown])


def first_record(project: Project, base: Path = Path()) -> Record:
    """The first training row that makes a record. Raises: UserError when none does."""
    reader = RecordReader(project, labelled=True)
    for path in data_files(project, base)["train"]:
        for row in read_rows(path, Reading(project.data.encoding, project.data.quotes)):
            try:
                if row.values is not None:
                    return reader.read(row.values)
            except BadRow:
                continue
    raise UserError("no training row can be read", where="data.train", do="run distill audit to see why")


def _task(starter: StarterProject) -> list[str]:
    counts = ", ".join(f"{label}: {starter.counts[label]}" for label in starter.labels)
    lines = [
        "task:",
        f"  # Values of column '{starter.label}' with their rows: {counts}.",
        f"  labels: {_flow(starter.labels)}",
    ]
    if starter.positive is not None:
        lines += ["  # (?) The rarer label; it gets operating points.", f"  positive: {_flow(starter.positive)}"]
    else:
        lines += ["  # (?) One label can be scored one-vs-rest, with operating points:", "  # positive: ..."]
    lines += ["  # (?) true when the labels form a scale, in the order above.", "  ordered: false"]
    return [*lines, f"  kind: {starter.kind}"]


def _data(starter: StarterProject) -> list[str]:
    root = Path(os.path.relpath(starter.root, starter.folder)).as_posix()
    lines = ["data:", "  # From this file's folder.", f"  root: {_flow(root)}"]
    lines += ["  # Unique in every file.", f"  id: {_flow(starter.id)}"]
    lines += [f"  label: {_flow(starter.label)}"]
    if starter.slice:
        lines += ["  # (?) Quality is reported by it.", f"  slice: {_flow(starter.slice)}"]
    if starter.keys:
        why = "# (?) What each side is about: intervals resample the first, leaks are searched for by all."
        lines += [f"  {why}", f"  keys: {_flow(starter.keys)}"]
    lines += [f"  encoding: {starter.encoding}"] if starter.encoding != "utf-8" else []
    lines += ["  # (?) Files by their names; those without labels are the pool.", *_files(starter)]
    if starter.by_keys:
        lines += ["  # No test file: test and valid are made by keys.", "  split: {mode: keys, valid: 0.1, test: 0.2}"]
    return lines


def _files(starter: StarterProject) -> list[str]:
    files = starter.files
    train = list(files.get("train", {}).values())
    valid = list(files.get("valid", {}).values())
    if starter.by_keys:
        train, valid = train + valid, []
    lines = [f"  train: {_flow(train)}"]
    lines += [f"  valid: {_flow(valid)}"] if valid else []
    for role in ("test", "pool"):
        if named := files.get(role):
            lines += [f"  {role}:", *(f"    {_flow(name)}: {_flow(path)}" for name, path in named.items())]
    return lines


def _views(starter: StarterProject) -> list[str]:
    document, card = _tokens(starter, "document"), _tokens(starter, "card")
    lines = [
        "views:",
        "  # What the teacher reads: every text column.",
        *_view("document", starter.document, min(document, _MOST_DOCUMENT), starter.words["document"]),
    ]
    if document > _MOST_DOCUMENT and starter.document[1]:
        lines += [
            "    # Longer texts are read in overlapping windows.",
            "    windows: {stride: 64, max: 4, pool: mean}",
        ]
    lines += ["  # (?) What the student reads in production: the short columns. Remove what a card will not have."]
    return lines + _view("card", starter.card, min(card, _MOST_CARD), starter.words["card"])


def _view(name: str, sides: tuple[Sequence[str], Sequence[str]], max_tokens: int, words: int) -> list[str]:
    left, right = sides
    lines = [f"  {name}:", f"    left: {_flow(list(left))}"]
    lines += [f"    right: {_flow(list(right))}"] if right else []
    return [*lines, f"    # 95% of the records have up to about {words} words.", f"    max_tokens: {max_tokens}"]


def _tokens(starter: StarterProject, view: str) -> int:
    """Tokens for 95% of the records, in steps of 16."""
    wanted = int(starter.words[view] * _TOKENS_PER_WORD) + 3
    return max(_LEAST, -(-wanted // _STEP) * _STEP)


def _flow(value: Any) -> str:
    """A value in YAML's flow style, which JSON is a part of."""
    return json.dumps(value, ensure_ascii=False)
