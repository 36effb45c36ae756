"""The texts by which records are compared: sides of a view, whole or as far as a model can read, in one form; hashes.

The form is coarser than what most tokenizers see: texts that differ only in case, in Unicode form, in ё and е, or in
signs that do not show are equal here, as they are for a model that lower-cases and cleans its input. So duplicates and
leaks do not depend on the teacher, and none is missed because of a zero-width space.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache, wraps
from typing import TYPE_CHECKING

from distill.core.intake.hashing import digest
from distill.core.names import folded
from distill.core.records import Record
from distill.core.rendering import shared_room

if TYPE_CHECKING:
    from distill.core.project import ViewConfig

# Controls and format signs: zero-width spaces and joiners, marks of direction, soft hyphens, byte order marks, tags.
_UNSEEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u0600-\u0605\u061c\u06dd\u070f\u180e\u200b-\u200f\u202a-\u202e"
    "\u2060-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
)

_MOST_KEPT = 10_000  # characters


def compared(text: str) -> str:
    """`text` in the form in which texts are compared: NFKC, ё as е, without case and signs that do not show."""
    return _compared_again(text) if len(text) < _MOST_KEPT else _compared(text)


def _compared(text: str) -> str:
    seen = text if text.isprintable() else " ".join(_UNSEEN.sub("", text).split())
    return seen.lower() if seen.isascii() else folded(seen).replace("ё", "е")


_compared_again = lru_cache(maxsize=32)(_compared)  # a record's text is compared as a field, of a view and of a card


def _once_a_record(
    function: Callable[[Record, ViewConfig], tuple[str, str]],
) -> Callable[[Record, ViewConfig], tuple[str, str]]:
    """`function` that keeps what it found for the last record: checks ask for the same texts one after the other."""
    last: tuple[Record, list[tuple[ViewConfig, tuple[str, str]]]] | None = None

    @wraps(function)
    def texts(record: Record, view: ViewConfig) -> tuple[str, str]:
        nonlocal last
        held = last
        if held is None or held[0] is not record:
            last = held = (record, [])
        for own, known in held[1]:
            if own is view:
                return known
        held[1].append((view, found := function(record, view)))
        return found

    return texts


@_once_a_record
def side_texts(record: Record, view: ViewConfig) -> tuple[str, str]:
    """The left and the right side of a view as they are compared, uncut, without the empty fields."""
    return _joined(record, view.left, view), _joined(record, view.right, view)


@_once_a_record
def read_texts(record: Record, view: ViewConfig) -> tuple[str, str]:
    """The left and the right side of a view as they are compared, cut to the most that a model can read of them.

    No tokenizer is known yet. A word has a token or more, so what fits into `max_tokens` and `budgets` in tokens fits
    in words, and texts that are equal up to there are equal to every model; texts that only one tokenizer cuts to the
    same beginning are not found.
    """
    left, right = (_words(record, paths, view) for paths in (view.left, view.right))
    room, windows = view.max_tokens, view.windows.max if view.windows else 1
    if not view.right:
        return " ".join(left[: room * windows]), ""
    # One more of each: which side has the odd token is a matter of tokens.
    keep_left, keep_right = (most + 1 for most in shared_room(len(left), len(right), room))
    return " ".join(left[:keep_left]), " ".join(right[: keep_right * windows])


def text_hash(record: Record) -> int:
    """Hash of all fields of all views, as they are compared."""
    return _digest_again(*map(compared, record.fields.values()))


def text_key(*texts: str) -> int:
    """64-bit hash of the texts; 0 when all of them are empty, which never counts as shared."""
    return _digest_again(*texts) if any(texts) else 0


_digest_again = lru_cache(maxsize=4)(digest)  # a record is looked for by the same few texts in several ways


def compared_part(view: ViewConfig) -> dict[str, list[str] | str]:
    """The part of a view that `side_texts` depends on: the separator only where it joins anything."""
    sides: dict[str, list[str] | str] = {"left": view.left, "right": view.right}
    joins = max(len(view.left), len(view.right)) > 1
    return sides | ({"separator": view.separator} if joins else {})


def read_part(view: ViewConfig) -> dict[str, object]:
    """The part of a view that `read_texts` depends on."""
    bounds = {"max_tokens": view.max_tokens, "budgets": view.budgets, "windows": view.windows and view.windows.max}
    return compared_part(view) | {name: bound for name, bound in bounds.items() if bound}


def _words(record: Record, paths: list[str], view: ViewConfig) -> list[str]:
    texts = ((view.budgets.get(path), record.fields[path]) for path in paths)
    cut = [" ".join(text.split()[:budget]) if budget else text for budget, text in texts if text]
    return compared(view.separator.join(cut)).split()


def _joined(record: Record, paths: list[str], view: ViewConfig) -> str:
    return compared(view.separator.join(text for path in paths if (text := record.fields[path])))
