"""Which of a source's layers a shallower student starts from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from distill.core.errors import UserError

PROBE = "probe"
"""The `keep` of layers that are chosen by measuring the source, see `distill/training/layer_probe.py`."""


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


def last(source: int, kept: int) -> list[int]:
    """Indices of the last `kept` of `source` layers.

    Raises: ValueError when `kept` is not between 1 and `source`; the message shows both.
    Source: Sajjad et al. 2020, "Poor Man's BERT", arXiv:2004.03844, bottom-layer dropping.
    """
    _check(source, kept)
    return list(range(source - kept, source))


RULES: Mapping[str, Callable[[int, int], list[int]]] = {"spread": evenly_spread, "first": first, "last": last}
"""Each rule by the name that a student's `keep` has."""


def kept_layers(source: int, kept: int | None, keep: str | Sequence[int]) -> list[int]:
    """Indices of the layers that a student keeps of `source` layers, in order.

    Args: kept: how many, at most `source`; None: all. keep: a rule's name, or the indices themselves, below `source`;
        `probe`, before anything was measured, stands for an even spread.
    """
    if not isinstance(keep, str):
        return list(keep)
    if kept is None:
        return list(range(source))
    if keep == PROBE:
        return evenly_spread(source, kept)
    return RULES[keep](source, kept)


def require_source(model: str, source: int, kept: int | None, keep: str | Sequence[int]) -> None:
    """Check that a source has the layers that a student, or a teacher, keeps.

    Args: model: the key of its entry, for the message. source, kept, keep: as `kept_layers`.
    Raises: UserError naming the model and both numbers.
    """
    if not isinstance(keep, str) and keep[-1] >= source:
        raise UserError(
            "the model keeps a layer that its source has not",
            where=f"{model}.keep",
            found=f"layer {keep[-1]} of layers 0 to {source - 1}",
            do="name layers that there are, counted from 0, or give a student a start of its own (start)",
        )
    if kept is not None and kept > source:
        raise UserError(
            "the model has more layers than its source",
            where=f"{model}.layers",
            found=f"{kept} of {source}",
            do=f"keep at most {source} layers (--student names others), or start from something deeper",
        )


def _check(source: int, kept: int) -> None:
    if not 1 <= kept <= source:
        raise ValueError(f"cannot keep {kept} of {source} layers: keep between 1 and {source}")
