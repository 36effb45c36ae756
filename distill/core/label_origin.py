"""What made the labels of a shard, kept in the shard's own file: a shard of anything else is refused by name."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from distill.core.errors import UserError

_KEY = b"distill.labels"
_WORDS = {
    "teacher": "another teacher",
    "view": "another view",
    "labels": "other labels",
    "records": "other record files",
    "rows": "other rows",
    "model": "another fold's model",
}
DELETE = "delete this shard and start again: only its rows are labelled anew"


@dataclass(frozen=True)
class Origin:
    """What the labels of a shard depend on.

    Attributes:
        teacher: hash of the model folder. view: hash of the view that it reads, of all of them for an ensemble.
        labels: the classes in order. records: hash of each record file. rows: file and the rows of it, from and to.
        precision: what the model calculated in; `auto` may differ from machine to machine, so shards may too.
        model: hash of the fold's model that stood in for the teacher; None: the teacher itself.
        factor: what brought that one's logits to the teacher's scale.
    """

    teacher: str
    view: str
    labels: Sequence[str]
    records: Mapping[str, str]
    rows: Mapping[str, Sequence[int]]
    precision: str
    model: str | None = None
    factor: float | None = None

    @property
    def asked(self) -> tuple[str, str, float | None]:
        """How a row is scored again: hash of the model that answered it, its precision, the factor of its logits."""
        return self.model or self.teacher, self.precision, self.factor

    def differs(self, other: Origin) -> dict[str, str]:
        """What differs between the two, in words, with the start of both values; precision and scale apart."""
        own, theirs = self.as_json(), other.as_json()
        names = [name for name in _WORDS if own[name] != theirs[name]]
        return {_WORDS[name]: f"{name} {_short(theirs[name])}, expected {_short(own[name])}" for name in names}

    def as_json(self) -> dict[str, Any]:
        """As the shard's file holds it."""
        found: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return found


def stamped(table: pa.Table, origin: Origin) -> pa.Table:
    """A table that says what made it."""
    text = json.dumps(origin.as_json(), sort_keys=True, ensure_ascii=False)
    return table.replace_schema_metadata({_KEY: text.encode()})


def origin_of_table(table: pa.Table) -> Origin | None:
    """What made a shard that was read; None where it does not say, as those of labels made elsewhere."""
    return _parsed(table.schema)


def origin_of_file(path: Path) -> Origin | None:
    """What made a shard, from the end of its file. Raises: UserError when it cannot be read."""
    try:
        return _parsed(pq.read_schema(path))
    except (OSError, pa.ArrowException) as error:
        raise UserError("cannot read a Parquet file", where=str(path), found=error, do=DELETE) from None


def require_origin(path: Path, found: Origin | None, expected: Origin) -> None:
    """Refuse a shard that anything else has made. Raises: UserError naming what differs."""
    if found is None:
        what, told = "a shard does not say what made it", "no teacher, view and records in its metadata"
        raise UserError(what, where=str(path), found=told, do=DELETE)
    if differences := expected.differs(found):
        what = f"a shard is of {' and '.join(differences)}"
        raise UserError(what, where=str(path), found="; ".join(differences.values()), do=DELETE)


def require_one_teacher(paths: Sequence[Path]) -> None:
    """Check that all shards of a store are of one teacher, view and label space.

    Shards of labels made elsewhere do not say what made them: then none of the store does.

    Raises: UserError naming the first shard that is of another one than the first of all.
    """
    origins = [origin_of_file(path) for path in paths]
    for path, origin in zip(paths, origins, strict=True):
        differing = [
            f"{name} {_short(own)}, {paths[0].name} has {_short(first)}"
            for name in ("teacher", "view", "labels")
            if (own := getattr(origin, name, None)) != (first := getattr(origins[0], name, None))
        ]
        if differing:
            do = "delete the folder of labels and start again: a store holds the labels of one teacher"
            raise UserError("shards of two origins in one store", where=str(path), found="; ".join(differing), do=do)


def _parsed(schema: pa.Schema) -> Origin | None:
    try:
        content = json.loads((schema.metadata or {})[_KEY])
        return Origin(**{one.name: content[one.name] for one in fields(Origin)})
    except (KeyError, ValueError, TypeError):
        return None


def _short(value: object) -> str:
    """Hashes by their first 12 signs, one or several; other values as they are."""
    if isinstance(value, str):
        return value[:12] or "none"
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_short(one)}" for name, one in value.items())
    if isinstance(value, Sequence):
        return ", ".join(map(str, value)) if all(isinstance(one, str) for one in value) else "–".join(map(str, value))
    return "none" if value is None else str(value)
