"""Which of the choices an answer names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

AROUND = " \t\r\n▁Ġ\"'`*_#([{«“"
"""What may come before an answer that begins with a choice."""

_WORD = r"[^\W_]"
_BETWEEN_WORDS = re.compile(rf"(?<={_WORD})(?:[-_\u2010\u2011]+|\s+)(?={_WORD})")
_NEGATIONS = "no|not|non|never|neither|nor|cannot|не|нет|ни"
_NEGATION = re.compile(rf"(?<!{_WORD})(?:{_NEGATIONS})(?!{_WORD})|n['’]t(?!{_WORD})")


@dataclass(frozen=True)
class _Place:
    """Where a choice is in an answer: characters `start` up to `end`."""

    choice: int
    start: int
    end: int

    def lies_in(self, other: _Place) -> bool:
        """Whether it is a part of a longer one, as `match` is of `no match`."""
        return other.start <= self.start and self.end <= other.end and self.end - self.start < other.end - other.start


def folded(text: str) -> str:
    """A text as choices and answers are compared: without case, and one blank for what divides words.

    So `no_match`, `No-match` and `no match` are one.
    """
    return _BETWEEN_WORDS.sub(" ", text.casefold())


class Naming:
    """Finds choices in answers. Args: choices: C answers, in the order of the labels."""

    def __init__(self, choices: Sequence[str]) -> None:
        letters = all(re.fullmatch("[A-Z]", choice) for choice in choices)
        # A letter is also a word, as `A` is: it counts at the beginning alone, and before a sign.
        self._anywhere, self._fold = not letters, str.casefold if letters else folded
        end = r"(?=\s*($|[^\w\s]))" if letters else rf"(?!{_WORD})"
        self._choices = [re.compile(rf"(?<!{_WORD}){re.escape(self._fold(choice))}{end}") for choice in choices]

    def first(self, answer: str) -> int | None:
        """The choice that an answer begins with, the longest of several."""
        text = self._fold(answer)
        return _only({place.choice for place in self._places(text) if not text[: place.start].strip(AROUND)})

    def named(self, answer: str) -> int | None:
        """The choice that an answer begins with, or the only one that is in it, unless a negation comes before it."""
        first = self.first(answer)
        if first is not None or not self._anywhere:
            return first
        text = self._fold(answer)
        places = self._places(text)
        if places and _NEGATION.search(text[: min(place.start for place in places)]):
            return None
        return _only({place.choice for place in places})

    def _places(self, text: str) -> list[_Place]:
        """Where choices are words of their own, and no part of a longer choice."""
        found = [
            _Place(number, one.start(), one.end())
            for number, choice in enumerate(self._choices)
            for one in choice.finditer(text)
        ]
        return [place for place in found if not any(place.lies_in(other) for other in found)]


def _only(found: set[int]) -> int | None:
    return found.pop() if len(found) == 1 else None
