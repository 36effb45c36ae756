"""Which sides belong to rows that models are judged by: by their key, and by what they say."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping, Sequence

from distill.core.intake.compared_text import side_texts
from distill.core.intake.hashing import digest
from distill.core.project import ViewConfig
from distill.core.records import Record

_MARKS = ("L", "N", "M")  # letters, numbers, and the signs that many scripts write vowels with


def wording(text: str) -> str:
    """The letters and digits of a text as it is compared: `Drill, 750 W` and `drill 750w` are one wording.

    Of a text without any it is the text itself.
    """
    return "".join(sign for sign in text if unicodedata.category(sign)[0] in _MARKS) or text


class HeldOut:
    """Remembers 64-bit hashes of the sides of validation and test rows.

    A key's value alone counts, as it does for splits by keys: one product keeps to one part on either side. So does a
    wording, of the whole card or document side.

    Args: labelled: split to its records. views: those whose sides are compared.
    """

    def __init__(self, labelled: Mapping[str, Sequence[Record]], views: Sequence[ViewConfig]) -> None:
        self._keys: dict[int, str] = {}
        self._wordings: dict[int, str] = {}
        judged = [(split.partition(".")[0], records) for split, records in labelled.items() if split != "train"]
        for split, records in sorted(judged, key=lambda part: part[0], reverse=True):  # a side of both is the test's
            for record in records:
                texts = [text for view in views for text in side_texts(record, view)]
                self._keys.update((digest(key), split) for key in record.keys.values() if key)
                self._wordings.update((digest(wording(text)), split) for text in texts if text)

    def split_of(self, keys: Iterable[str], texts: Iterable[str]) -> str | None:
        """`test` or `valid` where a row of it has one of these keys or says one of these sides; else None."""
        found = [self._keys.get(digest(key)) for key in keys if key]
        found += [self._wordings.get(digest(wording(text))) for text in texts if text]
        return min((split for split in found if split), default=None)
