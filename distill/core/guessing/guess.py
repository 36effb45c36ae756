"""Guesses about the user's files: which columns are id, label, keys, sides and texts, and which file is what."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from distill.core.errors import UserError
from distill.core.guessing.column_roles import (
    MOST_CLASSES,
    SLICES,
    id_column,
    is_key,
    key_columns,
    label_column,
    side_columns,
    slice_column,
)
from distill.core.guessing.columns import Column, look
from distill.core.intake import encoding as encodings
from distill.core.intake.record_reader import lookup
from distill.core.intake.sources import Reading, open_bytes, read_rows
from distill.core.label_space import label_name
from distill.core.names import as_name

SAMPLE_ROWS = 1000
LABEL_ROWS = 100_000
_ROLES = (("train", r"train"), ("valid", r"valid|(^|[^a-z])(dev|val)"), ("test", r"test"))
_CARD_WORDS = 30


@dataclass(frozen=True)
class StarterProject:
    """What was guessed.

    Attributes:
        folder: where the project file will be.
        root: folder that the file names start from, absolute.
        encoding: `utf-8` or the Cyrillic encoding of the files.
        files: role (`train`, `valid`, `test`, `pool`) to short name to file.
        id, label, slice: columns; slice is None without one.
        keys: identity column of each side, empty when none was found.
        labels: the label values as text, in sorted order.
        counts: label to rows.
        kind: `single` or `multi`.
        document, card: (left fields, right fields).
        words: view to the 95% quantile of words per record.
    """

    folder: Path
    root: Path
    encoding: str
    files: Mapping[str, Mapping[str, str]]
    id: str
    label: str
    slice: str | None
    keys: list[str]
    labels: list[str]
    counts: Mapping[str, int]
    kind: str
    document: tuple[list[str], list[str]]
    card: tuple[list[str], list[str]]
    words: Mapping[str, int] = field(default_factory=dict)

    @property
    def positive(self) -> str | None:
        """The rarer of two labels."""
        return min(self.labels, key=lambda label: self.counts[label]) if len(self.labels) == 2 else None

    @property
    def by_keys(self) -> bool:
        """Whether the test set has to be made by keys, because no file is one."""
        return not self.files.get("test")


def guess(paths: Sequence[Path], folder: Path = Path()) -> StarterProject:
    """Look at the first 1000 rows of each file and guess what a project file in `folder` needs.

    Raises: UserError when a file cannot be read, no column is unique, looks like a label or holds text, or there is
        neither a test file nor an identity column to split by.
    """
    encoding = _encoding(paths)
    tables = {path: look(_values(path, encoding, SAMPLE_ROWS)) for path in paths}
    first = _main_table(tables)
    label = label_column(first)
    roles = _roles(tables, label)
    name = id_column([tables[path] for path in paths])
    sides = side_columns(first, {name, label})
    slice_ = slice_column(first, {name, label})
    labelled = [path for path, role in roles.items() if role != "pool"]
    keys = key_columns(first, sides, [tables[path] for path in labelled])
    document = _without(_text_sides(first, sides, {name, label, slice_ or ""}), keys)
    if not document[0]:
        raise UserError(
            "no column holds text", where=str(paths[0]), found=", ".join(first), do="write the YAML by hand"
        )
    card = _card(first, document)
    counts, kind = _labels(labelled, label, encoding)
    root = Path(os.path.commonpath([path.resolve().parent for path in paths]))
    starter = StarterProject(
        folder=folder,
        root=root,
        encoding=encoding,
        files=_files(roles, root),
        id=name,
        label=label,
        slice=slice_,
        keys=keys,
        labels=sorted(counts),
        counts=counts,
        kind=kind,
        document=document,
        card=card,
        words={"document": _words(first, document), "card": _words(first, card)},
    )
    _require_test(starter)
    return starter


def _encoding(paths: Sequence[Path]) -> str:
    """The one encoding of all text files. Raises: UserError for a missing file, and where two are in different ones."""
    found: dict[str, Path] = {}
    for path in paths:
        if not path.is_file():
            raise UserError("file not found", where=str(path))
        if ".parquet" not in path.suffixes:
            with open_bytes(path) as file:
                if (encoding := encodings.detect(islice(file, SAMPLE_ROWS))) is not None:
                    found.setdefault(encoding, path)
    if len(found) > 1:
        seen = ", ".join(f"{path.name} reads as {encoding}" for encoding, path in found.items())
        do = "convert them to UTF-8 with iconv: a project has one data.encoding"
        raise UserError("the files are in different encodings", found=seen, do=do)
    return next(iter(found), "utf-8")


def _values(path: Path, encoding: str, rows: int) -> Iterator[dict[str, Any]]:
    return (row.values for row in islice(read_rows(path, Reading(encoding)), rows) if row.values is not None)


def _main_table(tables: Mapping[Path, dict[str, Column]]) -> dict[str, Column]:
    """The columns of the training file, else of the first file."""
    train = [path for path in tables if _role_by_name(path) == "train"]
    return tables[next(iter(train or tables))]


def _role_by_name(path: Path) -> str | None:
    name = path.name.lower()
    return next((role for role, pattern in _ROLES if re.search(pattern, name)), None)


def _roles(tables: Mapping[Path, dict[str, Column]], label: str) -> dict[Path, str]:
    """File to role: by its name, `pool` for the others and for those without labels."""
    roles = {}
    for path, columns in tables.items():
        has_label = _has_label(columns, label)
        roles[path] = (_role_by_name(path) if has_label else None) or "pool"
    if "train" not in roles.values():
        labelled = [path for path in roles if _has_label(tables[path], label)]
        roles[labelled[0]] = "train"
    return roles


def _has_label(columns: Mapping[str, Column], label: str) -> bool:
    """Whether some row has gold; votes show as one column per label."""
    return any(column.values for path, column in columns.items() if path == label or path.startswith(f"{label}."))


def _files(roles: Mapping[Path, str], root: Path) -> dict[str, dict[str, str]]:
    """Role to name to file, names short and different."""
    found: dict[str, dict[str, str]] = {}
    for path, role in roles.items():
        stem = re.sub(r"\.(jsonl|ndjson|csv|tsv|parquet)(\.gz)?$", "", path.name)
        named = found.setdefault(role, {})
        short = as_name(re.sub(r"^(test|pool)[_.-]?", "", stem), named, role)
        named[short] = path.resolve().relative_to(root).as_posix()
    return found


def _text_sides(
    columns: Mapping[str, Column], sides: Mapping[str, int], taken: set[str]
) -> tuple[list[str], list[str]]:
    texts = [path for path, column in columns.items() if column.is_text and path not in taken and not is_key(path)]
    if not sides:
        return [path for path in texts if path.partition(".")[0] not in taken and path not in SLICES], []
    left, right = ([path for path in texts if sides.get(path) == side] for side in (0, 1))
    return left, right


def _without(sides: tuple[list[str], list[str]], keys: Sequence[str]) -> tuple[list[str], list[str]]:
    left, right = ([path for path in side if path not in keys] for side in sides)
    return left, right


def _card(columns: Mapping[str, Column], document: tuple[list[str], list[str]]) -> tuple[list[str], list[str]]:
    """The short fields of each side; the shortest one where all are long."""
    left, right = (_short(columns, side) for side in document)
    return left, right


def _short(columns: Mapping[str, Column], paths: Sequence[str]) -> list[str]:
    short = [path for path in paths if _quantile(columns[path].words) <= _CARD_WORDS]
    return short or sorted(paths, key=lambda path: _quantile(columns[path].words))[:1]


def _words(columns: Mapping[str, Column], sides: tuple[list[str], list[str]]) -> int:
    """An upper guess of the 95% quantile of words per record: the sum over its fields."""
    return sum(_quantile(columns[path].words) for side in sides for path in side)


def _quantile(ordered: Sequence[int]) -> int:
    return ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))] if ordered else 0


def _labels(paths: Sequence[Path], label: str, encoding: str) -> tuple[Counter[str], str]:
    """Rows per label, and whether a row may have several."""
    counts: Counter[str] = Counter()
    kind = "single"
    for path in paths:
        for values in _values(path, encoding, LABEL_ROWS):
            gold = lookup(values, label)
            kind = "multi" if isinstance(gold, list) else kind
            names = gold if isinstance(gold, list | dict) else [gold]
            counts.update(label_name(name) for name in names if name is not None and name != "")
    if not 2 <= len(counts) <= MOST_CLASSES:
        do = "name the right column as data.label in a YAML written by hand"
        raise UserError("not the label of a classifier", where=label, found=f"{len(counts)} different values", do=do)
    return counts, kind


def _require_test(starter: StarterProject) -> None:
    if starter.by_keys and not starter.keys:
        do = "give a file named test…, or an identity column to split by (named …_id)"
        raise UserError("there is no test file and no key to make one by", where=str(starter.root), do=do)
