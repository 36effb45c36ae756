"""Guesses about the user's files: which columns are id, label, keys, sides and texts, and which file is what."""

from __future__ import annotations

import os
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from distill.core.errors import UserError
from distill.core.guessing.column_roles import (
    SLICES,
    facts,
    id_column,
    is_key,
    is_number,
    key_columns,
    label_columns,
    named_label,
    side_columns,
    slice_column,
)
from distill.core.guessing.columns import Column, look, spread
from distill.core.guessing.file_roles import UNKNOWN, doubts, file_roles, main_files
from distill.core.guessing.telling import why_left_out
from distill.core.guessing.token_lengths import TokenLengths
from distill.core.guessing.view_fields import MOST_DOCUMENT, Sides, text_key, views
from distill.core.intake import encoding as encodings
from distill.core.intake.found_labels import MOST_CLASSES, FoundLabels, in_order
from distill.core.intake.sources import Reading, named_errors, open_bytes, read_rows
from distill.core.label_space import scalar_text
from distill.core.names import as_name
from distill.core.paths import require_file
from distill.core.rendering import lookup

SAMPLE_ROWS = 1000
LABEL_ROWS = 100_000
_UNIQUE = 0.97
_FEWEST_PER_CLASS = 2
_POSITIVE = ("1", "true", "yes", "y", "pos", "positive", "match", "spam", "да", "есть")
_PLAINLY_RARER = 0.4
_FEW_QUOTED, _MOSTLY_CLOSED = 5, 0.9
_LANGUAGES = ("lang", "language", "locale", "язык")
Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class StarterProject:
    """What was guessed.

    Attributes:
        folder: where the project file will be.
        root: folder that the file names start from, absolute.
        encoding: `utf-8` or the Cyrillic encoding of the files.
        quotes: `double` where a TSV has its cells in quotes, else `auto`.
        files: role (`train`, `valid`, `test`, `pool`) to short name to file.
        rows: role to its labelled rows.
        id, label, slice: columns; id and slice are None without one.
        named_label: whether its name is one of labels.
        other_labels: the other columns that it may be, to their number of values; in no view unless in facts.
        keys: identity column of each side, empty when none was found.
        labels: the label values as text, in order.
        counts: label to rows.
        kind: `single` or `multi`.
        document, card: (left fields, right fields).
        tokens: view to the tokens that suffice for 95% of the records.
        tokenizer: the `tokenizer.json` of a model that counted them; None: guessed from their words.
        windows: inputs per document where long ones are read in windows; 1 where all fit.
        left_out: column that is in no view, and none of those above, to the reason.
        shared: texts of pairs that belong to neither side, so are on the left.
        facts: texts that may be the label by their names.
        doubts: what the names of labelled files leave open, in words, to those files.
        without_text: file that is left out to the side of a view that it has no column of.
    """

    folder: Path
    root: Path
    encoding: str
    quotes: str
    files: Mapping[str, Mapping[str, str]]
    rows: Mapping[str, int]
    id: str | None
    label: str
    named_label: bool
    other_labels: Mapping[str, int]
    slice: str | None
    keys: list[str]
    labels: list[str]
    counts: Mapping[str, int]
    kind: str
    document: Sides
    card: Sides
    tokens: Mapping[str, int]
    tokenizer: Path | None
    windows: float
    left_out: Mapping[str, str] = field(default_factory=dict)
    shared: Sequence[str] = ()
    facts: Sequence[str] = ()
    doubts: Mapping[str, Sequence[str]] = field(default_factory=dict)
    without_text: Mapping[str, str] = field(default_factory=dict)

    @property
    def keys_are_texts(self) -> bool:
        """Whether a text stands in for the key that no column is."""
        return len(self.keys) == 1 and self.keys[0] in (*self.document[0], *self.document[1])

    @property
    def positive(self) -> str | None:
        """Of two labels the one whose name says so, or that is plainly the rarer."""
        if len(self.labels) != 2:
            return None
        named = [label for label in self.labels if label.lower() in _POSITIVE]
        rarer = min(self.labels, key=lambda label: self.counts[label])
        plain = self.counts[rarer] < _PLAINLY_RARER * sum(self.counts.values())
        return named[0] if len(named) == 1 else rarer if plain else None

    @property
    def makes_test(self) -> bool:
        """Whether the test set has to be made, because no file is one."""
        return not self.files.get("test")


