"""What a language model is asked, and how: server, prompt, answers, patience, money."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal, cast

from pydantic import (
    Field,
    JsonValue,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    field_validator,
    model_validator,
)

from distill.core.config import Config
from distill.core.errors import hint
from distill.inference.language_model.naming import folded

PLACES = ("record", "left", "right", "labels", "choices", "examples")
STAND_IN = "stand-in:"
"""The url of a server that is none: answers are drawn, for plans that are only performed to be timed."""

_PLACE = re.compile(r"\{(\w+)\}")
_MOST = "max_completion_tokens"  # among the parameters it takes the place of max_tokens


def _deterministic() -> dict[str, JsonValue]:
    return {"temperature": 0}


class Spend(Config):
    """What requests may cost, in the currency of the prices."""

    limit: PositiveFloat | None = Field(None, description="most that a run spends on this model; null: no limit")
    per_million_input: NonNegativeFloat = Field(0.0, description="price of a million tokens that are sent")
    per_million_output: NonNegativeFloat = Field(0.0, description="price of a million tokens that are answered")

    @model_validator(mode="after")
    def _counts_what_it_limits(self) -> Spend:
        prices = {"per_million_input", "per_million_output"}
        if self.limit is not None and (missing := sorted(prices - self.model_fields_set)):
            raise ValueError(
                f"limit: without {' and '.join(missing)} it counts too little; give both prices, 0 for none"
            )
        return self

    def cost(self, input_tokens: int, output_tokens: int) -> float:
        """What so many tokens cost."""
        return (input_tokens * self.per_million_input + output_tokens * self.per_million_output) / 1e6


class Example(Config):
    """A record with its label, shown in the prompt."""

    record: str = Field(min_length=1, description="the text, as a record would be rendered")
    label: str = Field(min_length=1, description="its label, a name of the task")


class Asking(Config):
    """How requests are made: nothing here changes an answer."""

    key_from: str | None = Field(
        None, pattern=r"^[A-Za-z_]\w*$", description="environment variable with the server's key; null: no key is sent"
    )
    parallel: Annotated[int, Field(ge=1, le=256)] = Field(8, description="requests at a time")
    timeout_s: PositiveFloat = Field(60.0, description="seconds without a byte after which a request is tried again")
    tries: PositiveInt = Field(6, description="times that a request is made before its record has no answer")
    back_off_s: PositiveFloat = Field(1.0, description="seconds before the second try, doubled for each further one")
    max_failed: float = Field(0.02, ge=0, le=1, description="share of records without an answer that ends the run")
    spend: Spend = Field(default_factory=Spend)


class LanguageModelSettings(Asking):
    """Everything about a language model that labels."""

    url: str = Field(description="address of the server up to /chat/completions, for example http://localhost:8000/v1")
    model: str = Field(min_length=1, description="name of the model at the server")
    system: str | None = Field(None, description="system message; null: none")
    prompt: str = Field(description="what is asked; {record}, {labels}, {choices}, {examples} stand for their texts")
    example: str = Field(
        "Text: {record}\nAnswer: {answer}\n", description="an example as it is shown in place of {examples}"
    )
    examples: NonNegativeInt | list[Example] = Field(
        0, description="how many training rows the prompt shows, or examples of your own"
    )
    seed: NonNegativeInt = Field(1, description="which training rows are drawn as examples")
    answer: Literal["words", "letters"] = Field("words", description="answer by the label's word, or by A, B, C …")
    words: dict[str, str] = Field(default_factory=dict, description="word of a label; the label's name by default")
    top_logprobs: int = Field(
        20, ge=0, le=100, description="tokens whose probabilities are asked for; 0: labels are hard"
    )
    confidence: float = Field(
        0.9,
        gt=0,
        lt=1,
        description="probability of a label that comes without any; the others share the rest",
    )
    max_tokens: PositiveInt = Field(8, description="most tokens of an answer")
    parameters: dict[str, JsonValue] = Field(
        default_factory=_deterministic, description="further keys of a request, as the server knows them"
    )

    @field_validator("url")
    @classmethod
    def _plain(cls, url: str) -> str:
        if not re.fullmatch(r"https?://[^\s/?#@]+(/[^\s?#@]*)?", url):
            raise ValueError("needs http:// or https://, a host and a path, without user, key or query (see key_from)")
        return url.rstrip("/").removesuffix("/chat/completions")

    @field_validator("prompt")
    @classmethod
    def _shows_the_record(cls, prompt: str) -> str:
        _require_places(prompt, PLACES)
        if not set(_PLACE.findall(prompt)) & {"record", "left", "right"}:
            raise ValueError("{record} is missing, the place of the record's text")
        return prompt

    @field_validator("example")
    @classmethod
    def _shows_the_answer(cls, example: str) -> str:
        _require_places(example, ("record", "answer"))
        return example

    @field_validator("parameters")
    @classmethod
    def _no_key_twice(cls, parameters: dict[str, Any]) -> dict[str, Any]:
        own = {"messages": "prompt", "logprobs": "top_logprobs"}
        own |= {key: key for key in ("model", "max_tokens", "top_logprobs")}
        for key in parameters:
            if key in own:
                raise ValueError(f"'{key}' is set by {own[key]}")
            if key in ("stream", "n"):
                raise ValueError(f"'{key}' cannot be changed: one whole answer is read")
        most = parameters.get(_MOST, 1)
        if isinstance(most, bool) or not isinstance(most, int) or most < 1:
            raise ValueError(f"'{_MOST}' needs a whole number of at least 1")
        return parameters

    @property
    def output_limit(self) -> dict[str, int]:
        """The most tokens of an answer, under the key of a request by which this server knows it."""
        if _MOST in self.parameters:
            return {_MOST: cast(int, self.parameters[_MOST])}
        return {"max_tokens": self.max_tokens}

    @property
    def most_output(self) -> int:
        """The most tokens of an answer."""
        return next(iter(self.output_limit.values()))

    def asked(self) -> dict[str, Any]:
        """What answers depend on, as far as it differs from its default, as JSON values."""
        return self.as_fingerprint(*Asking.model_fields)


def problems(settings: LanguageModelSettings, labels: tuple[str, ...], several: bool) -> Iterator[str]:
    """What of the settings does not go with a task's labels; each line begins with the key.

    Args: several: whether a record may have several labels.
    """
    if several:
        yield "family: a language model answers with one label, and records of this task may have several"
    for label in settings.words:
        if label not in labels:
            yield f"words: unknown label '{label}', {hint(label, labels)}"
    if isinstance(settings.examples, list):
        for one in settings.examples:
            if one.label not in labels:
                yield f"examples: unknown label '{one.label}', {hint(one.label, labels)}"
    if settings.answer == "letters":
        if len(labels) > 26:
            yield f"answer: there are {len(labels)} labels and 26 letters; use answer: words"
        return
    words = [folded(settings.words.get(label, label)) for label in labels]
    for number, word in enumerate(words):
        if not word.strip():
            yield f"words: label '{labels[number]}' has an empty word"
        for other in words[:number]:
            if word.startswith(other) or other.startswith(word):
                yield f"words: '{other}' and '{word}' begin alike; give other words, or answer: letters"


def _require_places(text: str, known: tuple[str, ...]) -> None:
    for name in _PLACE.findall(text):
        if name not in known:
            raise ValueError(f"unknown place {{{name}}}, {hint(name, known)}")
