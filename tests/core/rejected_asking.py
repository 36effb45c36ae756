"""What the settings of a language model refuse: a part of the table of `test_project.py`."""

from __future__ import annotations

from typing import Any

from distill.core.config import Config
from distill.inference.language_model.config import Asking, Example, LanguageModelSettings, Spend

MODULES = ("distill.inference.language_model.config",)
NEEDED: dict[type[Config], dict[str, Any]] = {
    Example: {"record": "a", "label": "да"},
    LanguageModelSettings: {"url": "http://localhost/v1", "model": "a", "prompt": "{record}"},
}
_ASKING: dict[str, Any] = {
    "key_from": "a key",
    "parallel": 0,
    "timeout_s": 0,
    "tries": 0,
    "back_off_s": 0,
    "max_failed": 2,
    "spend": 5,
}
REJECTED: dict[type[Config], dict[str, Any]] = {
    Spend: {"limit": 0, "per_million_input": -1, "per_million_output": -1},
    Example: {"record": "", "label": ""},
    Asking: _ASKING,
    LanguageModelSettings: {
        **_ASKING,
        "url": "localhost:8000",
        "model": "",
        "system": 5,
        "prompt": "without its text",
        "example": "{label}",
        "examples": -1,
        "seed": -1,
        "answer": "numbers",
        "words": ["да"],
        "top_logprobs": -1,
        "confidence": 1,
        "max_tokens": 0,
        "parameters": {"stream": True},
    },
}
