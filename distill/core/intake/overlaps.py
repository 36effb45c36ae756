"""What splits have in common, by all leak checks: the entries of `audit.json` and the figure of the leak gate."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from distill.core.intake import leaks
from distill.core.intake.leak_check import Alike, LeakCheck, Mask
from distill.core.intake.ledger import EXAMPLES
from distill.core.project import Project
from distill.core.records import Record
from distill.core.siblings import siblings


def leak_checks(project: Project) -> list[LeakCheck]:
    """An empty check of every kind, in the order of `audit.json`; key columns in the order of `data.keys`."""
    checks = [check for kind in siblings(leaks, LeakCheck) for check in kind.of(project)]
    return sorted(checks, key=lambda check: check.place)


class SplitChecks:
    """All leak checks, fed with the rows of one split, and a test's ids."""

    def __init__(self, split: str, project: Project) -> None:
        self.split = split
        self.checks = leak_checks(project)
        self.ids: list[str] = []

    def add(self, record: Record) -> None:
        """Take in one row."""
        if _is_test(self.split):
            self.ids.append(record.id)
        for check in self.checks:
            check.add(record)


@dataclass(frozen=True)
class Overlap:
    """The rows of split `a` that split `b` has too.

    Attributes: masks: name of the check to bool (N,) over the rows of `a`. gated: the checks that count for the gate.
        ids: of the N rows where `a` is a test. alike: first rows of `a` that `b` has nearly.
    """

    a: str
    b: str
    masks: dict[str, Mask]
    gated: frozenset[str]
    ids: Sequence[str]
    alike: Sequence[Alike] = ()

    def entries(self) -> list[dict[str, Any]]:
        """`{"kind", "between": [a, b], "rows", "share", "gate"}` of every check that found rows."""
        return [
            {
                "kind": kind,
                "between": [self.a, self.b],
                "rows": rows,
                "share": rows / len(mask),
                "gate": self._gate(kind),
            }
            for kind, mask in self.masks.items()
            if (rows := int(mask.sum()))
        ]

    def leaked(self) -> list[Mask]:
        """The masks of the gated checks."""
        return [mask for kind, mask in self.masks.items() if self._gate(kind)]

    def reuses_ids(self) -> bool:
        """Whether a row of `a` has an id of `b` and a document that `b` lacks: ids that are unique in a file only."""
        return bool((self.masks["row"] & ~self.masks["document"]).any())

    def _gate(self, kind: str) -> bool:
        return kind in self.gated and _is_test(self.a) and not _is_test(self.b)


def overlaps(splits: Sequence[SplitChecks]) -> list[Overlap]:
    """Each split against those that are read before it is: training data, the pool, earlier tests."""
    return [_compared(a, b) for a, b in _pairs(splits)]


def leaked_rows(found: Sequence[Overlap]) -> dict[str, list[str]]:
    """Test to the ids of its rows that a gated check found in train, valid or the pool; only tests with such rows."""
    masks: dict[str, list[Mask]] = {}
    ids = {overlap.a: overlap.ids for overlap in found}
    for overlap in found:
        masks.setdefault(overlap.a, []).extend(overlap.leaked())
    leaked = {test: np.any(own, axis=0) for test, own in masks.items() if own}
    return {test: [ids[test][i] for i in np.flatnonzero(rows).tolist()] for test, rows in leaked.items() if rows.any()}


def _compared(a: SplitChecks, b: SplitChecks) -> Overlap:
    masks = {own.name: own.found_in(other) for own, other in zip(a.checks, b.checks, strict=True)}
    gated = frozenset(check.name for check in a.checks if check.gate)
    pairs = zip(a.checks, b.checks, strict=True)
    alike = [example for own, other in pairs for example in own.examples(other, EXAMPLES)]
    return Overlap(a.split, b.split, masks, gated, a.ids, alike)


def _pairs(splits: Sequence[SplitChecks]) -> Iterator[tuple[SplitChecks, SplitChecks]]:
    """Evaluation splits against all that models see first: (valid, train), (valid, pool), …, (test, train), …."""
    tests = [split for split in splits if _is_test(split.split)]
    seen = [split for split in splits if not _is_test(split.split)]
    for valid in (split for split in seen if split.split == "valid"):
        yield from ((valid, other) for other in seen if other is not valid)
    for index, test in enumerate(tests):
        yield from ((test, other) for other in [*seen, *tests[:index]])


def _is_test(split: str) -> bool:
    return split.startswith("test.")
