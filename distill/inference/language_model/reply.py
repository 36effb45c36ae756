"""From a server's reply to the probability of each label."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from distill.core.errors import UserError
from distill.core.files import Json
from distill.evaluation.metrics import FloatArray
from distill.inference.language_model.naming import AROUND, Naming, folded

_LEAST = 1e-7  # probability of a choice that the server does not list
_CLASH = 0.01  # share of the probability on tokens that two choices begin with, from which on it cannot be divided


class Nonsense(ValueError):
    """A reply that is no answer; the message says why."""


@dataclass(frozen=True)
class Reply:
    """What a server said to one request.

    Attributes:
        text: the answer. tokens: of its first tokens, each alternative as (bytes, natural logarithm of its
            probability), the alternatives of a token together; empty where the server gave none.
        input_tokens, output_tokens: as the server counts them; None where it does not say. model: its own name.
    """

    text: str
    tokens: tuple[tuple[tuple[bytes, float], ...], ...] = ()
    input_tokens: int | None = None
    output_tokens: int | None = None
    model: str | None = None

    @classmethod
    def of(cls, body: bytes) -> Reply:
        """The reply in a response's body. Raises: Nonsense for anything but a chat completion."""
        try:
            found = json.loads(body)
            choice = found["choices"][0]
            text = choice["message"]["content"]
        except (ValueError, RecursionError, LookupError, TypeError):
            raise Nonsense(f"no chat completion: {body[:200].decode(errors='replace')!r}") from None
        if not isinstance(text, str | None):
            raise Nonsense(f"an answer that is no text: {text!r}")
        usage = found.get("usage")
        usage = usage if isinstance(usage, dict) else {}
        model = found.get("model")
        return cls(
            text or "",
            tuple(_alternatives(choice.get("logprobs"))),
            _count(usage.get("prompt_tokens")),
            _count(usage.get("completion_tokens")),
            model if isinstance(model, str) and model else None,
        )

    def as_json(self) -> Json:
        """What is kept of it."""
        tokens = [[[token.hex(), logprob] for token, logprob in one] for one in self.tokens]
        return {"text": self.text, "tokens": tokens}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Reply:
        """The inverse of `as_json`."""
        tokens = [tuple((bytes.fromhex(token), float(logprob)) for token, logprob in one) for one in value["tokens"]]
        return cls(value["text"], tuple(tokens))


@dataclass(frozen=True)
class Answer:
    """Probabilities of the labels, float64 (C,), and whether they are the server's own or of a hard label."""

    probabilities: FloatArray
    soft: bool


