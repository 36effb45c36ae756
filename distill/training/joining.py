"""Several teachers' labels joined into one set of logits by record id.

Stores lie side by side, one for each teacher, and are joined when they are read: each row by its id.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from distill.core.files import disk_error
from distill.core.objectives.objective import Objective
from distill.core.soft_labels import LabelStore
from distill.evaluation.metrics import mixture

Logits = NDArray[np.float32]
_BLOCK_ROWS = 16_384


@dataclass(frozen=True)
class Share:
    """A teacher's part of the labels.

    Attributes: temperature: that its logits are divided by, among several. by_class: its weight for each class, in
        place of `weight`; all teachers have such or none.
    """

    weight: float = 1.0
    temperature: float = 1.0
    by_class: tuple[float, ...] | None = None

    def as_fingerprint(self) -> list[float]:
        """All of it, for the steps that read labels by it."""
        return [self.weight, self.temperature, *(self.by_class or ())]


@dataclass(frozen=True)
class Joined:
    """Soft labels of N rows. Attributes: labelled: bool (N,). logits: float32 (N, K), 0 where a row has none."""

    labelled: NDArray[np.bool_]
    logits: Logits


def join(stores: Sequence[tuple[LabelStore, Share]], objective: Objective, ids: pa.Array, scratch: Path) -> Joined:
    """Logits for the rows of these ids that every teacher labelled with status `ok`.

    One teacher's logits are taken as they are, unless its classes have weights. Several are mixed as `metrics.mixture`
    does, each after its temperature.
    They are kept in a nameless file in `scratch`, mapped into memory, so that a large pool's are never all in it.

    Args: stores: soft labels and share of each teacher. objective: of the task. ids: of N rows, each once.
    """
    places = [_places(ids, store.ids) for store, _ in stores]
    labelled = np.logical_and.reduce([place >= 0 for place in places])
    rows = labelled.nonzero()[0]
    logits: Logits | None = None
    for start in range(0, len(rows), _BLOCK_ROWS):
        block = rows[start : start + _BLOCK_ROWS]
        mixed = _mixed(
            [(store.logits(place[block]), share) for (store, share), place in zip(stores, places, strict=True)],
            objective,
        )
        logits = _nameless(scratch, (len(ids), mixed.shape[1])) if logits is None else logits
        logits[block] = mixed
    return Joined(labelled, np.zeros((len(ids), 0), np.float32) if logits is None else logits)


def _places(ids: pa.Array, known: pa.Array) -> NDArray[np.int64]:
    """Where each id is among the known ones; −1 for one that is not, int64 (N,)."""
    found = pc.fill_null(pc.index_in(ids, value_set=known), -1)
    return np.asarray(found, np.int64)


def _mixed(parts: Sequence[tuple[Logits, Share]], objective: Objective) -> Logits:
    if len(parts) == 1 and parts[0][1].by_class is None:
        return parts[0][0]
    weights = [share.weight if share.by_class is None else share.by_class for _, share in parts]
    return mixture([logits / share.temperature for logits, share in parts], weights, objective).astype(np.float32)


def _nameless(folder: Path, shape: tuple[int, int]) -> Logits:
    """Zeros in a file that is gone from the folder already, and from the disk with the array."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f".logits.{os.getpid()}.partial"  # a name that is removed after a kill
    try:
        with path.open("w+b") as file:
            _allocate(file.fileno(), 4 * shape[0] * shape[1])
            array: Logits = np.memmap(file, np.float32, "r+", shape=shape)
    except OSError as error:
        raise disk_error(path, error) from error
    finally:
        path.unlink(missing_ok=True)
    return array


def _allocate(file: int, size: int) -> None:
    """Make a file so many bytes of zeros long.

    They are taken on the disk at once, where the system can: a write through the map that finds the disk full would
    end the process with SIGBUS, without a word.
    """
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file, 0, size)
    else:
        os.truncate(file, size)
