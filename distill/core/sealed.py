"""JSON files that carry a hash of their own content, so that one changed figure is noticed wherever they are read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from distill.core.errors import UserError
from distill.core.files import Json, read_json, sha256_json, write_json

SEAL = "seal"


def write_sealed(path: Path, content: Mapping[str, Any]) -> None:
    """Write a JSON object with its seal, atomically. Raises: as `write_json`."""
    write_json(path, {**content, SEAL: _seal(content)})


def read_sealed(path: Path) -> Json:
    """The content without its seal.

    Raises: UserError when the file is missing, holds no JSON object, or is not as it was written: without its seal too.
    """
    content = read_json(path)
    if not isinstance(content, dict):
        raise UserError("a JSON object is needed", where=str(path), found=type(content).__name__)
    if content.pop(SEAL, None) != _seal(content):
        do = "restore it, or give the command that made it again: finished steps are kept"
        raise UserError("the file was changed since it was written", where=str(path), do=do)
    return content


def _seal(content: Mapping[str, Any]) -> str:
    """Hex SHA-256 of the content as it is read back."""
    return sha256_json(json.loads(json.dumps(content)))
