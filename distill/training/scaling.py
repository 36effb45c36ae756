"""Step bodies: the pool's rows in the order in which larger samples take them, and one of those samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path

from distill.core.intake.hashing import unit
from distill.core.objectives.objective import Objective
from distill.core.selection.store import read_order, selected_ids, write_order, write_selected
from distill.core.soft_labels import read_soft_labels
from distill.training.joining import Share, join_by_id


def order_pool(
    stores: Mapping[Path, Share], objective: Objective, selection: Path | None, seed: int, folder: Path
) -> None:
    """Write the rows of the pool that can be learnt, in the order of a seeded hash of their ids.

    Args: stores: labels with their shares. selection: only rows of it; None: all that have a usable label.
    """
    soft = join_by_id(stores, objective, folder)
    known = set(soft) if selection is None else set(soft) & selected_ids(selection)
    labels = read_soft_labels(next(iter(stores)))
    rows = [(name, source) for name, source in zip(labels.ids, labels.sources, strict=True) if source != "train"]
    kept = [row for row in rows if row[0] in known]
    write_order(folder, sorted(kept, key=lambda row: (unit(seed, "scale", row[0]), row[0])))


def take_first(order: Path, rows: int, sources: Sequence[str], folder: Path) -> None:
    """Write the first `rows` of an order as a selection. Args: sources: all of the pool's."""
    taken = sorted(read_order(order)[:rows], key=lambda row: row[1])
    found = {source: [name for name, _ in own] for source, own in groupby(taken, key=lambda row: row[1])}
    write_selected(folder, {source: found.get(source, []) for source in sources})
