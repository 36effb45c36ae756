"""Values that the fields of junk rules refuse; a part of the table of `test_project.py`."""

from __future__ import annotations

from typing import Any

from distill.core.config import Config
from distill.core.intake.junk_rules.boilerplate import Boilerplate
from distill.core.intake.junk_rules.characters import Characters
from distill.core.intake.junk_rules.language import Language
from distill.core.intake.junk_rules.length import Length
from distill.core.intake.junk_rules.missing import Missing
from distill.core.intake.junk_rules.regex import Regex
from distill.core.intake.junk_rules.repeated_lines import RepeatedLines
from distill.core.intake.junk_rules.repeated_words import RepeatedWords
from distill.core.intake.junk_rules.rule import JunkRule
from distill.core.intake.junk_rules.url import Url

RULES: list[type[JunkRule]] = [
    Boilerplate, Characters, Language, Length, Missing, Regex, RepeatedLines, RepeatedWords, Url,
]  # fmt: skip
MODULES = tuple(rule.__module__ for rule in RULES)
COMMON: dict[str, Any] = {"kind": 5, "fields": [], "sources": [], "action": "keep"}
NEEDED: dict[type[Config], dict[str, Any]] = {
    Boilerplate: {"kind": "boilerplate"},
    Characters: {"kind": "characters", "of": "other_script", "scripts": ["latin"], "max_share": 0.5},
    Language: {"kind": "language", "keep": ["de"]},
    Length: {"kind": "length", "min_chars": 5},
    Missing: {"kind": "missing", "fields": ["page.title"]},
    Regex: {"kind": "regex", "patterns": "spam"},
    RepeatedLines: {"kind": "repeated_lines"},
    RepeatedWords: {"kind": "repeated_words"},
    Url: {"kind": "url", "fields": ["page.url"], "hosts": ["example.com"]},
}
_OWN: dict[type[Config], dict[str, Any]] = {
    Boilerplate: {"parts": "sides", "words": 0, "rows": 1, "share": 0, "top": 10},
    Characters: {"of": "vowels", "scripts": ["runes"], "min_share": 2, "max_share": -1, "min_chars": 0},
    Language: {
        "keep": ["German"],
        "drop": [],
        "among": ["de", "German"],
        "min_probability": 0.5,
        "min_chars": 0,
        "read_chars": 0,
    },
    Length: {"min_chars": -1, "max_chars": 0, "min_words": -1, "max_words": 0},
    Missing: {"when": "some"},
    Regex: {"patterns": ["("]},
    RepeatedLines: {"max_share": 1, "min_lines": 1},
    RepeatedWords: {"min_distinct": 0, "min_words": 0},
    Url: {"hosts": ["https://example.com/"], "paths": ["search"]},
}
REJECTED: dict[type[Config], dict[str, Any]] = {rule: {**COMMON, **_OWN[rule]} for rule in RULES}
