"""Settings and models for the tests of language models."""

from distill.inference.language_model.config import LanguageModelSettings
from distill.inference.language_model.language_model import LanguageModel
from distill.inference.language_model.prompt import Text

LABELS = ("мимо", "рядом", "точно")
TABLE = {
    "ремонт": {"мимо": 0.7, "рядом": 0.2, "точно": 0.1},
    "аналог": {"рядом": 0.6, "точно": 0.3, "мимо": 0.1},
    "купить": {"точно": 0.9, " мимо": 0.06, "рядом": 0.04},
}
PROMPT = "Labels:\n{labels}\n{examples}\nText: {record}\nAnswer {choices}."


def settings(url="http://127.0.0.1:9/v1", **changes):
    values = {"url": url, "model": "тест-7b", "prompt": PROMPT, "back_off_s": 0.01, "tries": 3, "timeout_s": 5}
    return LanguageModelSettings.model_validate(values | changes)


def model(server, answers=None, labels=LABELS, examples=(), **changes):
    return LanguageModel(settings(server.url, **changes), labels, examples, answers, "teachers.llm")


def texts(*words):
    return [Text(f"дрель {number} {word}") for number, word in enumerate(words)]
