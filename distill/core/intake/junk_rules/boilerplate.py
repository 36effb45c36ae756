"""Texts that are mostly what many rows of their source say: menus, footers, notices, templates."""

from __future__ import annotations

from functools import lru_cache
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, PositiveInt, model_validator

from distill.core.intake.common_parts import Keys, Tally
from distill.core.intake.hashing import digest
from distill.core.intake.junk_rules.rule import Hits, JunkRule, Texts
from distill.core.intake.line_texts import lines_of

_FACTOR = np.uint64(0x9E3779B97F4A7C15)  # odd, so that no word of a run is multiplied away


class Boilerplate(JunkRule):
    """Fits where a large share of a row's parts, its lines or its runs of words, is in many rows of its source.

    A first pass over the source counts in how many rows each part is; see `Tally` for what it keeps. Parts are compared
    without case and by 64-bit hashes. A source of made pairs cannot be counted first, and is not judged.
    """

    name: ClassVar[str] = "boilerplate"
    lines: ClassVar[bool] = True

    parts: Literal["lines", "runs"] = Field("runs", description="what is counted: lines, or runs of words")
    words: PositiveInt = Field(5, description="words of a run; texts of fewer are not judged")
    rows: Annotated[int, Field(ge=2)] = Field(20, description="a part in so many rows of the source is boilerplate")
    share: Annotated[float, Field(gt=0, le=1)] = Field(
        0.6, description="junk from this share of boilerplate on, among all parts of a row"
    )
    top: Annotated[int, Field(ge=1000, le=100_000_000)] = Field(
        2_000_000, description="most frequent parts that are counted, 16 bytes each; rarer ones are forgotten"
    )

    @model_validator(mode="after")
    def _runs_alone_have_words(self) -> Boilerplate:
        if self.parts == "lines" and "words" in self.model_fields_set:
            raise ValueError("words: of runs alone; remove it, or set parts: runs")
        return self

    def counting(self) -> _Parts:
        """Counts the parts of a source."""
        return _Parts(self)

    def judge(self, counted: Any) -> Hits:
        """Whether the share of common parts is reached. Args: counted: None for rows that cannot be counted first."""
        if counted is None:
            return lambda texts: False
        common = counted.tally.common(self.rows)

        def hits(texts: Texts) -> bool:
            keys = self.keys(texts)
            return bool(len(keys)) and bool(_among(keys, common).mean() >= self.share)

        return hits

    def keys(self, texts: Texts) -> Keys:
        """Hashes of the parts of a row, uint64 (N,), repeated ones too."""
        if self.parts == "lines":
            return np.array([_hash(line) for text in texts for line in lines_of(text)], np.uint64)
        found = [_runs(" ".join(lines_of(text)).split(), self.words) for text in texts if text]
        return np.concatenate(found) if found else np.zeros(0, np.uint64)


class _Parts:
    def __init__(self, rule: Boilerplate) -> None:
        self._rule, self.tally = rule, Tally(rule.top)

    def add(self, texts: Texts) -> None:
        """Count the parts of one row, each once."""
        self.tally.add(np.unique(self._rule.keys(texts)))

    def facts(self) -> dict[str, int]:
        """How many parts are boilerplate, and by how many rows their counts may be too low."""
        return {"common_parts": len(self.tally.common(self._rule.rows)), "rows_missed_at_most": self.tally.missed}


def _among(keys: Keys, common: Keys) -> NDArray[np.bool_]:
    """Which keys (N,) are among the sorted ones; numpy's own isin would sort them anew for each row."""
    if not len(common):
        return np.zeros(len(keys), np.bool_)
    places = np.minimum(np.searchsorted(common, keys), len(common) - 1)
    return np.asarray(common[places] == keys, np.bool_)


def _runs(words: list[str], length: int) -> NDArray[np.uint64]:
    """Hashes of all runs of `length` words, uint64 (N - length + 1,): Σ word_i · factor^(length - i), modulo 2⁶⁴."""
    if len(words) < length:
        return np.zeros(0, np.uint64)
    hashes = np.array([_hash(word) for word in words], np.uint64)
    count = len(words) - length + 1
    found = np.zeros(count, np.uint64)
    for place in range(length):
        found = found * _FACTOR + hashes[place : place + count]
    return found


@lru_cache(1 << 17)
def _hash(text: str) -> int:
    return digest(text)
