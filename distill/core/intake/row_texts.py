"""The texts of stored records as two versions of them can be compared: by the fields that both have."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from distill.core.intake.compared_text import compared
from distill.core.intake.hashing import digest
from distill.core.record_store import field_names, iter_records, splits
from distill.core.records import Record


def stored_fields(records: Path) -> list[str]:
    """The fields of a records folder, those of all splits. Raises: as `read_records`."""
    return list(dict.fromkeys(name for split in splits(records) for name in field_names(records, split)))


def row_texts(records: Path, split: str, fields: Sequence[str]) -> Iterator[tuple[Record, int]]:
    """Each record of a split with a hash of these fields, in the form in which texts are compared.

    Raises: as `read_records`.
    """
    for record in iter_records(records, split):
        yield record, digest(*(compared(record.fields[name]) for name in fields))
