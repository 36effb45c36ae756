"""The project file that `distill init` writes, and a look at its views."""

from __future__ import annotations

import json
import math
import os
import re
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from distill.core.config import parse, parse_yaml
from distill.core.errors import UserError
from distill.core.few_rows import ENOUGH_POSITIVES, enough_clusters, hardly_passed, majority_gain
from distill.core.guessing.guess import StarterProject, guess
from distill.core.guessing.token_lengths import WINDOWS
from distill.core.guessing.view_fields import MOST_CARD, MOST_DOCUMENT
from distill.core.intake.record_reader import BadRow, RecordReader
from distill.core.intake.show import render
from distill.core.intake.sources import Reading, data_files, read_rows
from distill.core.project import Gates, Project
from distill.core.records import Record

__all__ = ["StarterProject", "first_record", "guess", "preview", "starter_yaml"]

_LABELS = [
    "# Whose soft labels students learn from: auto asks the teachers on validation; or",
    "# document, card, mean, mixture, or a teacher's name.",
    "labels: auto",
]
_MADE_POOL = [
    "  # (?) No file has unlabelled pairs, from which students learn most; sides of training rows, paired anew,",
    "  # are such pairs. Files of more products or pages can be added to `of`. Sides of test and validation stay out.",
    "  # pool:",
    "  #   made: {pairs: {of: [train], exact: 1, neighbours: 3, hard: 1, random: 1}, rows: 20000}",
]
_STEP, _LEAST = 16, 32
_WIDTH, _LISTED, _NAMED = 110, 20, 5
# The shares that validation and a test have, and what each may have at most: validation so that its gate's rows, and a
# third more as splits are drawn, and enough of the positive class come to it. Of rows with two keys, which may come to
# different parts, a half is taken to remain.
_VALID, _TEST, _MOST, _ENOUGH, _REMAINING = 0.1, 0.2, 0.3, 1.33, 0.5
_ROWS_ASKED: int = Gates.model_fields["validation_rows"].default
# What YAML does not take as it is, or folds: controls, line ends beyond \n, the byte order mark, surrogates.
_ESCAPED = re.compile("[\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]")


def starter_yaml(starter: StarterProject) -> str:
    """A project file that parses as `Project`, with the reason for each guess and what to check."""
    parts = ["# Made by `distill init` from the first rows of your files. Check the lines marked with (?)."]
    parts += _task(starter) + _data(starter) + _views(starter) + _LABELS
    return "\n".join(parts) + "\n"


def preview(starter: StarterProject) -> str:
    """The first training record as each view of the guessed project renders it, by the tokenizer that counted lengths.

    Raises: UserError when the project file cannot be read back, or no training row makes a record with it.
    """
    project = parse(Project, parse_yaml(starter_yaml(starter), "distill init"), "distill init")
    record = first_record(project, starter.folder)
    tokenizer = Tokenizer.from_file(str(starter.tokenizer)) if starter.tokenizer else None
    shown = [render(record, name, view, tokenizer).text() for name, view in project.views.items()]
    return "\n".join([f"record {record.id}", *shown])


def first_record(project: Project, base: Path = Path()) -> Record:
    """The first training row that makes a record. Raises: UserError when none does, with the first one's reason."""
    reader, found = RecordReader(project, labelled=True), list[str]()
    for path in data_files(project, base)["train"]:
        for row in read_rows(path, Reading(project.data.encoding, project.data.quotes)):
            try:
                if row.values is not None:
                    return reader.read(row.values)
                reason = str(row.problem)
            except BadRow as bad:
                reason = f"{bad.reason}: {bad.detail}"
            found = found or [f"{path.name}:{row.number}, {reason}"]
    do = "correct the rows, or write the YAML by hand"
    raise UserError("no training row can be read", where="data.train", found=found[0] if found else None, do=do)


def _task(starter: StarterProject) -> list[str]:
    lines = [
        "task:",
        f"  # {_counts(starter)} labels: auto takes them from train at every start.",
        *_wrapped("  labels: ", starter.labels),
    ]
    if starter.positive is not None:
        lines += ["  # (?) The class to find; it gets operating points.", f"  positive: {_flow(starter.positive)}"]
    else:
        lines += ["  # (?) One label can be scored one-vs-rest, with operating points:", "  # positive: ..."]
    lines += ["  # (?) true when the labels form a scale, in the order above.", "  ordered: false"]
    return [*lines, f"  kind: {starter.kind}"]


