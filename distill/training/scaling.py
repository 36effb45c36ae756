"""Step bodies: the pool's rows in the order in which larger samples take them, and one of those samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from distill.core.objectives.objective import Objective
from distill.core.selection.candidates import seeded_order
from distill.core.selection.store import read_order, selected_ids, write_order, write_selected
from distill.core.soft_labels import LabelStore
from distill.training.joining import Share, join


def order_pool(
    stores: Mapping[Path, Share], objective: Objective, selection: Path | None, seed: int, folder: Path
) -> None:
    """Write the rows of the pool that can be learnt, in the order of a seeded hash of their ids.

    Args: stores: labels with their shares. selection: only rows of it; None: all that have a usable label.
    """
    opened = [(LabelStore(store), share) for store, share in stores.items()]
    rows = opened[0][0]
    kept = join(opened, objective, rows.ids, folder).labelled & np.asarray(pc.not_equal(rows.sources, "train"))
    if selection is not None:
        kept &= np.asarray(pc.is_in(rows.ids, value_set=selected_ids(selection)))
    ids, sources = (column.filter(pa.array(kept)).combine_chunks() for column in (rows.ids, rows.sources))
    order = pa.array(seeded_order(seed, "scale", ids))
    write_order(folder, ids.take(order), sources.take(order).cast(pa.string()))


def take_first(order: Path, rows: int, sources: Sequence[str], folder: Path) -> None:
    """Write the first `rows` of an order as a selection. Args: sources: all of the pool's."""
    taken = read_order(order).slice(0, rows)
    write_selected(folder, {source: taken.filter(pc.equal(taken["source"], source))["id"] for source in sources})
