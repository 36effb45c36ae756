"""From the values of a row to a record, or the reason why there is none."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from math import isnan
from pathlib import Path
from typing import Any

from distill.core.errors import UserError, nearest
from distill.core.intake.hashing import digest
from distill.core.intake.json_rows import BadJson, json_value
from distill.core.label_space import LabelSpace, UnknownLabel, label_name, scalar_text
from distill.core.objectives.objective import Target
from distill.core.project import Project
from distill.core.records import Record
from distill.core.rendering import FieldError, field_text, has_column, lookup

_LISTED_COLUMNS, _LISTED_LABELS = 40, 10
_DEEPEST = 20


class Dropped(Exception):
    """A row that stays out on purpose: junk, duplicate, not sampled. `reason` is what the ledger counts."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class BadRow(Dropped):
    """A row that cannot be used as it is: it goes to quarantine with a detail."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(reason)
        self.detail = detail


def field_paths(project: Project) -> list[str]:
    """The fields of all views, each once, in the views' order."""
    return list(dict.fromkeys(path for view in project.views.values() for path in view.fields))


class RecordReader:
    """Makes records of rows.

    Args: project: names the columns. labelled: the rows need gold; otherwise a label column is never looked at.
    Attributes: required: column path to the config key that names it, of the columns that a file must have. columns:
        all that are read where they are there.
    """

    def __init__(self, project: Project, *, labelled: bool) -> None:
        self._data, self._labelled, self._space = project.data, labelled, project.task.read_space
        self._fields = field_paths(project)
        self.required = _named_columns(project, labelled)
        self.columns = {*self.required, *self._data.keys, *filter(None, [self._data.slice])}

    def read(self, values: Mapping[str, Any]) -> Record:
        """The record of a row's values.

        Raises: BadRow with reason missing_id, wrong_type, missing_label, unknown_label, bad_label or invalid_utf8.
        """
        data = self._data
        fields = {path: _text(values, path) for path in self._fields}
        name = _scalar(values, data.id) if data.id else _content_hash(fields)
        if not name:
            raise BadRow("missing_id", f"column '{data.id}' is null or missing")
        keys = {path: _scalar(values, path) or "" for path in data.keys}
        slice_ = _scalar(values, data.slice) if data.slice else None
        _require_encodable([name, *fields.values(), *keys.values(), slice_ or ""])
        target = _target(lookup(values, data.label), data.label, self._space) if self._labelled else None
        return Record(name, fields, target, slice_ or None, keys)


class ColumnWatch:
    """Finds columns that the config names and that no row of a file has.

    Args: required: column path to the config key that names it.
    Attributes: rows: rows seen.
    """

    def __init__(self, required: Mapping[str, str]) -> None:
        self._required, self._missing, self._known = required, dict(required), dict[str, None]()
        self.rows = 0

    def see(self, values: Mapping[str, Any]) -> None:
        """Look at one row."""
        self.rows += 1
        if self._missing:
            self._missing = {path: key for path, key in self._missing.items() if not has_column(values, path)}
            if len(self._known) < _LISTED_COLUMNS:
                self._known |= dict.fromkeys(columns(values))

    def missing(self) -> list[str]:
        """The columns that no row had."""
        return list(self._missing)

    def require(self, path: Path, ledger: str, optional: Collection[str] = ()) -> None:
        """Raises: UserError naming the missing columns, the config keys, the nearest names and the file's columns.

        Args: ledger: what was dropped so far; '' for nothing. optional: columns that may be missing.
        """
        needed = {name: key for name, key in self._missing.items() if name not in optional}
        if not needed:
            return
        known = list(self._known)
        guesses = [f"'{name}': did you mean '{near}'?" for name in needed if (near := nearest(name, known))]
        listed = ", ".join(known[:_LISTED_COLUMNS])
        raise UserError(
            "no row has " + ", ".join(f"column '{name}' ({key})" for name, key in needed.items()),
            where=str(path),
            found="; ".join(filter(None, [ledger, f"columns {listed}"])),
            do=" ".join([*guesses, "correct the name in the config or add the column"]),
        )