def _counts(starter: StarterProject) -> str:
    counts, column = starter.counts, _flow(starter.label)
    if len(counts) <= _LISTED:
        listed = ", ".join(f"{_flow(label)[1:-1]}: {counts[label]}" for label in starter.labels)
        return f"Values of column {column} with their rows: {listed}."
    rare, frequent = min(counts, key=lambda label: counts[label]), max(counts, key=lambda label: counts[label])
    ends = f"from {counts[rare]} ({_flow(rare)[1:-1]}) to {counts[frequent]} rows ({_flow(frequent)[1:-1]})"
    return f"{len(counts)} values of column {column}, {ends}."


def _data(starter: StarterProject) -> list[str]:
    root = Path(os.path.relpath(starter.root, starter.folder)).as_posix()
    lines = ["data:", "  # From this file's folder.", f"  root: {_flow(root)}"]
    none = "No column that is named like an id is unique over all files: ids are hashes of the texts."
    lines += [f"  # {'Unique over all files.' if starter.id else none}", f"  id: {_flow(starter.id)}"]
    others = _some([f"{_flow(path)} ({values})" for path, values in starter.other_labels.items()])
    if not starter.named_label:
        have = f", others with their number: {others}" if others else ""
        lines += [f"  # (?) No column is named like a label. This one has the fewest values{have}."]
    elif others:
        lines += [f"  # (?) By its name; others that may be the label, with their number of values: {others}."]
    lines += [f"  label: {_flow(starter.label)}"]
    if starter.slice:
        lines += ["  # (?) Quality is reported by it.", f"  slice: {_flow(starter.slice)}"]
    if starter.keys_are_texts:
        why = "# (?) No column names what a record is about, so equal texts keep together in one part."
        lines += [f"  {why}", f"  keys: {_flow(starter.keys)}"]
    elif starter.keys:
        why = "# (?) What each side is about: intervals resample the first, leaks are searched for by all."
        lines += [f"  {why}", f"  keys: {_flow(starter.keys)}"]
    lines += [f"  encoding: {starter.encoding}"] if starter.encoding != "utf-8" else []
    if starter.quotes != "auto":
        lines += ["  # (?) Cells of the TSV are in quotes, which are no part of them.", f"  quotes: {starter.quotes}"]
    lines += ["  # (?) Files by their names; those without labels are the pool."]
    for doubt, names in starter.doubts.items():
        lines.append(f"  # (?) {doubt}: {_some([_flow(name)[1:-1] for name in names])}.")
    lines += [f"  # Left out, no column of {side}: {_flow(name)[1:-1]}." for name, side in starter.without_text.items()]
    return [*lines, *_files(starter), *_split(starter)]


def _split(starter: StarterProject) -> list[str]:
    """How validation, and a test where no file is one, are made; and what either has too few rows for."""
    made = not starter.files.get("valid") or starter.makes_test
    rows = starter.rows["train"] + (starter.rows["valid"] if starter.makes_test else 0)
    rows = math.ceil(rows * _REMAINING) if len(starter.keys) > 1 else rows
    rarer, of_it = _rarer(starter)
    share = min(_MOST, max(_VALID, _hundredths(max(_ENOUGH * _ROWS_ASKED, ENOUGH_POSITIVES / of_it) / rows)))
    expected, about = (int(share * rows), "About ") if made else (starter.rows["valid"], "")
    lines = []
    if expected < (_ENOUGH if made else 1) * _ROWS_ASKED:
        asked = f"gates.validation_rows asks for {_ROWS_ASKED} before anything is trained"
        lines.append(f"  # (?) {about}{expected} validation rows, and {asked}: give more rows.")
    if rarer is not None and round(of_it * expected) < ENOUGH_POSITIVES:
        chosen = f"thresholds and checkpoints are chosen on them, and {ENOUGH_POSITIVES} or more would do"
        lines.append(f"  # (?) About {round(of_it * expected)} validation rows of {_flow(rarer)}: {chosen}.")
    if starter.makes_test:
        mode, how = ("keys", "by keys") if starter.keys else ("random", "at random, as no column is a key")
        test = _test_share(starter, rows)
        lines += [*_few_tests(starter, int(test * rows)), f"  # No test file: test and valid are made {how}."]
        lines.append(f"  split: {{mode: {mode}, valid: {share:g}, test: {test:g}}}")
        return lines
    lines += _few_tests(starter, starter.rows["test"])
    if made:
        lines.append("  # No validation file: this share of train is held out for it.")
        lines.append(f"  split: {{valid: {share:g}}}")
    return lines


def _rarer(starter: StarterProject) -> tuple[str | None, float]:
    """The class that thresholds are for, of two labels the rarer where none is named, and its share of the rows."""
    if len(starter.labels) != 2:
        return None, 1.0
    label = starter.positive or min(starter.labels, key=lambda label: starter.counts[label])
    return label, starter.counts[label] / sum(starter.rows.values())


