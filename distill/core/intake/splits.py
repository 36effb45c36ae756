"""Splits made by seeded hashes of keys, so that the same key always comes to the same part.

Rows that keys join, directly or through other rows, come to one part together, so none has to be dropped. Only a group
over a twentieth of all rows is divided: each of its keys goes to a part by itself, and the rows whose keys fall apart
are dropped. The shares are those of the rows that remain. What has more rows than any part should have is training's,
and so is one row, with those it has to be with, of a class that would be in no training row.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from distill.core.errors import UserError
from distill.core.intake.config import Split
from distill.core.intake.hashing import unit
from distill.core.records import Record

KEY_TEST = "test.unseen"
MOST_CROSSING = 0.65  # two keys that go together at random lose 61% at the default shares
_DIVIDED = 0.05
_TRAIN = 1 - 2**-53  # a place among the training rows, whatever the shares
_STEPS = 100  # borders are searched for in hundredths, so that a few more rows seldom move one

Parts = dict[str, list[Record]]


def made_parts(
    records: Sequence[Record], config: Split, seed: int, names: Sequence[str] | None = None
) -> tuple[Parts, list[Record]]:
    """Train, valid and test with no key in two of them; and the records whose keys fall into different parts.

    A key's value alone counts, so one product keeps to one part on either side. Only the keys in `config.keys` count
    where it names some, and none in mode `random`: then only equal names keep together.

    Args: names: what stands for the keys of a record without any; None: its id.
    Raises: UserError when over 65% of the records cross.
    """
    shares = {KEY_TEST: config.test, "valid": config.valid}
    wanted = [] if config.mode == "random" else config.keys
    return _divided(records, _keys(records, names, wanted), shares, seed, "split")


def hold_out(
    records: Sequence[Record], share: float, seed: int, names: Sequence[str] | None = None
) -> tuple[Parts, list[Record]]:
    """Train and valid, where no validation file is given: by keys, or names without any; as `made_parts`."""
    return _divided(records, _keys(records, names), {"valid": share}, seed, "hold out")


def _keys(
    records: Sequence[Record], names: Sequence[str] | None, wanted: Sequence[str] | None = None
) -> list[list[str]]:
    """The keys of each record; its name where it has none. Args: wanted: the columns that count; None: all."""
    named = zip(records, names or [record.id for record in records], strict=True)
    return [
        [key for path, key in record.keys.items() if key and (wanted is None or path in wanted)] or [name]
        for record, name in named
    ]


def _divided(
    records: Sequence[Record], keys: Sequence[Sequence[str]], shares: Mapping[str, float], seed: int, salt: str
) -> tuple[Parts, list[Record]]:
    """Records by part, the last one train; and those that cross. Args: shares: of the other parts, which may be 0."""
    names = [*(name for name, share in shares.items() if share), "train"]
    parts: Parts = {name: [] for name in reversed([*shares, "train"])}
    if len(names) == 1:
        return {**parts, "train": list(records)}, []
    wanted, units = [share for share in shares.values() if share], _units(keys)
    hashes = _hashes(units, wanted, seed, salt)
    places = _places(units, hashes)
    borders = _borders(places, wanted)
    if lost := _of_lost_classes(records, units, places, borders[-1]):
        places = _places(units, {**hashes, **dict.fromkeys(lost, _TRAIN)})
    found = np.searchsorted(borders, places, side="right")
    crossing: list[Record] = []
    for record, (first, last) in zip(records, found.tolist(), strict=True):
        (parts[names[first]] if first == last else crossing).append(record)
    if len(crossing) > MOST_CROSSING * len(records):
        raise _too_many(len(crossing), len(records))
    return parts, crossing


def _units(keys: Sequence[Sequence[str]]) -> list[Sequence[str]]:
    """What each record's place is drawn by: the group that stays together, or each of its keys where one is divided."""
    groups = _Groups()
    for own in keys:
        groups.join(own)
    sizes = Counter(groups.of(own[0]) for own in keys)
    return [[group] if sizes[group := groups.of(own[0])] <= _DIVIDED * len(keys) else own for own in keys]