def columns(values: Mapping[str, Any], prefix: str = "", depth: int = _DEEPEST) -> Iterator[str]:
    """The column paths of a row, nested ones joined by dots; below the depth, objects count as values."""
    for name, value in values.items():
        path = f"{prefix}{name}"
        if isinstance(value, dict) and value and depth:
            yield from columns(value, f"{path}.", depth - 1)
        else:
            yield path


def _named_columns(project: Project, labelled: bool) -> dict[str, str]:
    """Column path to the config key that names it. A pool row needs its id and text only."""
    data = project.data
    fields = {path: f"views.{name}" for name, view in reversed(project.views.items()) for path in view.fields}
    if not labelled:
        return ({data.id: "data.id"} if data.id else {}) | fields
    own = (
        ({data.id: "data.id"} if data.id else {})
        | {data.label: "data.label"}
        | ({data.slice: "data.slice"} if data.slice else {})
    )
    return own | dict.fromkeys(data.keys, "data.keys") | fields


def _text(values: Mapping[str, Any], path: str) -> str:
    try:
        return field_text(values, path)
    except FieldError as error:
        raise BadRow("wrong_type", str(error)) from None


def _scalar(values: Mapping[str, Any], path: str) -> str | None:
    value = lookup(values, path)
    if isinstance(value, dict | list | tuple | bytes):
        raise BadRow("wrong_type", f"column '{path}' needs one value, found {type(value).__name__}")
    return None if value is None else scalar_text(value)


def _content_hash(fields: Mapping[str, str]) -> str:
    return f"{digest(*(text.encode(errors='replace').decode() for text in fields.values())):016x}"


def _require_encodable(texts: list[str]) -> None:
    try:
        "".join(texts).encode()
    except UnicodeEncodeError:
        raise BadRow("invalid_utf8", "half of a surrogate pair, which is no character") from None


def _target(gold: Any, column: str, space: LabelSpace) -> Target:
    try:
        gold = gold_value(gold)
    except BadJson as error:
        raise BadRow("bad_label", f"column '{column}': {error}") from None
    if gold is None or (isinstance(gold, str) and not label_name(gold)):
        raise BadRow("missing_label", f"column '{column}' is null or missing")
    try:
        return space.target(gold)
    except ValueError as error:
        reason = "unknown_label" if isinstance(error, UnknownLabel) else "bad_label"
        raise BadRow(reason, f"{error}; task.labels: {_listed(space.labels)}") from None


def _listed(labels: Sequence[str]) -> str:
    more = f" and {len(labels) - _LISTED_LABELS} more" if len(labels) > _LISTED_LABELS else ""
    return ", ".join(labels[:_LISTED_LABELS]) + more


def gold_value(cell: Any) -> Any:
    """Gold as a file has it: votes or a list of labels in a CSV cell are written as JSON, any other text stays.

    Parquet has every name in each row, with null for no vote, or votes as a list of pairs: what is null is left out,
    and None is found where nothing else is there.

    Raises: BadJson for JSON that is not taken.
    """
    gold = _parsed(cell)
    if isinstance(gold, list) and gold and all(isinstance(one, tuple) for one in gold):
        gold = dict(gold)
    if isinstance(gold, dict):
        return {name: count for name, count in gold.items() if not _is_null(count)} or (None if gold else gold)
    if isinstance(gold, list):
        return [name for name in gold if not _is_null(name)] or (None if gold else gold)
    return gold


def _is_null(value: Any) -> bool:
    return value is None or (isinstance(value, float) and isnan(value))


def _parsed(cell: Any) -> Any:
    if not isinstance(cell, str) or cell[:1] not in ("{", "["):
        return cell
    try:
        return json_value(cell)
    except BadJson as error:
        if error.reason == "broken_json":
            return cell
        raise