class Reader:
    """Reads replies as answers.

    Args: choices: C answers, in the order of the labels. confidence: of a hard label. where: the key in messages.
    """

    def __init__(self, choices: Sequence[str], confidence: float, where: str = "words") -> None:
        self._choices, self._confidence, self._where = list(choices), confidence, where
        self._naming = Naming(choices)
        self._folded = [folded(choice) for choice in choices]
        self._forms = [{choice.encode(), choice.casefold().encode()} for choice in choices]

    def read(self, reply: Reply) -> Answer:
        """What a reply says of its record.

        Where the answer begins with a choice and its first token came with alternatives, p(label) is the sum over
        tokens that only its choice begins with, normalised over the labels. A choice that is not listed has no more
        than the least that is listed, nor than an equal part of what the list leaves over. Otherwise the label that
        the answer names has the declared confidence, and the others share the rest.

        Raises: Nonsense when it names no label, several, or one after a negation; UserError when two choices begin with
        the token that holds the probability, so that it cannot be divided.
        """
        if self._naming.first(reply.text) is not None and (soft := self._soft(reply)) is not None:
            return Answer(soft, True)
        label = self._naming.named(reply.text)
        if label is None:
            raise Nonsense(f"names no label: {reply.text[:200]!r}")
        count = len(self._choices)
        hard = np.full(count, (1 - self._confidence) / max(1, count - 1))
        hard[label] = self._confidence
        return Answer(hard / hard.sum(), False)

    def names_label(self, reply: Reply) -> bool:
        """Whether a reply names one label; otherwise `read` finds no answer in it."""
        return self._naming.named(reply.text) is not None

    def _soft(self, reply: Reply) -> FloatArray | None:
        """Probabilities from the first token of the answer that is no space; None where no choice is listed there."""
        listed = next((one for one in reply.tokens if _trimmed(one[0][0])), None)
        if listed is None:
            return None
        masses, shared, total, least = np.zeros(len(self._choices)), {}, 0.0, 1.0
        for token, logprob in listed:
            mass = math.exp(min(0.0, logprob))
            total, least = total + mass, min(least, mass)
            matching = self._matching(token)
            if len(matching) == 1:
                masses[matching[0]] += mass
            elif matching:
                shared[token] = (mass, matching)
        self._require_apart(shared, float(masses.sum()))
        if not masses.any():
            return None
        missing = masses == 0
        if missing.any():
            masses[missing] = max(_LEAST, min(least, max(0.0, 1 - total) / int(missing.sum())))
        probabilities: FloatArray = masses / masses.sum()
        return probabilities

    def _matching(self, token: bytes) -> list[int]:
        """The choices that a token may be the beginning of, or that it holds whole."""
        trimmed = _trimmed(token)
        if not trimmed:
            return []
        try:
            text = folded(trimmed.decode())
        except UnicodeDecodeError:  # a piece of a character
            return [index for index, forms in enumerate(self._forms) if any(one.startswith(trimmed) for one in forms)]
        text = text.rstrip("-_ ") or text  # `no_` begins `no match`
        whole = [i for i, one in enumerate(self._folded) if re.match(re.escape(one) + r"($|\W)", text)]
        return whole or [index for index, one in enumerate(self._folded) if one.startswith(text)]

    def _require_apart(self, shared: Mapping[bytes, tuple[float, list[int]]], apart: float) -> None:
        together = sum(mass for mass, _ in shared.values())
        if together <= _CLASH * (together + apart):
            return
        token, (_, matching) = max(shared.items(), key=lambda one: one[1][0])
        raise UserError(
            "two label words begin with the same token of this model",
            where=self._where,
            found=f"'{token.decode(errors='replace')}' begins {', '.join(self._choices[index] for index in matching)}",
            do="answer by letters (answer: letters), or give words that begin otherwise; earlier answers are kept",
        )


def _trimmed(token: bytes) -> bytes:
    """A token without spaces and signs before it."""
    try:
        return token.decode().lstrip(AROUND).encode()
    except UnicodeDecodeError:
        return token.lstrip(b" \t\r\n")


def _alternatives(logprobs: Any) -> Iterator[tuple[tuple[bytes, float], ...]]:
    """Of each token that was generated, up to 8, itself and its alternatives; what is malformed is left out."""
    content = logprobs.get("content") if isinstance(logprobs, dict) else None
    for one in content[:8] if isinstance(content, list) else []:
        if not isinstance(one, dict) or (own := _token(one)) is None:
            return
        top = one.get("top_logprobs")
        others = dict(filter(None, map(_token, top if isinstance(top, list) else [])))
        yield (own, *((token, logprob) for token, logprob in others.items() if token != own[0]))


def _token(value: Any) -> tuple[bytes, float] | None:
    if not isinstance(value, dict):
        return None
    text, logprob, raw = value.get("token"), value.get("logprob"), value.get("bytes")
    if not isinstance(text, str) or isinstance(logprob, bool) or not isinstance(logprob, int | float):
        return None
    if not math.isfinite(logprob):
        return None
    try:
        token = bytes(raw) if isinstance(raw, list) else text.encode()
    except (TypeError, ValueError):
        return None
    return token, float(logprob)


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
