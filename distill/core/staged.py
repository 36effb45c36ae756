"""Which stage of a cascade gave each label, how sure it was, and what the stages cost: files beside a label store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from distill.core.files import read_json, write_json
from distill.core.predictions import Columns, read_table, write_table

COVERAGE_FILE = "coverage.json"  # what the stages came to, of a whole store
GUESS = "guess"  # the stage of a row that no stage was sure of, where such rows are labelled too
_COLUMNS: Columns = {"id": pa.types.is_string, "stage": pa.types.is_string, "confidence": pa.types.is_float32}


@dataclass(frozen=True)
class StageCost:
    """What a stage did and took. Attributes: asked, taken: rows. errors: why it could not be asked, by how many rows
    went past it.
    """

    asked: int = 0
    taken: int = 0
    seconds: float = 0.0
    requests: int = 0
    money: float = 0.0
    errors: Mapping[str, int] | None = None

    def __add__(self, other: StageCost) -> StageCost:
        """Both together."""
        own, added = self.errors or {}, other.errors or {}
        errors = {name: own.get(name, 0) + added.get(name, 0) for name in {**own, **added}}
        return StageCost(
            self.asked + other.asked,
            self.taken + other.taken,
            self.seconds + other.seconds,
            self.requests + other.requests,
            self.money + other.money,
            errors or None,
        )


@dataclass(frozen=True)
class Staged:
    """N rows. Attributes: stage: the stage that labelled each, '' where none did. confidence: float32 (N,), of the
    label or, without one, of the last guess. costs: by stage, in order.
    """

    stage: list[str]
    confidence: NDArray[np.float32]
    costs: Mapping[str, StageCost]


def write_staged(folder: Path, index: int, ids: Sequence[str], staged: Staged) -> None:
    """Write `stages-<index>.parquet` and `costs-<index>.json` beside a shard, before it is there itself."""
    table = pa.table({"id": list(ids), "stage": staged.stage, "confidence": staged.confidence})
    write_table(folder / f"stages-{index:05d}.parquet", table)
    costs = {name: asdict(cost) for name, cost in staged.costs.items()}
    write_json(folder / f"costs-{index:05d}.json", costs)


def read_staged(folder: Path) -> tuple[list[str], Staged] | None:
    """The ids of a store with their stages, in its order, and the costs of all shards; None where it has no stages.

    Raises: UserError when a file is damaged.
    """
    paths = sorted(folder.glob("stages-*.parquet"))
    if not paths:
        return None
    tables = [read_table(path, _COLUMNS, "delete the shard of this number and label again") for path in paths]
    whole = pa.concat_tables(tables)
    costs: dict[str, StageCost] = {}
    for path in sorted(folder.glob("costs-*.json")):
        for name, cost in read_json(path).items():
            costs[name] = costs.get(name, StageCost()) + StageCost(**cost)
    staged = Staged(whole["stage"].to_pylist(), whole["confidence"].to_numpy(), costs)
    return whole["id"].to_pylist(), staged
