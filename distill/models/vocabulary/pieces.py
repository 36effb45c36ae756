"""What each kind of tokenizer needs beside the tokens that were seen, so that any text can still be read."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Set
from typing import Any, ClassVar

from distill.core.siblings import sibling
from distill.models import vocabulary

Model = Mapping[str, Any]
"""The `model` of a tokenizer.json."""
_BYTE = re.compile(r"<0x[0-9A-Fa-f]{2}>")  # a piece that stands for one byte of a character without a piece


class Pieces(ABC):
    """One kind of model in a tokenizer.json.

    A text all of whose tokens are kept must be read as before. That holds where the kept pieces hold every piece that
    took part in reading it, and each kind says which these are.

    Attributes: name: the model's `type`.
    """

    name: ClassVar[str]

    @abstractmethod
    def ids(self, model: Model) -> dict[str, int]:
        """Every piece with its id."""

    @abstractmethod
    def needed(self, model: Model, seen: Set[int]) -> set[int]:
        """`seen` with the ids that reading their texts, and any other text, takes."""

    @abstractmethod
    def renumbered(self, model: Model, new: Mapping[int, int]) -> dict[str, Any]:
        """The model with the pieces that `new` names alone. Args: new: old id to new id, in the order of both."""


def pieces(kind: str, where: str) -> Pieces:
    """The pieces of a tokenizer whose model has this type. Raises: UserError for one that cannot be trimmed."""
    return sibling(vocabulary, Pieces, kind, "kind of tokenizer to trim", where)()


def is_byte(piece: str) -> bool:
    """Whether a piece is a byte, by which characters without a piece are read."""
    return _BYTE.fullmatch(piece) is not None
