"""The choice itself: bands of entropy, a cap per key, equal groups, a size; then what it did to the pool."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from distill.core.files import Json
from distill.core.intake.hashing import unit
from distill.core.objectives.objective import BoolArray, FloatArray, Objective
from distill.core.selection.config import Band, Select

OUTSIDE, CAPPED, SPARE = "outside_bands", "over_per_key", "not_needed"
_FIFTHS: list[Band] = [(step / 5, (step + 1) / 5) for step in range(5)]


@dataclass(frozen=True)
class Candidates:
    """N labelled rows of the pool.

    Attributes: ids, sources: N each. classes: N names of what the teacher answers. slices: N, '' without one.
        keys: N mappings of key path to value. entropy: float64 (N,), shares of the largest one.
    """

    ids: Sequence[str]
    sources: Sequence[str]
    classes: Sequence[str]
    slices: Sequence[str]
    keys: Sequence[Mapping[str, str]]
    entropy: FloatArray

    def __len__(self) -> int:
        """N."""
        return len(self.ids)


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
    order = sorted(range(len(rows)), key=lambda index: (unit(seed, "select", rows.ids[index]), rows.ids[index]))
    groups: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for index in order:
        if (band := _band(rows.entropy[index], config.entropy)) is not None:
            groups[_group(config, rows, index, band)].append(index)
    first = sorted(groups, key=lambda name: unit(seed, "group", *name))
    cap = _Cap(config.per_key)
    taken = np.zeros(len(rows), np.bool_)
    for index in islice(_in_turn([groups[name] for name in first], rows, cap), config.rows):
        cap.add(rows.keys[index])
        taken[index] = True
    return taken, _left_out(config, rows, taken, cap)


class _Cap:
    """How often each value of a key was taken. Args: most: None for no cap."""

    def __init__(self, most: int | None) -> None:
        self._most, self._taken = most, Counter[tuple[str, str]]()

    def allows(self, keys: Mapping[str, str]) -> bool:
        """Whether a row with these keys may be taken."""
        most = self._most
        return most is None or all(self._taken[item] < most for item in keys.items() if item[1])

    def add(self, keys: Mapping[str, str]) -> None:
        """Count a row that is taken."""
        if self._most is not None:
            self._taken.update(item for item in keys.items() if item[1])


def _in_turn(groups: Sequence[Sequence[int]], rows: Candidates, cap: _Cap) -> Iterator[int]:
    """A row of each group in turn, those that the cap allows by then."""
    waiting = [iter(group) for group in groups]
    while waiting:
        left = []
        for group in waiting:
            index = next((index for index in group if cap.allows(rows.keys[index])), None)
            if index is not None:
                yield index
                left.append(group)
        waiting = left


def _band(entropy: float, bands: Sequence[Band] | None) -> int | None:
    """The number of the band that an entropy is in, the last one up to its upper end; 0 without bands."""
    if bands is None:
        return 0
    inside = (number for number, (low, high) in enumerate(bands) if low <= entropy and (entropy < high or high == 1))
    return next(inside, None)


def _group(config: Select, rows: Candidates, index: int, band: int) -> tuple[str, ...]:
    named = {"class": rows.classes[index], "slice": rows.slices[index], "band": str(band)}
    return tuple(named[name] for name in config.balance)


def _left_out(config: Select, rows: Candidates, taken: BoolArray, cap: _Cap) -> dict[str, int]:
    found = Counter[str]()
    for index in np.flatnonzero(~taken).tolist():
        outside = _band(rows.entropy[index], config.entropy) is None
        found[OUTSIDE if outside else SPARE if cap.allows(rows.keys[index]) else CAPPED] += 1
    return dict(sorted(found.items()))


def distributions(rows: Candidates, kept: BoolArray, bands: Sequence[Band] | None) -> Json:
    """`{"source", "class", "entropy", "slice": {name: rows}, "keys": {path: {"values", "most", "mean"}}}` of some rows.

    Args: kept: bool (N,). bands: of the config; entropies between them are bands too, without any these are fifths.
    """
    chosen = np.flatnonzero(kept).tolist()
    edges = sorted({0.0, 1.0, *(edge for band in bands for edge in band)}) if bands else []
    shown = list(zip(edges[:-1], edges[1:], strict=True)) or _FIFTHS
    within = Counter(_band(rows.entropy[index], shown) for index in chosen)
    return {
        "source": _counted(rows.sources, chosen),
        "class": _counted(rows.classes, chosen),
        "entropy": {f"{low:g} to {high:g}": within[number] for number, (low, high) in enumerate(shown)},
        "slice": _counted(rows.slices, chosen),
        "keys": _by_key([rows.keys[index] for index in chosen]),
    }


def _counted(names: Sequence[str], chosen: Sequence[int]) -> dict[str, int]:
    """Rows of each name that any row has, also of those that none of the chosen ones has."""
    found = Counter(names[index] for index in chosen)
    return {name: found[name] for name in sorted(set(names))}


def _by_key(keys: Sequence[Mapping[str, str]]) -> Json:
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for own in keys:
        for path, value in own.items():
            if value:
                found[path][value] += 1
    return {
        path: {"values": len(counts), "most": max(counts.values()), "mean": round(counts.total() / len(counts), 3)}
        for path, counts in found.items()
    }
