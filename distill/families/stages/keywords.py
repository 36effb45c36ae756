"""Keywords: a class is as likely as its words are frequent in the text."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field

from distill.core.errors import UserError
from distill.core.intake.compared_text import compared
from distill.families.family import Lesson, Opening
from distill.families.stages.stage import Answers, Classes, Stage, StageSettings
from distill.inference.scorer import Row

_WORD = re.compile(r"\w+\*?")
_PRIOR = 0.5
Stem = Callable[[str], str]


class Keywords(Stage):
    """p_c = (s_c + ½) / (Σ s + C/2), where s_c is the weight of all matches of the class's keywords.

    Words are compared without case and accents, whole: `bank` is not in `embankment`; `invest*` is any word that begins
    so, and a keyword of several words is matched as a phrase. Half a match of every class is added (Krichevsky &
    Trofimov 1981), so that one match is no certainty and no match says nothing.
    """

    name = "keywords"

    class Settings(StageSettings):
        """The keys of this stage."""

        stemmer: str | None = Field(
            None, description="language whose endings are cut off by the package snowballstemmer: english, russian, …"
        )

    def __init__(self, settings: Any, classes: Classes, folder: Path, how: Opening) -> None:
        super().__init__(settings, classes, folder, how)
        self._stem = stemmer(settings.stemmer)
        self._patterns = [
            [(weight, self._pattern(keyword)) for keyword, weight in words.items()] for words in classes.words.values()
        ]

    @classmethod
    def keep(cls, settings: Any, lesson: Lesson, source: Path | None, folder: Path) -> None:
        """Nothing. Raises: UserError for a stemmer that is not there."""
        stemmer(settings.stemmer)

    def ask(self, rows: Sequence[Row], texts: Sequence[str]) -> Answers:
        """Shares of the matches."""
        scores = np.array([self._scores(text) for text in texts]) + _PRIOR
        return Answers(scores / scores.sum(axis=1, keepdims=True))

    def _scores(self, text: str) -> list[float]:
        read = " ".join(words_of(text, self._stem))
        return [sum(weight * len(pattern.findall(read)) for weight, pattern in own) for own in self._patterns]

    def _pattern(self, keyword: str) -> re.Pattern[str]:
        words = words_of(keyword, self._stem, whole=False)
        if not words:
            raise UserError("a keyword without a letter", where="keywords", found=repr(keyword), do="remove it")
        parts = [f"{re.escape(word[:-1])}\\S*" if word.endswith("*") else re.escape(word) for word in words]
        return re.compile(rf"(?<!\S){' '.join(parts)}(?!\S)")


def words_of(text: str, stem: Stem | None = None, *, whole: bool = True) -> list[str]:
    """The words of a text as they are compared: no case, no accents (ё is е, é is e), no signs, endings cut by `stem`.

    Accents go last, as endings have some: -ый, -ión. Only ё is е before, by `compared`, as the Russian stemmer knows.

    Args: whole: a `*` after a word is a sign like any other; else it stays, and the word is not stemmed.
    """
    composed = _without_marks(unicodedata.normalize("NFC", compared(text)))  # stresses go, й and é are letters
    found = _WORD.findall(composed)
    words = [word.rstrip("*") for word in found] if whole else found
    cut = [word if stem is None or word.endswith("*") else stem(word) for word in words]
    return [unicodedata.normalize("NFC", _without_marks(unicodedata.normalize("NFD", word))) for word in cut]


def _without_marks(text: str) -> str:
    return "".join(sign for sign in text if not unicodedata.combining(sign))


def stemmer(language: str | None) -> Stem | None:
    """What cuts a word's ending off. Raises: UserError without the package, and for a language that it has not."""
    if language is None:
        return None
    where = "stages: keywords.stemmer"
    try:
        import snowballstemmer
    except ImportError:
        what = "stemming needs a package that is not installed"
        raise UserError(what, where=where, found=language, do="pip install snowballstemmer, or write word*") from None
    try:
        cut: Stem = snowballstemmer.stemmer(language).stemWord
    except KeyError:
        known = ", ".join(snowballstemmer.algorithms())
        raise UserError("unknown language", where=where, found=language, do=f"known: {known}") from None
    return cut