def guess(paths: Sequence[Path], folder: Path = Path(), tokenizer: Path | None = None) -> StarterProject:
    """Look at a thousand rows or two of each file and guess what a project file in `folder` needs.

    Args: tokenizer: the `tokenizer.json` of the encoder that teachers start from, to count tokens with.
    Raises: UserError when a file cannot be read, or no column looks like a label or holds text.
    """
    encoding = _encoding(paths)
    reading = Reading(encoding, _quotes(paths, encoding))
    rows = {path: spread(_values(path, reading, LABEL_ROWS), SAMPLE_ROWS) for path in paths}
    tables = {path: look(kept, str(path)) for path, kept in rows.items()}
    main = look(_of(rows, main_files(tables)), "the training files")
    label, *others = label_columns(main)
    roles = file_roles(tables, label)
    sample = _of(rows, [path for path, role in roles.items() if role == "train"])
    _require_header(rows, label)
    first = look(sample, "the training files")
    sides = side_columns(first, {label})
    slice_ = slice_column(first, {label})
    told = facts(main, others)
    document, left_out = _document(
        first, sample, sides, [label, *(path for path in others if path not in told)], slice_
    )
    shared = [path for path in document[0] if sides and path not in sides]
    if not document[0]:
        found = ", ".join(f"{path} ({left_out[path]})" if path in left_out else path for path in first)
        raise UserError("no column holds text", where=str(paths[0]), found=found, do="write the YAML by hand")
    lengths = TokenLengths(sample, tokenizer)
    document, card = views(first, document, shared, lengths)
    without_text = {path: side for path in roles if (side := _lacks(tables[path], document, card))}
    roles = {path: role for path, role in roles.items() if path not in without_text}
    if "train" not in roles.values():
        what = "no file with labels has a column of each side"
        raise UserError(what, where="views.document", found=document, do="join the files by row")
    unclear = doubts(roles, tables, label)
    roles = {path: role for path, role in roles.items() if role != UNKNOWN}
    labelled = {path: role for path, role in roles.items() if role != "pool"}
    labels, labelled_rows = _labels(labelled, label, reading)
    name = _id({path: tables[path] for path in roles}, reading, label)
    sided = {path: side for path, side in sides.items() if path != name}
    keys = key_columns(first, sided, [tables[path] for path in labelled])
    root = Path(os.path.commonpath([path.resolve().parent for path in roles]))
    files = _files(roles, root)
    return StarterProject(
        folder=folder,
        root=root,
        encoding=encoding,
        quotes=reading.quotes,
        files=files,
        rows=labelled_rows,
        id=name,
        label=label,
        named_label=named_label(main) is not None,
        other_labels={path: main[path].distinct for path in others},
        slice=slice_,
        keys=keys or ([] if "test" in files else text_key(first, document, shared)),
        labels=in_order(labels.counts),
        counts=labels.counts,
        kind="multi" if labels.several else "single",
        document=document,
        card=card,
        tokens={"document": lengths.longest(document), "card": lengths.longest(card)},
        tokenizer=tokenizer,
        windows=lengths.windows(document, MOST_DOCUMENT),
        left_out=left_out,
        shared=shared,
        facts=[path for path in told if path in document[0]],
        doubts=unclear,
        without_text={path.name: side for path, side in without_text.items()},
    )


def _encoding(paths: Sequence[Path]) -> str:
    """The one encoding of all text files. Raises: UserError for a missing file, and where two are in different ones."""
    found: dict[str, Path] = {}
    for path in paths:
        require_file(path)
        if ".parquet" not in path.suffixes:
            with named_errors(path), open_bytes(path) as file:
                if (encoding := encodings.detect(islice(file, SAMPLE_ROWS))) is not None:
                    found.setdefault(encoding, path)
    if len(found) > 1:
        seen = ", ".join(f"{path.name} reads as {encoding}" for encoding, path in found.items())
        do = "convert them to UTF-8 with iconv: a project has one data.encoding"
        raise UserError("the files are in different encodings", found=seen, do=do)
    return next(iter(found), "utf-8")


def _quotes(paths: Sequence[Path], encoding: str) -> str:
    """`double` where cells of a TSV begin with a quote and nearly all of those end with one too."""
    opened, closed = 0, 0
    for path in (path for path in paths if ".tsv" in path.suffixes):
        for row in islice(read_rows(path, Reading(encoding, "none")), SAMPLE_ROWS):
            cells = [cell for cell in (row.values or {}).values() if cell.startswith('"')]
            opened += len(cells)
            closed += sum(len(cell) > 1 and cell.endswith('"') for cell in cells)
    return "double" if closed >= _FEW_QUOTED and closed >= _MOSTLY_CLOSED * opened else "auto"


def _values(path: Path, reading: Reading, rows: int) -> Iterator[dict[str, Any]]:
    """The first rows of a file that can be read. Raises: UserError naming the first bad row where none can."""
    readable, problem = 0, None
    for row in islice(read_rows(path, reading), rows):
        if row.values is not None:
            readable += 1
            yield row.values
        problem = problem or (row.problem and f"row {row.number}, {row.problem}")
    if not readable:
        do = "a .jsonl file has one JSON object per line: an array is not read"
        raise UserError("no row of the file can be read", where=str(path), found=problem, do=do)