def _test_share(starter: StarterProject, rows: int) -> float:
    """A fifth of the rows, or as many more as the gates on quality need, where that leaves enough for training."""
    share = _hundredths(max(_needed(starter).values()) / rows)
    return share if _TEST < share <= _MOST else _TEST


def _few_tests(starter: StarterProject, rows: int) -> list[str]:
    """That so few test rows hardly let a gate pass. Rows of one key count as one, which is not known before."""
    said = hardly_passed(rows, _needed(starter))
    return _comment(f"(?) About {said}.") if said else []


def _needed(starter: StarterProject) -> dict[str, int]:
    rows = list(starter.counts.values())
    return enough_clusters(Gates(), majority_gain(rows, several=starter.kind == "multi"))


def _hundredths(share: float) -> float:
    return math.ceil(100 * share) / 100


def _comment(text: str) -> list[str]:
    """Lines of a comment inside a section."""
    return textwrap.wrap(text, _WIDTH, initial_indent="  # ", subsequent_indent="  # ", break_long_words=False)


def _files(starter: StarterProject) -> list[str]:
    files = starter.files
    train = list(files.get("train", {}).values())
    valid = list(files.get("valid", {}).values())
    if starter.makes_test:
        train, valid = train + valid, []
    lines = [f"  train: {_flow(train)}"]
    lines += [f"  valid: {_flow(valid)}"] if valid else []
    for role in ("test", "pool"):
        if named := files.get(role):
            lines += [f"  {role}:", *(f"    {_flow(name)}: {_flow(path)}" for name, path in named.items())]
    return lines + ([] if files.get("pool") or not starter.card[1] else _MADE_POOL)


def _views(starter: StarterProject) -> list[str]:
    shared, facts = (_some([_flow(path)[1:-1] for path in paths]) for paths in (starter.shared, starter.facts))
    lines = [
        "views:",
        "  # What the teacher reads: every text column. Others can be added to a side where they say something.",
        *(f"  # Left out, {reason}: {_flow(path)[1:-1]}." for path, reason in starter.left_out.items()),
        *([f"  # (?) Of neither side, so on the left as what both are about: {shared}."] if shared else []),
        *([f"  # (?) May be labels by their names, read as facts about the text: {facts}."] if facts else []),
        *_view("document", starter.document, starter, MOST_DOCUMENT),
    ]
    if starter.tokens["document"] > MOST_DOCUMENT and starter.windows > 1:
        cost = f"about {starter.windows:.1f} times the inputs, and the teacher's time with them"
        lines += [f"    # Reads what is beyond max_tokens too, for {cost}:", f"    # windows: {_plain(WINDOWS)}"]
    lines += [
        "  # (?) What the student reads in production: the short columns, and where many records share those the one",
        "  # that tells records apart. Remove what a card will not have.",
    ]
    return lines + _view("card", starter.card, starter, MOST_CARD)


def _view(name: str, sides: tuple[Sequence[str], Sequence[str]], starter: StarterProject, most: int) -> list[str]:
    left, right = sides
    tokens = starter.tokens[name]
    counted = "tokens of the default encoder" if starter.tokenizer else "tokens, guessed from their words"
    cut = f"; {most} at most are proposed, the rest is cut" if tokens > most else ""
    lines = [f"  {name}:", f"    left: {_flow(list(left))}"]
    lines += [f"    right: {_flow(list(right))}"] if right else []
    lines += [f"    # 95% of the records have up to {tokens} {counted}{cut}."]
    return [*lines, f"    max_tokens: {min(most, max(_LEAST, -(-tokens // _STEP) * _STEP))}"]


def _wrapped(key: str, values: Sequence[str]) -> list[str]:
    """A flow sequence, over several lines where it is long."""
    lines = [f"{key}["]
    for index, value in enumerate(values):
        item = _flow(value) + ("]" if index == len(values) - 1 else ",")
        if len(lines[-1]) + len(item) > _WIDTH and not lines[-1].endswith("["):
            lines.append("    " + item)
        else:
            lines[-1] += ("" if lines[-1].endswith("[") else " ") + item
    return lines


def _flow(value: Any) -> str:
    """A value in YAML's flow style, which JSON is a part of once what YAML does not take is escaped."""
    return _ESCAPED.sub(lambda found: f"\\u{ord(found.group()):04x}", json.dumps(value, ensure_ascii=False))


def _some(names: Sequence[str]) -> str:
    """The first names, and how many more there are."""
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


def _plain(values: dict[str, Any]) -> str:
    return "{" + ", ".join(f"{name}: {value}" for name, value in values.items()) + "}"
