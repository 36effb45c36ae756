"""Answers for rows that are in memory: rows that read the same are scored once, rows that cannot be read say why."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from distill.core.files import Json
from distill.core.intake.sources import Row
from distill.core.label_space import scalar_text
from distill.core.rendering import name_at, swapped

if TYPE_CHECKING:
    from export.runtime import Bundle


@dataclass(frozen=True)
class Question:
    """What is asked of each row.

    Attributes: operating_point: of the bundle. key: column by which answers are named in place of `id`. several_files:
        rows without an id are then named by file and line, else by line. fall_through: share of validation whose
        answers are as unsure as those of rows with `send_on`; None: no row has it.
    """

    operating_point: str | None = None
    key: str | None = None
    several_files: bool = False
    fall_through: float | None = None


@dataclass
class Answers:
    """What came of some rows.

    Attributes: answers: `{"id" | "key", "label", "probabilities", "positive"?, "send_on"?}`, in order. rejects:
        `{"file", "line", "id", "reason", "row"}` of rows that cannot be read. without_key: how many rows have an empty
        key; they are not answered.
    """

    answers: list[Json] = field(default_factory=list)
    rejects: list[Json] = field(default_factory=list)
    without_key: int = 0


class BadValue(ValueError):
    """Why a row cannot be answered."""


def answer_rows(model: Bundle, rows: Sequence[Row], question: Question) -> Answers:
    """The answers of a bundle. Rows of one rendered text have one answer, which is computed once."""
    found, names, texts = Answers(), [], []
    asked: dict[Any, Json] = {}
    for row in rows:
        if row.values is None:
            found.rejects.append(_reject(row, str(row.problem), None, row.raw))
            continue
        try:
            name = _name(row, row.values, question)
            if name == "" and question.key is not None:
                found.without_key += 1
                continue
            text = rendered(model, row.values)
        except BadValue as error:
            whole = json.dumps(row.values, default=str)
            name = name_at(row.values, "id")
            found.rejects.append(_reject(row, str(error), row.number if name is None else name, whole))
            continue
        names.append(name)
        texts.append(text)
        asked.setdefault(text, row.values)
    given = model.predict(list(asked.values()), question.operating_point, None, question.fall_through)
    answers = dict(zip(asked, given, strict=True))
    first = "id" if question.key is None else "key"
    found.answers = [{first: name, **answers[text]} for name, text in zip(names, texts, strict=True)]
    return found


def rendered(model: Bundle, values: Json) -> tuple[str | None, ...]:
    """The text that the model reads of a row, left and right; of a symmetric task in both orders.

    Raises: BadValue for a value that is no text, or is no valid Unicode.
    """
    swap, orders = model.before.get("swap"), [values]
    if swap is not None and swap["average"]:
        orders.append(swapped(values, swap["fields"]))
    return tuple(text for one in orders for text in _text(model, one))


def one_value(values: Json, path: str) -> str:
    """The text of a column by which rows belong together, '' for none. Raises: BadValue for what is no single value."""
    value = name_at(values, path)
    if isinstance(value, dict | list | tuple | bytes):
        raise BadValue(f"column '{path}' needs one value, found {type(value).__name__}")
    return "" if value is None else scalar_text(value)


def _text(model: Bundle, values: Json) -> tuple[str, str | None]:
    try:
        left, right = model.renderer.text(values)
        f"{left}{right or ''}".encode()
    except (TypeError, ValueError) as error:  # the tokenizer's own for a lone surrogate is a TypeError
        raise BadValue(_reason(model, values, error)) from None
    return left, right


def _reason(model: Bundle, values: Json, error: Exception) -> str:
    """In the words of the bundle's runtime."""
    try:
        model.encode([values])
    except ValueError as told:
        return str(told).removeprefix("record 0: ")
    return str(error)


def _name(row: Row, values: Json, question: Question) -> Any:
    """The row's id, or its key, '' for none. Raises: BadValue for one that cannot be written."""
    column = question.key or "id"
    name = name_at(values, column) if question.key is None else one_value(values, column)
    if name is None:
        return f"{row.file}:{row.number}" if question.several_files else row.number
    try:
        str(name).encode()
    except UnicodeEncodeError:
        raise BadValue(f"column '{column}' is not valid Unicode (a lone surrogate)") from None
    return name


def _reject(row: Row, reason: str, name: Any, text: str) -> Json:
    return {"file": str(row.file), "line": row.number, "id": name, "reason": reason, "row": text}