def _of(rows: Mapping[Path, Rows], paths: Sequence[Path]) -> Rows:
    return [values for path in paths for values in rows[path]]


def _require_header(rows: Mapping[Path, Rows], label: str) -> None:
    """Check that the first line of CSV and TSV files is none of their rows, by the label. Raises: UserError."""
    for path in (path for path in rows if {".csv", ".tsv"} & set(path.suffixes)):
        same = [values for values in rows[path] if values.get(label) == label]
        if any(cell != name for values in same for name, cell in values.items()):  # else the header comes again
            found = f"column '{label}', whose name is one of its values"
            do = "write the columns' names in line 1; where they are there, rename this column"
            raise UserError("the file seems to have no header line", where=str(path), found=found, do=do)


def _files(roles: Mapping[Path, str], root: Path) -> dict[str, dict[str, str]]:
    """Role to name to file, names short and different."""
    found: dict[str, dict[str, str]] = {}
    for path, role in roles.items():
        stem = re.sub(r"\.(jsonl|ndjson|csv|tsv|parquet)(\.gz)?$", "", path.name)
        named = found.setdefault(role, {})
        short = as_name(re.sub(r"^(test|pool)[_.-]?", "", stem), named, role)
        named[short] = path.resolve().relative_to(root).as_posix()
    return found


def _id(tables: Mapping[Path, dict[str, Column]], reading: Reading, label: str) -> str | None:
    """The column that names the records, where it does so over all files and beyond the sample too.

    A row that comes again, with the same id and the same values, does not count against it.
    """
    name = id_column(list(tables.values()))
    if name is None:
        return None
    common = [path for path in next(iter(tables.values())) if all(path in columns for columns in tables.values())]
    compared = [path for path in common if path != label and not path.startswith(f"{label}.")]
    first, repeated, ids = dict[str, int](), set[str](), defaultdict[Path, list[str]](list)
    for path in tables:
        alone = path if compared == [name] else None  # files with no other column in common tell no row again
        for values in _values(path, reading, LABEL_ROWS):
            own = scalar_text(lookup(values, name))
            content = hash((alone, *(str(lookup(values, other)) for other in compared)))
            ids[path].append(own)
            if first.setdefault(own, content) != content:
                repeated.add(own)
    several = any(sum(own in repeated for own in found) >= (1 - _UNIQUE) * len(found) for found in ids.values())
    return None if several else name


def _document(
    columns: Mapping[str, Column], rows: Rows, sides: Mapping[str, int], labels: Sequence[str], slice_: str | None
) -> tuple[Sides, dict[str, str]]:
    """The text columns of each side, those of neither on the left, and why the others are in no view.

    Args: labels: the label, then the columns that may be it and no text.
    """
    found: Sides = ([], [])
    left_out: dict[str, str] = {}
    label, *others = labels
    for path, column in columns.items():
        if label in (path, path.partition(".")[0]) or is_key(path) or is_number(path):
            continue
        if not column.is_readable:
            left_out[path] = "not every value is a text"
            continue
        if not column.values or (path == slice_ and not column.is_text):
            continue
        may_be = "may be the label" if path in others else column.why_no_text
        reason = may_be or ("one code per row" if column.is_code else why_left_out(column, rows, label))
        groups = path == slice_ or (path not in sides and path in SLICES) or column.name in _LANGUAGES
        if reason is None and groups:
            reason = "names a group of records"
        if reason:
            left_out[path] = reason
        else:
            found[sides.get(path, 0)].append(path)
    return found, left_out


def _lacks(columns: Mapping[str, Column], document: Sides, card: Sides) -> str | None:
    """The first side of a view that a file has no column of; None where it has one for each."""
    views = {"views.document": document, "views.card": card}
    sides = [(f"{name}.{side}", view[at]) for name, view in views.items() for at, side in ((0, "left"), (1, "right"))]
    lacking = (key for key, fields in sides if fields and not any(path in columns for path in fields))
    return next(lacking, None)


def _labels(roles: Mapping[Path, str], label: str, reading: Reading) -> tuple[FoundLabels, Counter[str]]:
    """Rows per label and whether a row may have several; and role to its labelled rows."""
    found, rows = FoundLabels(), Counter[str]()
    for path, role in roles.items():
        before = found.rows
        found.add(_values(path, reading, LABEL_ROWS), label)
        rows[role] += found.rows - before
    classes, golds = len(found.counts), found.counts.total()
    if not 2 <= classes <= min(MOST_CLASSES, golds / _FEWEST_PER_CLASS):
        do = "name the right column as data.label in a YAML written by hand"
        seen = f"{classes} different values in {golds} rows"
        raise UserError("not the label of a classifier", where=label, found=seen, do=do)
    return found, rows
