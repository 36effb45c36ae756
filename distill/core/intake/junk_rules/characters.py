"""Texts with too many or too few digits, letters or signs, or letters of a script that is not meant."""

from __future__ import annotations

import re
import sys
import unicodedata
from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import groupby
from typing import Any, ClassVar, Literal

from pydantic import Field, PositiveInt, model_validator

from distill.core.config_values import Share
from distill.core.intake.junk_rules.rule import Hits, JunkRule, Texts

Script = Literal[
    "latin", "cyrillic", "greek", "armenian", "georgian", "hebrew", "arabic", "devanagari", "bengali", "tamil",
    "telugu", "thai", "hangul", "hiragana", "katakana", "cjk",
]  # fmt: skip
_Count = Callable[[Sequence[str]], int]
_LETTERS = re.compile(r"[^\W\d_]+")
_CLASSES = {"digits": re.compile(r"\d+"), "letters": _LETTERS, "punctuation": re.compile(r"(?:[^\w\s]|_)+")}


class Characters(JunkRule):
    """Fits where a class of characters has a share outside its limits, over all its fields together.

    Digits, letters and punctuation (all that is neither, such as signs and emoji) are counted among the characters that
    are no white space, `other_script` among the letters. A letter's script is the first word of its Unicode name.
    """

    name: ClassVar[str] = "characters"

    of: Literal["digits", "letters", "punctuation", "other_script"] = Field(
        description="the class that is counted; other_script: letters of none of `scripts`"
    )
    scripts: list[Script] = Field(default_factory=list, description="scripts that are meant, of other_script")
    min_share: Share = Field(0.0, description="a smaller share is junk")
    max_share: Share = Field(1.0, description="a larger share is junk")
    min_chars: PositiveInt = Field(
        10,
        description="texts of fewer characters, white space apart, are not judged; of other_script: of fewer letters",
    )

    @model_validator(mode="after")
    def _fits_some_rows(self) -> Characters:
        if (self.of == "other_script") != bool(self.scripts):
            raise ValueError("scripts: name the scripts that are meant, with of: other_script alone")
        if self.min_share == 0 and self.max_share == 1:
            raise ValueError("max_share: with shares from 0 to 1 the rule fits no row; lower it, or raise min_share")
        if self.min_share > self.max_share:
            raise ValueError(f"min_share: {self.min_share} is above max_share, {self.max_share}")
        return self

    def judge(self, counted: Any) -> Hits:
        """Whether the share is outside its limits."""
        if self.of == "other_script":
            whole, part = _counter(_LETTERS), _counter(_other_letters(tuple(self.scripts)))
            if "latin" in self.scripts:
                part = _beyond_ascii(part)
        else:
            whole, part = _no_space, _counter(_CLASSES[self.of])

        def hits(texts: Texts) -> bool:
            if (chars := whole(texts)) < self.min_chars:
                return False
            return not self.min_share <= part(texts) / chars <= self.max_share

        return hits


def _counter(pattern: re.Pattern[str]) -> _Count:
    """How many characters of texts a pattern takes."""
    return lambda texts: sum(sum(map(len, pattern.findall(text))) for text in texts)


def _beyond_ascii(count: _Count) -> _Count:
    """A count that is 0 for ASCII, without looking at it."""
    return lambda texts: count([text for text in texts if not text.isascii()])


def _no_space(texts: Sequence[str]) -> int:
    return sum(sum(map(len, text.split())) for text in texts)


@lru_cache
def _other_letters(scripts: tuple[str, ...]) -> re.Pattern[str]:
    """Runs of letters whose names do not begin with one of the scripts."""
    starts = tuple(f"{script.upper()} " for script in scripts)
    code = [
        point
        for point in range(sys.maxunicode + 1)
        if (sign := chr(point)).isalpha() and not unicodedata.name(sign, "").startswith(starts)
    ]
    runs = [list(run) for _, run in groupby(enumerate(code), key=lambda item: item[1] - item[0])]
    return re.compile("[" + "".join(f"{_sign(run[0][1])}-{_sign(run[-1][1])}" for run in runs) + "]+")


def _sign(point: int) -> str:
    return f"\\U{point:08x}"