def _hashes(units: Sequence[Sequence[str]], shares: Sequence[float], seed: int, salt: str) -> dict[str, float]:
    """Unit to its place in [0, 1): by a hash, and among the training rows for one that has more rows than any part.

    As long as enough is left for the parts: of a few keys of equal size some have to be larger than a part.
    """
    rows = Counter(name for own in units for name in set(own))
    places = {name: unit(seed, salt, name) for name in rows}
    large = [name for name, count in rows.items() if count > max(shares) * len(units)]
    left = len(units)
    for number, name in enumerate(sorted(large, key=lambda name: (-rows[name], places[name])), 1):
        left -= rows[name]
        if left < sum(shares) * len(units) or len(rows) - number < len(shares):
            break
        places[name] = _TRAIN
    return places


def _places(units: Sequence[Sequence[str]], hashes: Mapping[str, float]) -> NDArray[np.float64]:
    """The lowest and the highest place of each record's units, (N, 2)."""
    return np.array([(min(own), max(own)) for own in ([hashes[name] for name in names] for names in units)])


def _of_lost_classes(
    records: Sequence[Record], units: Sequence[Sequence[str]], places: NDArray[np.float64], border: float
) -> set[str]:
    """The units of one record of each class that no training row would have: the one that is nearest to them.

    Args: border: where the training rows begin.
    """
    known, lost = set[int](), set[str]()
    rows = zip(records, units, places.tolist(), strict=True)
    for record, own, (first, last) in sorted(rows, key=lambda row: (-row[2][0], row[0].id)):
        target = record.target
        if target is None or first < border <= last:
            continue
        classes = set(target.nonzero()[0].tolist())
        if first < border and not classes <= known:
            lost.update(own)
        known |= classes
    return lost


class _Groups:
    """Keys that rows join, each group named by its first key in the order of texts."""

    def __init__(self) -> None:
        self._parent: dict[str, str] = {}

    def join(self, keys: Sequence[str]) -> None:
        """Put the groups of all keys together."""
        roots = sorted({self.of(key) for key in keys})
        for root in roots:
            self._parent[root] = roots[0]

    def of(self, key: str) -> str:
        """The name of a key's group; a new key is a group of its own."""
        root = key
        while (above := self._parent.setdefault(root, root)) != root:
            root = above
        while key != root:
            self._parent[key], key = root, self._parent[key]
        return root


def _borders(places: NDArray[np.float64], shares: Sequence[float]) -> NDArray[np.float64]:
    """Where the parts end, so that the rows that remain have these shares. Args: shares: of one or two parts.

    Where no row crosses they end at the shares themselves, so that more rows move none, unless a few large keys make
    that far from what is asked for.
    """
    plain = np.cumsum(shares)
    if (places[:, 0] == places[:, 1]).all():
        parts = np.bincount(np.searchsorted(plain, places[:, 0], side="right"), minlength=len(shares) + 1)
        if not any(is_far(rows / len(places), share) for rows, share in zip(parts, shares, strict=False)):
            return plain
    # inside[i, j]: rows whose hashes all lie in [i, j), in hundredths.
    counts, _, _ = np.histogram2d(places[:, 0], places[:, 1], bins=_STEPS, range=[[0, 1], [0, 1]])
    below = np.vstack([counts[::-1].cumsum(axis=0)[::-1], np.zeros(_STEPS)])
    inside = np.hstack([np.zeros((_STEPS + 1, 1)), below.cumsum(axis=1)])
    ends = range(_STEPS + 1)
    ways = [(a,) for a in ends] if len(shares) == 1 else [(a, b) for a in ends for b in ends[a:]]
    return np.array(min(ways, key=lambda way: _distance(inside, way, shares))) / _STEPS


def is_far(share: float, wanted: float) -> bool:
    """Whether a part has under half of the rows that it should have, or over twice as many."""
    return not wanted / 2 <= share <= 2 * wanted


def _distance(inside: NDArray[np.float64], borders: Sequence[int], shares: Sequence[float]) -> tuple[int, float]:
    """How many parts are empty, and how far the shares of the rows between the borders are from those wanted."""
    starts, ends = [0, *borders], [*borders, _STEPS]
    rows = [inside[start, end] for start, end in zip(starts, ends, strict=True)]
    kept = sum(rows)
    far = sum(abs(own / kept - share) for own, share in zip(rows, shares, strict=False)) if kept else 2.0
    return rows.count(0), far


def _too_many(crossing: int, rows: int) -> UserError:
    return UserError(
        "splitting by keys would drop most of the rows, because their sides fall into different parts",
        where="data.split",
        found=f"crosses_split {crossing} of {rows} rows ({crossing / rows:.1%})",
        do="split by one side's key (data.keys), lower data.split.test and data.split.valid, or give splits as files",
    )
