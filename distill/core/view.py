"""A view bound to a tokenizer: what a model reads, with a hash that artifacts store and compare."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from distill.core.config import parse
from distill.core.errors import UserError
from distill.core.files import read_json, sha256, sha256_json, write_json
from distill.core.padding import pad_id
from distill.core.project import ViewConfig
from distill.core.rendering import Renderer

VIEW_FILE = "view.json"
TOKENIZER_FILE = "tokenizer.json"


class View:
    """One view under one tokenizer.

    Args: name: `document`, `card` or another name of the project. config: fields, order, budgets, windows.
        tokenizer_path: a `tokenizer.json`.
    """

    def __init__(self, name: str, config: ViewConfig, tokenizer_path: Path) -> None:
        self.name, self.config, self.tokenizer_path = name, config, tokenizer_path

    @classmethod
    def load(cls, folder: Path) -> View:
        """The view that a model folder was made for.

        Raises: UserError when `view.json` is missing or does not belong to the folder's tokenizer.
        """
        stored = read_json(folder / VIEW_FILE)
        name, digest, _ = (stored.pop(key, "") for key in ("name", "hash", "tokenizer_sha256"))
        view = cls(name, parse(ViewConfig, stored, str(folder / VIEW_FILE)), folder / TOKENIZER_FILE)
        if view.hash != digest:
            raise UserError(
                "the tokenizer is not the one that this view was made with",
                where=str(folder),
                found=f"view hash {view.hash[:12]}, stored {digest[:12]}",
                do="restore tokenizer.json and view.json, or train the model again",
            )
        return view

    @cached_property
    def tokenizer_sha256(self) -> str:
        """Hex SHA-256 of the tokenizer's file. Raises: UserError when it cannot be read."""
        try:
            return sha256(self.tokenizer_path)
        except OSError as error:
            raise _unreadable(self.tokenizer_path, error.strerror) from None

    @cached_property
    def content(self) -> dict[str, Any]:
        """Fields, order, separator, budgets, windows, length, tokenizer. Raises: as `tokenizer_sha256`."""
        return {**self.config.as_json(), "tokenizer_sha256": self.tokenizer_sha256}

    @cached_property
    def hash(self) -> str:
        """Hex SHA-256 of the tokenizer's and of the settings that differ from their defaults.

        So a view keeps its hash when views get a new option. Raises: as `tokenizer_sha256`.
        """
        return sha256_json({**self.config.as_fingerprint(), "tokenizer_sha256": self.tokenizer_sha256})

    def save(self, folder: Path) -> None:
        """Write `view.json` into a model folder."""
        write_json(folder / VIEW_FILE, {"name": self.name, **self.content, "hash": self.hash})

    def renderer(self) -> Renderer:
        """A renderer with a tokenizer of its own.

        Raises: UserError when the tokenizer cannot be read or leaves no room for text.
        """
        content = self.content
        try:
            tokenizer = Tokenizer.from_file(str(self.tokenizer_path))
            padding = pad_id(self.tokenizer_path.parent, tokenizer)
        except Exception as error:
            raise _unreadable(self.tokenizer_path, error) from None
        return renderer_with(self.name, {**content, "pad_id": padding}, tokenizer)

    def require(self, other: View, artifact: str) -> None:
        """Refuse an artifact that was made for another view. Raises: UserError naming both hashes."""
        if self.hash != other.hash:
            raise UserError(
                f"{artifact} was made for another view",
                where=f"view '{self.name}'",
                found=f"hash {other.hash[:12]}, expected {self.hash[:12]}",
                do="use the view it was made for, or make it again",
            )


def renderer_with(name: str, content: Mapping[str, Any], tokenizer: Tokenizer) -> Renderer:
    """A view's renderer with a tokenizer that it is not bound to. Args: content: as `Renderer` takes it.

    Raises: UserError naming the view, where `max_tokens` leaves no room for text or the tokenizer cannot read a side.
    """
    try:
        return Renderer(content, tokenizer)
    except ValueError as error:
        raise UserError(str(error), where=f"views.{name}.max_tokens", do="raise it") from None
    except LookupError as error:
        raise UserError(str(error), where=f"views.{name}", do="read it with another tokenizer") from None


def too_long(view: str, tokens: int, positions: int, encoder: str) -> UserError:
    """The error of a view that reads more than an encoder can. Args: view: its key. encoder: named in the message."""
    return UserError(
        "the view is longer than the encoder can read",
        where=f"{view}.max_tokens",
        found=f"max_tokens {tokens}, the encoder has {positions} positions ({encoder})",
        do=f"lower it to {positions}, and read long texts in windows",
    )


def _unreadable(tokenizer: Path, found: object) -> UserError:
    return UserError("cannot read the tokenizer", where=str(tokenizer), found=found, do="restore tokenizer.json")
