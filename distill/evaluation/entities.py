"""Which rows share what: the entities of each row, their values drawn together, and variances over what rows share.

A row has one value of each key. Values that two keys have in common are one entity, which may be on either side
(dyadic data); a row with the same entity on both sides has it once.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from distill.evaluation.metrics import FloatArray

_NONE = -1

Numbers = NDArray[np.int64]


class Entities:
    """The entities of N rows, from the values of their keys.

    Args: keys: int (N, K), a number for each value; equal numbers are the same entity in all columns.

    Attributes:
        populations: for each group of keys that share values, how many entities it has.
        cells: int (C, K), the distinct sets of entities of the rows, as places in the populations laid end to end; −1
            after the last of a smaller set. cell: int (N,), the cell of each row.
    """

    def __init__(self, keys: Numbers) -> None:
        places, self.populations = _placed(keys)
        ordered = np.sort(places, axis=1)
        again = np.zeros(ordered.shape, np.bool_)
        again[:, 1:] = ordered[:, 1:] == ordered[:, :-1]
        sets = np.sort(np.where(again, np.iinfo(np.int64).max, ordered), axis=1)
        self.cells, self.cell = _distinct(np.where(sets == np.iinfo(np.int64).max, _NONE, sets))
        self._columns = [np.unique(column, return_inverse=True)[1] for column in places.T]
        self._levels = [self._shared(size) for size in range(1, keys.shape[1] + 1)]

    def weights(self, drawn: NDArray[np.uint16]) -> NDArray[np.uint16]:
        """How often each cell is drawn, (r, C): the product over its entities. Args: drawn: (r, E), of each entity."""
        if self.cells.shape[1] == 1:
            return drawn
        each = np.concatenate([drawn, np.ones((len(drawn), 1), np.uint16)], axis=1)  # −1 is the last column
        found = each[:, self.cells[:, 0]]
        for column in self.cells.T[1:]:
            found = found * each[:, column]
        return found

    def narrowing(self, influence: FloatArray) -> float:
        """By what the deviations of product weights are to be multiplied: √(V / P), at most 1.

        P is the variance that product weights give, Σ_k L_k, and V that of `variance`.

        Args: influence: (D, N), of D figures whose variances are added up.
        """
        shared, product = self._variances(influence)
        return float(np.sqrt(min(1.0, shared / product))) if np.isfinite(product) and product > 0 else 1.0

    def variance(self, influence: FloatArray) -> float:
        """The variance of sums over rows of which any two may depend on each other if they share an entity.

        Σ_k (−1)^(k+1) L_k, but no less than that of any one key alone, or of the cells alone. L_k is the sum over every
        set of k entities of the squared influence of the rows that have them all.

        Args: influence: (D, N), what each row adds to D figures, 0 in sum; their variances are added up.
        """
        return self._variances(influence)[0]

    def _variances(self, influence: FloatArray) -> tuple[float, float]:
        by_cell: FloatArray = np.stack([np.bincount(self.cell, row, len(self.cells)) for row in influence])
        levels = [_squares(by_cell[:, cells], groups) for cells, groups in self._levels]
        any_shared = sum(level * (-1) ** size for size, level in enumerate(levels))
        alone = [_squares(influence, column) for column in self._columns]
        return max(any_shared, float((by_cell**2).sum()), *alone), float(sum(levels))

    def _shared(self, size: int) -> tuple[Numbers, Numbers]:
        """Every set of `size` entities that a cell has: cells, and the number of the set that each has."""
        chosen = [list(places) for places in combinations(range(self.cells.shape[1]), size)]
        having = [np.flatnonzero((self.cells[:, places] != _NONE).all(axis=1)) for places in chosen]
        sets = [self.cells[cells][:, places] for cells, places in zip(having, chosen, strict=True)]
        return np.concatenate(having), _distinct(np.concatenate(sets))[1]


def _placed(keys: Numbers) -> tuple[Numbers, list[int]]:
    """Places of the entities (N, K), population after population, and the size of each population."""
    places = np.empty_like(keys)
    sizes: list[int] = []
    for columns in _populations(keys):
        names, inverse = np.unique(keys[:, columns], return_inverse=True)
        places[:, columns] = inverse.reshape(len(keys), len(columns)) + sum(sizes)
        sizes.append(len(names))
    return places, sizes


def _populations(keys: Numbers) -> list[list[int]]:
    """The columns in groups that share values, each group in the order of its first column."""
    found: list[tuple[list[int], Numbers]] = []
    for column in range(keys.shape[1]):
        values = np.unique(keys[:, column])
        near = [group for group in found if np.isin(values, group[1], assume_unique=True).any()]
        columns = sorted([column, *(one for group in near for one in group[0])])
        merged = columns, np.unique(np.concatenate([values, *(group[1] for group in near)]))
        apart = [group for group in found if group[0][0] not in columns]
        found = sorted([*apart, merged], key=lambda group: group[0][0])
    return [columns for columns, _ in found]


def _distinct(rows: Numbers) -> tuple[Numbers, Numbers]:
    """The distinct rows of (N, K), and the number of each row's."""
    number = np.zeros(len(rows), np.int64)
    for column in rows.T:
        inverse = np.unique(column, return_inverse=True)[1]
        number = np.unique(number * (inverse.max(initial=0) + 1) + inverse, return_inverse=True)[1].astype(np.int64)
    first = np.unique(number, return_index=True)[1]
    return rows[first], number


def _squares(values: FloatArray, groups: Numbers) -> float:
    """Sum over rows (D, N) and groups of the squared sums of a group."""
    return float(sum((np.bincount(groups, row) ** 2).sum() for row in values))
