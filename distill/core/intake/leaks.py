"""Rows, texts, sides and keys that stand in more than one split."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from distill.core.intake.hashing import digest
from distill.core.project import ViewConfig
from distill.core.records import Record

Hashes = NDArray[np.uint64]
GATED = ("row", "document")


class Print(NamedTuple):
    """64-bit hashes of a record's texts; 0 stands for an empty text, which never counts as shared."""

    document: int
    card: int
    left: int
    right: int


def fingerprint(record: Record, views: Mapping[str, ViewConfig]) -> Print:
    """Hashes of the whole document, the whole card and the card's two sides, before any cut."""
    document = [side_text(record, side, views["document"]) for side in ("left", "right")]
    left, right = (side_text(record, side, views["card"]) for side in ("left", "right"))
    return Print(_hash(*document), _hash(left, right), _hash(left), _hash(right))


def side_text(record: Record, side: str, view: ViewConfig) -> str:
    """The fields of one side of a view, empty ones left out, uncut."""
    paths = view.left if side == "left" else view.right
    return view.separator.join(text for path in paths if (text := record.fields[path]))


@dataclass
class SplitPrints:
    """The hashes of one split's rows, as columns (N,)."""

    name: str
    columns: dict[str, array[int]] = field(default_factory=dict)

    def add(self, record: Record, views: Mapping[str, ViewConfig]) -> None:
        """Take in one record."""
        found = fingerprint(record, views)
        values = {"row": digest(record.id), **found._asdict()}
        values |= {f"key:{path}": digest(key) if key else 0 for path, key in record.keys.items()}
        for name, value in values.items():
            self.columns.setdefault(name, array("Q")).append(value)

    @cached_property
    def arrays(self) -> dict[str, Hashes]:
        """Column to uint64 (N,); to be read after the last `add`."""
        return {name: np.array(values, np.uint64) for name, values in self.columns.items()}


def find(prints: list[SplitPrints]) -> list[dict[str, Any]]:
    """Everything that a split shares with one that is read before it is: training data, the pool, earlier tests.

    Returns: `{"kind", "between": [a, b], "rows", "share", "gate"}` with the rows of `a` that `b` also has. Kinds: `row`
        (same id), `document`, `card` (both sides), `side` (one side of the card, on either side), `key:<path>`. Gated
        are rows and documents of a test in train, valid or the pool.
    """
    arrays = {split.name: split.arrays for split in prints}
    return [
        {"kind": kind, "between": [a, b], "rows": rows, "share": rows / len(mask), "gate": _gated(kind, a, b)}
        for a, b in _pairs(list(arrays))
        for kind, mask in _shared(arrays[a], arrays[b])
        if (rows := int(mask.sum()))
    ]


def leaked_rows(prints: list[SplitPrints]) -> int:
    """Distinct test rows whose id or whole document stands in train, valid or the pool: the figure of the leak gate."""
    arrays = {split.name: split.arrays for split in prints}
    total = 0
    for test in (name for name in arrays if _is_test(name)):
        others = [arrays[name] for name in arrays if not _is_test(name)]
        masks = [mask for other in others for kind, mask in _shared(arrays[test], other) if kind in GATED]
        total += int(np.any(masks, axis=0).sum()) if masks else 0
    return total


def reused_ids(prints: list[SplitPrints]) -> list[tuple[str, str]]:
    """Pairs of splits that share ids under different texts: ids that are unique within a file only."""
    arrays = {split.name: split.arrays for split in prints}
    return [(a, b) for a, b in _pairs(list(arrays)) if _other_text(arrays[a], arrays[b])]


def _other_text(a: dict[str, Hashes], b: dict[str, Hashes]) -> bool:
    same = _in(a["row"], b["row"])
    return bool((same & ~_in(a["document"], b["document"])).any())


def _pairs(names: list[str]) -> Iterator[tuple[str, str]]:
    """Evaluation splits against all that models see first: (valid, train), (test, train), …, (valid, pool)."""
    tests = [name for name in names if _is_test(name)]
    seen = [name for name in names if not _is_test(name)]
    yield from (("valid", name) for name in seen if name != "valid" and "valid" in seen)
    for index, test in enumerate(tests):
        yield from ((test, name) for name in [*seen, *tests[:index]])


def _is_test(name: str) -> bool:
    return name.startswith("test.")


def _gated(kind: str, a: str, b: str) -> bool:
    return kind in GATED and _is_test(a) and not _is_test(b)


def _shared(a: dict[str, Hashes], b: dict[str, Hashes]) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """Kind and which rows of `a` also stand in `b`, (N,)."""
    for kind in ("row", "document", "card"):
        yield kind, _in(a[kind], b[kind])
    sides = np.concatenate([b["left"], b["right"]])
    yield "side", _in(a["left"], sides) | _in(a["right"], sides)
    for kind in (name for name in a if name.startswith("key:") and name in b):
        yield kind, _in(a[kind], b[kind])


def _in(a: Hashes, b: Hashes) -> NDArray[np.bool_]:
    return np.asarray(np.isin(a, b) & (a != 0), np.bool_)


def _hash(*texts: str) -> int:
    return digest(*texts) if any(texts) else 0
