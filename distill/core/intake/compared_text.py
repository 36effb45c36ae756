"""The texts by which records are compared: whole sides of a view, before any cut, in one form; and their hashes.

The form is coarser than what most tokenizers see: texts that differ only in case, in Unicode form or in signs that do
not show are equal here, as they are for a model that lower-cases and cleans its input. So duplicates and leaks do not
depend on the teacher, and none is missed because of a zero-width space.
"""

from __future__ import annotations

import re

from distill.core.intake.hashing import digest
from distill.core.names import folded
from distill.core.project import ViewConfig
from distill.core.records import Record

# Controls and format signs: zero-width spaces and joiners, marks of direction, soft hyphens, byte order marks, tags.
_UNSEEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u0600-\u0605\u061c\u06dd\u070f\u180e\u200b-\u200f\u202a-\u202e"
    "\u2060-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
)


def compared(text: str) -> str:
    """`text` in the form in which texts are compared: NFKC, without case and signs that do not show."""
    seen = text if text.isprintable() else " ".join(_UNSEEN.sub("", text).split())
    return seen.lower() if seen.isascii() else folded(seen)


def side_texts(record: Record, view: ViewConfig) -> tuple[str, str]:
    """The left and the right side of a view as they are compared, uncut, without the empty fields."""
    return _joined(record, view.left, view), _joined(record, view.right, view)


def text_hash(record: Record) -> int:
    """Hash of all fields of all views, as they are compared."""
    return digest(*map(compared, record.fields.values()))


def text_key(*texts: str) -> int:
    """64-bit hash of the texts; 0 when all of them are empty, which never counts as shared."""
    return digest(*texts) if any(texts) else 0


def compared_part(view: ViewConfig) -> dict[str, list[str] | str]:
    """The part of a view that `side_texts` depends on: the separator only where it joins anything."""
    sides: dict[str, list[str] | str] = {"left": view.left, "right": view.right}
    joins = max(len(view.left), len(view.right)) > 1
    return sides | ({"separator": view.separator} if joins else {})


def _joined(record: Record, paths: list[str], view: ViewConfig) -> str:
    return compared(view.separator.join(text for path in paths if (text := record.fields[path])))
