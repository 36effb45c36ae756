"""Labelled rows that only those models learn that name them: old labels, rows made by rules or by a language model.

Nothing is judged by them. A row that validation or a test has too is always dropped: its label there is what a model is
asked for. Rows that training has too stay: they may be the same rows under older labels.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from distill.core.intake.leak_check import LeakCheck
from distill.core.intake.leaks.card import SameCard
from distill.core.intake.leaks.document import SameDocument
from distill.core.intake.leaks.key import SameKey
from distill.core.intake.leaks.row import SameRow
from distill.core.intake.separation import (
    CARD_IN_TEST,
    CARD_IN_VALID,
    IN_TEST,
    KEY_IN_VALID,
    found_among,
)
from distill.core.intake.splits import Parts
from distill.core.project import Project
from distill.core.records import Record

PREFIX = "extra."
IN_VALID, KEY_IN_TEST = "in_valid", "key_in_evaluation"


def is_extra(split: str) -> bool:
    """Whether a split is one of `data.extra`."""
    return split.startswith(PREFIX)


def optional_columns(project: Project) -> set[str]:
    """Columns of the project that such rows may lack: the slice, and keys where no row is left out by its key."""
    data = project.data
    by_key = data.split.mode == "keys" or data.on_valid_key == "drop"
    return {*([] if by_key else data.keys), *filter(None, [data.slice])}


def separate_extra(
    records: Sequence[Record], labelled: Parts, project: Project
) -> Iterator[tuple[str, list[Record], list[Record]]]:
    """Rule by rule (reason, the rows that it drops, the rows that are left).

    The same id or whole document in a test or in validation; the same card, unless `data.on_card_leak` says otherwise;
    and a key of theirs where the project splits by keys, or of validation where `data.on_valid_key` says so.

    Args: labelled: validation and tests, and other splits, which do not count.
    """
    valid = [labelled["valid"]] if "valid" in labelled else []
    tests = [rows for split, rows in labelled.items() if split.startswith("test.")]
    left = list(records)
    for reason, others, kinds in _rules(project, valid, tests):
        found = [found_among(left, others, project, kind) for kind in kinds]
        out = [any(flags) for flags in zip(*found, strict=True)]
        dropped = [row for row, is_out in zip(left, out, strict=True) if is_out]
        left = [row for row, is_out in zip(left, out, strict=True) if not is_out]
        yield reason, dropped, left


def _rules(
    project: Project, valid: list[list[Record]], tests: list[list[Record]]
) -> Iterator[tuple[str, list[list[Record]], Sequence[type[LeakCheck]]]]:
    data = project.data
    yield IN_TEST, tests, (SameRow, SameDocument)
    yield IN_VALID, valid, (SameRow, SameDocument)
    if data.on_card_leak == "drop":
        yield CARD_IN_TEST, tests, (SameCard,)
        yield CARD_IN_VALID, valid, (SameCard,)
    if data.split.mode == "keys":
        yield KEY_IN_TEST, [*tests, *valid], (SameKey,)
    elif data.on_valid_key == "drop":
        yield KEY_IN_VALID, valid, (SameKey,)
