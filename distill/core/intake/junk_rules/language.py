"""Texts in a language that is not meant."""

from __future__ import annotations

import re
from copy import copy
from functools import lru_cache
from typing import Annotated, Any, ClassVar

from pydantic import Field, PositiveInt, model_validator

from distill.core.errors import MissingExtra, UserError
from distill.core.intake.junk_rules.rule import Hits, JunkRule, Texts

_WORD = re.compile(r"\b[^\W\d_]+\b")
_NO_LANGUAGE = "zxx"
Codes = Annotated[list[Annotated[str, Field(pattern=r"^[a-z]{2,3}$")]], Field(min_length=1)]


class Language(JunkRule):
    """Fits where p_u / (p_u + p_w) reaches `min_probability`: p_u of the most probable unwanted language, p_w of the
    most probable wanted one.

    Its fields are read as one text, of which only words of letters count, as part numbers and signs have no language.
    Probabilities are those of py3langid, which needs no network: naive Bayes over
    bytes (Lui and Baldwin 2011, "Cross-domain Feature Selection for Language Identification", IJCNLP). Near relatives
    share a text's probability, Russian with Bulgarian, English with Pidgin, so no language is judged by its own alone.
    Titles of names and numbers are near many small languages: `among`, those that occur at all, makes it surer. A text
    that is most probably without language (code zxx) is not junk here.
    """

    name: ClassVar[str] = "language"

    keep: Codes | None = Field(None, description="the languages that are meant, by ISO 639-1; all others are junk")
    drop: Codes | None = Field(None, description="instead of keep: the languages that are junk")
    among: Codes | None = Field(None, description="the languages that a text can have; null: all that py3langid knows")
    min_probability: Annotated[float, Field(gt=0.5, le=1)] = Field(
        0.8, description="least probability that it is the unwanted language, not the likeliest wanted one"
    )
    min_chars: PositiveInt = Field(40, description="texts with fewer characters in words are not judged")
    read_chars: PositiveInt = Field(400, description="characters of words that are read, from the start")

    @model_validator(mode="after")
    def _says_which(self) -> Language:
        if (self.keep is None) == (self.drop is None):
            raise ValueError("keep: name the languages that are meant in keep, or those that are junk in drop")
        named = self.keep or self.drop or []
        if self.among is not None and (unknown := [code for code in named if code not in self.among]):
            raise ValueError(f"among: lacks {', '.join(unknown)}")
        if self.among is not None and set(self.among) == set(named):
            raise ValueError("among: holds no other language, so no text could be told apart")
        return self

    def judge(self, counted: Any) -> Hits:
        """Whether the text is in an unwanted language. Raises: MissingExtra, UserError for a code that is unknown."""
        identifier = _identifier(tuple(self.among) if self.among else None)
        if unknown := sorted({*(self.keep or []), *(self.drop or [])} - set(identifier.labels)):
            raise _unknown(unknown, identifier.labels)
        wanted, unwanted = set(self.keep or ()), set(self.drop or ())

        def hits(texts: Texts) -> bool:
            text = " ".join(word for one in texts for word in _WORD.findall(one))
            if len(text) < self.min_chars:
                return False
            found = identifier.rank(text[: self.read_chars])
            if found[0][0] == _NO_LANGUAGE:
                return False
            best = {True: 0.0, False: 0.0}  # by whether the language is wanted
            for code, probability in found:
                is_wanted = code not in unwanted if unwanted else code in wanted
                best[is_wanted] = max(best[is_wanted], probability)
            return bool(best[False] >= self.min_probability * (best[False] + best[True]))

        return hits


@lru_cache
def _identifier(among: tuple[str, ...] | None) -> Any:
    """py3langid's model for some languages. Raises: UserError for a language that it does not know."""
    identifier = copy(_model())
    if among is not None:
        if unknown := sorted(set(among) - set(identifier.labels)):
            raise _unknown(unknown, identifier.labels)
        identifier.set_languages(list(among))
    return identifier


@lru_cache
def _model() -> Any:
    """py3langid's model, which takes a second to unpack. Raises: MissingExtra."""
    try:
        from py3langid.langid import MODEL_FILE, LanguageIdentifier
    except ImportError:
        raise MissingExtra("a junk rule of kind language", "pools") from None
    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)


def _unknown(codes: list[str], known: list[str]) -> UserError:
    where, listed = "data.junk.rules: a rule of kind language", ", ".join(sorted(known))
    return UserError("unknown language", where=where, found=", ".join(codes), do=f"known: {listed}")
