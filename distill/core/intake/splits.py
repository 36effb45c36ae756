"""Splits made by seeded hashes of keys, so that the same key always comes to the same part.

Rows that keys join, directly or through other rows, come to one part together, so none has to be dropped. Only a group
over a twentieth of all rows is divided: each of its keys goes to a part by itself, and the rows whose keys fall apart
are dropped. The shares are those of the rows that remain.
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
    places = _places(keys, seed, salt)
    borders = _borders(places, [share for share in shares.values() if share])
    found = np.searchsorted(borders, places, side="right")
    crossing: list[Record] = []
    for record, (first, last) in zip(records, found.tolist(), strict=True):
        (parts[names[first]] if first == last else crossing).append(record)
    if len(crossing) > MOST_CROSSING * len(records):
        raise _too_many(len(crossing), len(records))
    return parts, crossing


def _places(keys: Sequence[Sequence[str]], seed: int, salt: str) -> NDArray[np.float64]:
    """The lowest and the highest hash of each record's keys, (N, 2): one number for a group that stays together."""
    groups = _Groups()
    for own in keys:
        groups.join(own)
    sizes = Counter(groups.of(own[0]) for own in keys)
    places = np.empty((len(keys), 2))
    for index, own in enumerate(keys):
        group = groups.of(own[0])
        whole = len(set(own)) == 1 or sizes[group] <= _DIVIDED * len(keys)
        hashes = [unit(seed, salt, key) for key in ([own[0]] if len(set(own)) == 1 else [group] if whole else own)]
        places[index] = min(hashes), max(hashes)
    return places


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
    """Where the parts end, so that the rows that remain have these shares. Args: shares: of one or two parts."""
    if (places[:, 0] == places[:, 1]).all():
        return np.cumsum(shares)
    # inside[i, j]: rows whose hashes all lie in [i, j), in hundredths.
    counts, _, _ = np.histogram2d(places[:, 0], places[:, 1], bins=_STEPS, range=[[0, 1], [0, 1]])
    below = np.vstack([counts[::-1].cumsum(axis=0)[::-1], np.zeros(_STEPS)])
    inside = np.hstack([np.zeros((_STEPS + 1, 1)), below.cumsum(axis=1)])
    ends = range(_STEPS + 1)
    ways = [(a,) for a in ends] if len(shares) == 1 else [(a, b) for a in ends for b in ends[a:]]
    return np.array(min(ways, key=lambda way: _distance(inside, way, shares))) / _STEPS


def _distance(inside: NDArray[np.float64], borders: Sequence[int], shares: Sequence[float]) -> float:
    """How far the shares of the rows between the borders are from those that are wanted."""
    starts, ends = [0, *borders], [*borders, _STEPS]
    rows = [inside[start, end] for start, end in zip(starts, ends, strict=True)]
    kept = sum(rows)
    return sum(abs(own / kept - share) for own, share in zip(rows, shares, strict=False)) if kept else 2.0


def _too_many(crossing: int, rows: int) -> UserError:
    return UserError(
        "splitting by keys would drop most of the rows, because their sides fall into different parts",
        where="data.split",
        found=f"crosses_split {crossing} of {rows} rows ({crossing / rows:.1%})",
        do="split by one side's key (data.keys), lower data.split.test and data.split.valid, or give splits as files",
    )
