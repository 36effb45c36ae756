"""Labelled rows that a bundle has not seen: what each of its files says of them, their gold and what they share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from distill.core.errors import UserError
from distill.core.intake.sources import Reading
from distill.core.label_space import LabelSpace
from distill.core.paths import require_file
from export.batch.answering import one_value
from export.batch.inputs import surveyed
from export.gold_column import GoldColumn, NoGold
from export.held_project import Columns
from export.record_rows import LeftOut, Read, read_chunks

if TYPE_CHECKING:
    from export.runtime import Bundle

_LINES = 5


@dataclass(frozen=True)
class LabelledRows:
    """N rows.

    Attributes: logits: float32 (N, K), by name of the file. target: float32 (N, C). clusters: int (N, keys or 1), equal
        numbers are one value in all keys. names: of the first key, N. sha256: of the file.
    """

    logits: Mapping[str, NDArray[np.float32]]
    target: NDArray[np.float32]
    clusters: NDArray[np.int64]
    names: Sequence[str]
    left_out: LeftOut
    sha256: str


def read_labelled(
    models: Mapping[str, Bundle], space: LabelSpace, file: Path, where: Columns, reading: Reading
) -> LabelledRows:
    """What every file of a bundle says of the labelled rows of a file. Texts are not kept.

    A row without a label, of one that the run left out as rare, or that cannot be read, is left out.

    Raises: UserError for columns that no row has, labels that the bundle lacks, with their rows, labels of the bundle
        that no row has, and a file that is changed meanwhile.
    """
    require_file(file)
    left_out, source = LeftOut(), surveyed(file, reading)
    found = _Found(GoldColumn(space, where.label, where.rare), where.keys)
    logits: dict[str, list[NDArray[np.float32]]] = {name: [] for name in models}
    asked = [where.label, *where.keys]
    for chunk in read_chunks(source, list(models.values()), asked, left_out, single=where.keys):
        rows = [row for row in chunk if found.add(row, left_out)]
        for name, model in models.items():
            logits[name].append(model.logits([row.values for row in rows]))
    found.require_whole(file, left_out)
    joined = {name: np.concatenate(parts) for name, parts in logits.items()}
    return LabelledRows(joined, np.stack(found.targets), found.clusters(), found.names, left_out, source.sha256)


@dataclass
class _Found:
    """What is known of the rows so far."""

    gold: GoldColumn
    keys_at: Sequence[str]
    targets: list[NDArray[np.float32]] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    keys: list[tuple[str, ...]] = field(default_factory=list)

    def add(self, row: Read, left_out: LeftOut) -> bool:
        """Take a row, unless it cannot be used."""
        try:
            target = self.gold.target(row)
        except NoGold as error:
            left_out.add(row.line, str(error))
            return False
        own = f"\0row {row.line}"  # no value of a key
        values = tuple(one_value(row.values, path) or own for path in self.keys_at) or (own,)
        self.targets.append(target)
        self.names.append(values[0])
        self.keys.append(values)
        return True

    def clusters(self) -> NDArray[np.int64]:
        """Each row's keys as numbers, (N, keys or 1)."""
        numbers: dict[str, int] = {}
        return np.array([[numbers.setdefault(value, len(numbers)) for value in row] for row in self.keys], np.int64)

    def require_whole(self, file: Path, left_out: LeftOut) -> None:
        """Check that all labels are known and there. Raises: UserError."""
        self.gold.require_known(str(file))
        place, space = f"{file}, column '{self.gold.column}'", self.gold.space
        if not self.targets:
            reasons = [f"line {one['line']}: {one['reason']}" for one in left_out.first[:_LINES]]
            raise UserError("no row can be used", where=place, found="; ".join(reasons) or "0 rows")
        gold = space.objective.gold_decisions(np.stack(self.targets))
        missing = [label for label, holds in zip(space.labels, gold.T, strict=True) if not holds.any()]
        if missing:
            do = "add rows of it: what is chosen without them does not hold where they come"
            raise UserError("no row has a label of the bundle", where=place, found=", ".join(missing), do=do)
