"""Which of a source's layers a shallower student starts from."""

from __future__ import annotations


def evenly_spread(source: int, kept: int) -> list[int]:
    """Indices of `kept` layers spread evenly over `source` layers, the first and the last among them.

    Layer i of the student comes from layer round(i·(L−1)/(N−1)) of the source, with L = `source` and N = `kept`;
    halves go up. 12 → 8: 0 2 3 5 6 8 9 11. A single layer is the first, the one that reads embeddings.

    Raises: ValueError when `kept` is not between 1 and `source`; the message shows both.
    """
    _check(source, kept)
    if kept == 1:
        return [0]
    # Whole numbers only: round() sends halves to the even neighbour (2.5 → 2 but 3.5 → 4), which spreads unevenly.
    gaps = kept - 1
    return [(2 * i * (source - 1) + gaps) // (2 * gaps) for i in range(kept)]


def first(source: int, kept: int) -> list[int]:
    """Indices of the first `kept` of `source` layers.

    Raises: ValueError when `kept` is not between 1 and `source`; the message shows both.
    Source: Sajjad et al. 2020, "Poor Man's BERT", arXiv:2004.03844, top-layer dropping.
    """
    _check(source, kept)
    return list(range(kept))


RULES = {"spread": evenly_spread, "first": first}
"""Each rule by the name that a student's `keep` has."""


def _check(source: int, kept: int) -> None:
    if not 1 <= kept <= source:
        raise ValueError(f"cannot keep {kept} of {source} layers: keep between 1 and {source}")
