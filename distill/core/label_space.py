"""The classes of a task, in their one order."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from distill.core.objectives.objective import Objective, Target
from distill.core.objectives.single_label import SINGLE

_MOST_VOTES = 10**9
_WHOLE = re.compile(r"^(-?\d+)\.0+$")
_ZERO_WIDTH = dict.fromkeys((0xAD, 0x200B, 0x2060, 0xFEFF))


class UnknownLabel(ValueError):
    """A label that the task has not. Attributes: name: the label."""

    def __init__(self, name: str) -> None:
        super().__init__(f"unknown label '{name}'")
        self.name = name


@dataclass(frozen=True)
class LabelSpace:
    """Labels in order, what is decided about them, and which one is the positive class."""

    labels: tuple[str, ...]
    objective: Objective = SINGLE
    positive: str | None = None
    ordered: bool = False

    def __len__(self) -> int:
        """C, the number of classes."""
        return len(self.labels)

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the K outputs of a model's head, in the order of its logits (N, K)."""
        return self.objective.outputs(self.labels)

    @property
    def positive_index(self) -> int | None:
        """Column of the positive class, None where the task names none."""
        return None if self.positive is None else self.labels.index(self.positive)

    def target(self, gold: Any) -> Target:
        """Gold as a float32 (C,) vector: one-hot for a name, shares for votes `{label: count}`, 0/1 for several names.

        Raises: UnknownLabel; ValueError naming the empty vote, or the wrong type.
        """
        if isinstance(gold, Mapping):
            return self._votes(gold)
        if isinstance(gold, list | tuple):
            if not self.objective.several:
                raise ValueError("a list of labels needs task.kind: multi")
            return self._one_hot([label_name(name) for name in gold])
        return self._one_hot([label_name(gold)])

    def _one_hot(self, names: list[str]) -> Target:
        vector = np.zeros(len(self.labels), np.float32)
        for name in names:
            vector[self._index(name)] = 1.0
        return vector

    def _votes(self, votes: Mapping[Any, Any]) -> Target:
        vector = np.zeros(len(self.labels), np.float32)
        for name, count in votes.items():
            if isinstance(count, bool) or not isinstance(count, int | float) or not 0 <= count <= _MOST_VOTES:
                raise ValueError(f"vote for '{name}' is not a number from 0 to {_MOST_VOTES:,}: {str(count)[:40]}")
            vector[self._index(label_name(name))] = count
        return self.objective.vote_target(vector)

    def _index(self, name: str) -> int:
        """The column of a label, also where a table has written the number 1 as 1.0, or true as True."""
        place = self._places.get(name, self._places.get(plain_form(name)))
        if place is None:
            raise UnknownLabel(name)
        return place

    @cached_property
    def _places(self) -> dict[str, int]:
        """Column of each label, under its plain form too where that is no other label."""
        plain = {plain_form(label): place for place, label in reversed([*enumerate(self.labels)])}
        return plain | {label: place for place, label in enumerate(self.labels)}


def plain_form(name: str) -> str:
    """The label that a table may have written otherwise: 1 for 1.0, true for True."""
    return name.lower() if name in ("True", "False") else _WHOLE.sub(r"\1", name)


def label_name(value: Any) -> str:
    """A label as text, in the one form in which labels are compared: NFC, white space squeezed, no zero-width spaces.

    Case counts. Values that are no text are named as `scalar_text` writes them.
    """
    text = scalar_text(value)
    if not text.isascii():
        text = unicodedata.normalize("NFC", text.translate(_ZERO_WIDTH))
    return " ".join(text.split())


def scalar_text(value: Any) -> str:
    """A value as text: JSON booleans as `true` and `false`, whole floats without a fraction, the rest by `str`."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)
