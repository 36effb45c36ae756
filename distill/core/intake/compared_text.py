"""The texts by which records are compared: whole sides of a view, before any cut, and their hashes."""

from __future__ import annotations

from distill.core.intake.hashing import digest
from distill.core.project import ViewConfig
from distill.core.records import Record


def side_texts(record: Record, view: ViewConfig) -> tuple[str, str]:
    """The left and the right side of a view, uncut, without the empty fields."""
    return _joined(record, view.left, view), _joined(record, view.right, view)


def text_key(*texts: str) -> int:
    """64-bit hash of the texts; 0 when all of them are empty, which never counts as shared."""
    return digest(*texts) if any(texts) else 0


def compared_part(view: ViewConfig) -> dict[str, list[str] | str]:
    """The part of a view that `side_texts` depends on: the separator only where it joins anything."""
    sides: dict[str, list[str] | str] = {"left": view.left, "right": view.right}
    joins = max(len(view.left), len(view.right)) > 1
    return sides | ({"separator": view.separator} if joins else {})


def _joined(record: Record, paths: list[str], view: ViewConfig) -> str:
    return view.separator.join(text for path in paths if (text := record.fields[path]))
