"""Splits made by seeded hashes of keys, so that the same key always comes to the same part."""

from __future__ import annotations

from collections.abc import Sequence

from distill.core.errors import UserError
from distill.core.intake.hashing import unit
from distill.core.project import Split
from distill.core.records import Record

KEY_TEST = "test.unseen"
MOST_CROSSING = 0.5

Parts = dict[str, list[Record]]


def by_keys(records: Sequence[Record], config: Split, seed: int) -> tuple[Parts, list[Record]]:
    """Train, valid and test with no key in two of them; and the records whose keys fall into different parts.

    The hash looks at a key's value only, so one product keeps to one part on either side.

    Raises: UserError when over half of the records cross.
    """
    parts: Parts = {"train": [], "valid": [], KEY_TEST: []}
    crossing = []
    for record in records:
        own = {_part(key, config, seed) for key in record.keys.values()}
        if len(own) == 1:
            parts[own.pop()].append(record)
        else:
            crossing.append(record)
    if len(crossing) > MOST_CROSSING * len(records):
        raise _too_many(len(crossing), len(records))
    return parts, crossing


def hold_out(records: Sequence[Record], share: float, seed: int) -> Parts:
    """Train and valid, where no validation file is given: a share of the first key's values, or of rows."""
    parts: Parts = {"train": [], "valid": []}
    for record in records:
        key = next(iter(record.keys.values()), "") or record.id
        parts["valid" if unit(seed, "hold out", key) < share else "train"].append(record)
    return parts


def _part(key: str, config: Split, seed: int) -> str:
    at = unit(seed, "split", key)
    if at < config.test:
        return KEY_TEST
    return "valid" if at < config.test + config.valid else "train"


def _too_many(crossing: int, rows: int) -> UserError:
    return UserError(
        "splitting by keys would drop over half of the rows, because their sides fall into different parts",
        where="data.split",
        found=f"crosses_split {crossing} of {rows} rows ({crossing / rows:.1%})",
        do="split by one side's key (data.keys), lower data.split.test and data.split.valid, or give splits as files",
    )
