"""Rows of rare classes that are learnt more than once."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from distill.core.label_space import LabelSpace
from distill.core.progress import note
from distill.training.learnt_rows import LearntRows


def oversampled(learnt: LearntRows, share: float, space: LabelSpace, seed: int) -> LearntRows:
    """The rows, and rows with gold of the rarer classes drawn again until each has a share of the largest one's rows.

    A row with votes is of its most voted class. Rows without gold stay as they are; so do all soft labels, which a
    repeated row brings along. Nothing but what is learnt is repeated: no validation and no test row.

    Args: share: over 0, 1 for as many rows as the largest class has. space: one label per record. seed: of the draw.
    """
    golden = learnt.rows[learnt.has_gold[learnt.rows]]
    classes = space.objective.gold_decisions(learnt.target[golden]).argmax(axis=1)
    counts = np.bincount(classes, minlength=len(space))
    wanted = np.where(counts > 0, np.maximum(np.rint(share * counts.max(initial=0)).astype(int), counts), 0)
    random = np.random.default_rng(seed)
    drawn = [
        random.choice(golden[classes == one], wanted[one] - counts[one])
        for one in np.flatnonzero(wanted > counts).tolist()
    ]
    told = [f"{label} {a} → {b}" for label, a, b in zip(space.labels, counts, wanted, strict=True) if a < b]
    note(f"rare classes drawn again: {', '.join(told) or 'none is rarer'}")
    return replace(learnt, rows=np.sort(np.concatenate([learnt.rows, *drawn])))
