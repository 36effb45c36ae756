"""From a record's text to the messages of a request."""

from __future__ import annotations

import re
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from distill.core.files import Json, sha256_json
from distill.inference.language_model.config import LanguageModelSettings

_PLACE = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True)
class Text:
    """A record as it is shown: one or two rendered sides."""

    left: str
    right: str | None = None

    @property
    def whole(self) -> str:
        """Both sides, one under the other; '' where there is nothing to read."""
        return "\n".join(side for side in (self.left, self.right) if side)


@dataclass(frozen=True)
class Shown:
    """An example of the prompt.

    Attributes: text: of the record, as `Text.whole`. label: its column. exchanged: the text of the record with the
        fields of `task.swap` exchanged; None without them.
    """

    text: str
    label: int
    exchanged: str | None = None

    def is_of(self, text: Text) -> bool:
        """Whether a text is the example itself, in either order."""
        return text.whole in (self.text, self.exchanged)

    def as_json(self) -> list[str | int]:
        """The values to make it of again."""
        return [self.text, self.label, *([] if self.exchanged is None else [self.exchanged])]


class Prompt:
    """What a language model is asked about each record.

    Args: labels: C names. examples: shown in the prompt, in this order.
    Attributes: choices: the C answers that it may give, in the order of the labels.
    """

    def __init__(self, settings: LanguageModelSettings, labels: Sequence[str], examples: Sequence[Shown] = ()) -> None:
        self._settings, self._examples = settings, examples
        letters = string.ascii_uppercase
        names = [settings.words.get(label, label) for label in labels]
        by_letter = settings.answer == "letters"
        self.choices: tuple[str, ...] = tuple(letters[: len(names)] if by_letter else names)
        lines = [
            f"{choice}. {name}" if by_letter else f"- {name}" for choice, name in zip(self.choices, names, strict=True)
        ]
        self._fixed = {"labels": "\n".join(lines), "choices": _listed(self.choices)}
        self._body = {
            **settings.parameters,
            "model": settings.model,
            **settings.output_limit,
            **({"logprobs": True, "top_logprobs": settings.top_logprobs} if settings.top_logprobs else {}),
        }

    def request(self, text: Text) -> Json:
        """The body of the request about a record.

        A record that is an example itself, in either order of `task.swap`, is asked without it, so that its answer is
        never in its prompt.
        """
        shown = [self._example(one) for one in self._examples if not one.is_of(text)]
        places = {**self._fixed, "examples": "\n".join(shown), "record": text.whole}
        places |= {"left": text.left, "right": text.right or ""}
        system = [] if self._settings.system is None else [{"role": "system", "content": self._settings.system}]
        return {**self._body, "messages": [*system, {"role": "user", "content": filled(self._settings.prompt, places)}]}

    def _example(self, one: Shown) -> str:
        return filled(self._settings.example, {"record": one.text, "answer": self.choices[one.label]})


def filled(template: str, places: Mapping[str, str]) -> str:
    """A template with each `{name}` replaced in one pass, so that braces in a text stay what they are."""
    return _PLACE.sub(lambda found: places.get(found[1], found[0]), template).strip()


def request_key(request: Json) -> str:
    """What an answer is stored under: the hash of model, prompt, text and parameters, wherever the server is."""
    return sha256_json(request)


def request_bytes(request: Json) -> int:
    """The most tokens that a request's messages can be: bytes of their texts, and some around each message."""
    return sum(len(message["content"].encode()) + 16 for message in request["messages"])


def _listed(choices: Sequence[str]) -> str:
    return f"{', '.join(choices[:-1])} or {choices[-1]}" if len(choices) > 1 else choices[0]
