"""The choice itself: bands of entropy, a cap per key, equal groups, a size; then what it did to the pool."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from distill.core.files import Json
from distill.core.intake.hashing import unit
from distill.core.objectives.objective import BoolArray, FloatArray, Objective
from distill.core.selection.candidates import Candidates, Named, seeded_order
from distill.core.selection.config import Band, Select

OUTSIDE, CAPPED, SPARE = "outside_bands", "over_per_key", "not_needed"
_NO_BAND = -1
_FIFTHS: list[Band] = [(step / 5, (step + 1) / 5) for step in range(5)]
Places = NDArray[np.int64]


def entropy_shares(logits: FloatArray, objective: Objective) -> FloatArray:
    """The entropy of each row's answer as a share of the largest one: float64 (N,) in [0, 1], from logits (N, K).

    It is the log loss of the answer against itself: −Σ p ln p, of at most ln C, with one label per record; the mean
    over classes of the binary entropies, of at most ln 2, with several.
    """
    own = objective.row_log_loss(logits, objective.probabilities(logits))
    flat = np.zeros((1, logits.shape[1]))
    most = float(objective.row_log_loss(flat, objective.probabilities(flat))[0])
    return np.asarray(np.clip(own / most, 0.0, 1.0), np.float64)


def choose(config: Select, rows: Candidates, seed: int) -> tuple[BoolArray, dict[str, int]]:
    """Which rows are taken, bool (N,), and how many were not, by reason.

    Rows come in the order of a seeded hash of their ids, so the choice depends on no order of files. Of groups that are
    to be equal each gives one row in turn; one that has no more leaves its turns to the others.

    Args: seed: where the config has none.
    """
    seed = seed if config.seed is None else config.seed
    bands = _bands(rows.entropy, config.entropy)
    order = seeded_order(seed, "select", rows.ids)
    order = order[bands[order] != _NO_BAND]
    cap = _Cap(config.per_key, rows.keys)
    taken = np.zeros(len(rows), np.bool_)
    for place in islice(_in_turn(_groups(config, rows, bands, order, seed), cap), config.rows):
        cap.add(place)
        taken[place] = True
    return taken, _left_out(bands, taken, cap)


def _groups(config: Select, rows: Candidates, bands: Places, order: Places, seed: int) -> list[Places]:
    """The groups that are to be equal, in a seeded order of their names, each with its rows in theirs."""
    shown = Named([str(band) for band in range(len(config.entropy or [None]))], bands.astype(np.int32))
    by = [{"class": rows.classes, "slice": rows.slices, "band": shown}[name] for name in config.balance]
    numbers = np.zeros(len(order), np.int64)
    for one in by:
        numbers = numbers * len(one.names) + one.codes[order]
    _, first, which = np.unique(numbers, return_index=True, return_inverse=True)
    names = [tuple(one.names[one.codes[order[place]]] for one in by) for place in first.tolist()]
    together = np.split(order[np.argsort(which, kind="stable")], np.cumsum(np.bincount(which))[:-1])
    return [together[number] for number in sorted(range(len(names)), key=lambda at: unit(seed, "group", *names[at]))]


class _Cap:
    """How often each value of a key was taken. Args: most: None for no cap. keys: of N rows."""

    def __init__(self, most: int | None, keys: Mapping[str, Named]) -> None:
        self._most = 0 if most is None else most
        capped = [] if most is None else [*keys.values()]
        # Views: an element of one is a Python number, three times as fast to get as NumPy's.
        self._keys = [(one.codes.data, one.given.data, np.zeros(len(one.names), np.int64).data) for one in capped]

    def allows(self, place: int) -> bool:
        """Whether a row may be taken."""
        return all(not given[place] or taken[codes[place]] < self._most for codes, given, taken in self._keys)

    def add(self, place: int) -> None:
        """Count a row that is taken."""
        for codes, given, taken in self._keys:
            if given[place]:
                taken[codes[place]] += 1

    def full(self, rows: int) -> BoolArray:
        """Which of the N rows may not be taken any more, bool (N,)."""
        found = np.zeros(rows, np.bool_)
        for codes, given, taken in self._keys:
            found |= np.asarray(given) & (np.asarray(taken) >= self._most)[np.asarray(codes)]
        return found


def _in_turn(groups: Sequence[Places], cap: _Cap) -> Iterator[int]:
    """A row of each group in turn, those that the cap allows by then."""
    waiting = [iter(group.data) for group in groups]
    while waiting:
        left = []
        for group in waiting:
            place = next((place for place in group if cap.allows(place)), None)
            if place is not None:
                yield place
                left.append(group)
        waiting = left


def _bands(entropy: FloatArray, bands: Sequence[Band] | None) -> Places:
    """The number of the band that each entropy is in, the last one up to its upper end, int64 (N,); 0 without bands.

    −1 is none of them.
    """
    if bands is None:
        return np.zeros(len(entropy), np.int64)
    found = np.full(len(entropy), _NO_BAND, np.int64)
    for number, (low, high) in reversed(list(enumerate(bands))):
        found[(low <= entropy) & ((entropy < high) | (high == 1))] = number
    return found


def _left_out(bands: Places, taken: BoolArray, cap: _Cap) -> dict[str, int]:
    outside, full = bands == _NO_BAND, cap.full(len(taken))
    found = {CAPPED: ~taken & ~outside & full, OUTSIDE: ~taken & outside, SPARE: ~taken & ~outside & ~full}
    return {reason: int(rows.sum()) for reason, rows in sorted(found.items()) if rows.any()}


def distributions(rows: Candidates, kept: BoolArray, bands: Sequence[Band] | None) -> Json:
    """`{"source", "class", "entropy", "slice": {name: rows}, "keys": {path: {"values", "most", "mean"}}}` of some rows.

    Args: kept: bool (N,). bands: of the config; entropies between them are bands too, without any these are fifths.
    """
    edges = sorted({0.0, 1.0, *(edge for band in bands for edge in band)}) if bands else []
    shown = list(zip(edges[:-1], edges[1:], strict=True)) or _FIFTHS
    within = _bands(rows.entropy[kept], shown)
    return {
        "source": _counted(rows.sources, kept),
        "class": _counted(rows.classes, kept),
        "entropy": {f"{low:g} to {high:g}": int((within == at).sum()) for at, (low, high) in enumerate(shown)},
        "slice": _counted(rows.slices, kept),
        "keys": _by_key(rows.keys, kept),
    }


def _counted(names: Named, kept: BoolArray) -> dict[str, int]:
    """Rows of each name that any row has, also of those that none of the chosen ones has."""
    return dict(sorted(zip(names.names, names.counts(kept).tolist(), strict=True)))


def _by_key(keys: Mapping[str, Named], kept: BoolArray) -> Json:
    found: Json = {}
    for path, one in keys.items():
        counts = one.counts(kept & one.given)
        counts = counts[counts > 0]
        if len(counts):
            mean = round(int(counts.sum()) / len(counts), 3)
            found[path] = {"values": len(counts), "most": int(counts.max()), "mean": mean}
    return found
