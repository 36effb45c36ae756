"""What few rows can tell: how wide an interval of test rows will be at best, and which gates it hardly lets pass.

Two models on n clusters of test rows, which one alone has right on a share D of them, differ by ± z₀.₉₇₅ √(D / n).
A gate asks for the lower end r of that, so a model that truly is at v passes in four runs of five from
n = (z₀.₉₇₅ + z₀.₈)² D / (v − r)² on: the sample size of a paired comparison with a power of 80%.

Assumed is the best: D = 0.05, the least of students beside twin and card teacher on six public sets, where (half
width / 1.96)² · rows was 0.05 to 0.34 (`benchmarks/results/quality.json`), which is intervals up to 2.6 times as wide;
a student 3 points above its twin, as the best ones there, that keeps all of a card teacher without errors. A cluster
counts as one row, so an interval over few clusters of many different rows can be narrower.

Source: Connor 1987, "Sample size for testing differences in proportions for the paired-sample design", Biometrics 43;
without its term (v − r)², which is small beside D.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import NormalDist

from distill.core.project import Gates

ENOUGH_POSITIVES = 20  # validation rows of a class: at 2 a threshold for a precision of 0.9 had 0.8 in the median
_APART = 0.05
_BEST_GAIN = 0.03
_BOUND, _POWER = NormalDist().inv_cdf(0.975), NormalDist().inv_cdf(0.8)
_UNPROVEN = {
    "over_gold": "that the teachers were worth more than gold labels alone",
    "retention_card": "how much of the card teacher is kept",
}


def half_width(clusters: int) -> float:
    """Half the 95% interval of a difference of two models in accuracy or macro F1 at best, as a share."""
    return _BOUND * math.sqrt(_APART / clusters)


def enough_clusters(gates: Gates, gain: float) -> dict[str, int]:
    """By gate of quality the clusters from which on the best of students passes in four runs of five.

    Gates that are off, or ask for more than the best of students has, are left out.

    Args: gain: macro F1 of a card teacher without errors over the majority answer.
    """
    asked = {"over_gold": (gates.over_gold, _BEST_GAIN, 1.0), "retention_card": (gates.retention_card, 1.0, gain)}
    room = {name: (best - least) * unit for name, (least, best, unit) in asked.items() if least is not None}
    return {name: math.ceil(((_BOUND + _POWER) / one) ** 2 * _APART) for name, one in room.items() if one > 0}


def majority_gain(rows: Sequence[int], *, several: bool = False) -> float:
    """What macro F1 without errors is over the answer of the largest class. Args: rows: of each class.

    several: labels for each record, where that answer may be none.
    """
    present = [count for count in rows if count]
    if several or not present:
        return 1.0
    share = max(present) / sum(present)
    return 1 - 2 * share / (1 + share) / len(present)


def hardly_passed(clusters: int, enough: Mapping[str, int], what: str = "test rows") -> str | None:
    """Which gates so few clusters hardly let pass, and what to do; None where all can.

    Args: enough: of `enough_clusters`. what: the clusters in words.
    """
    short = {name: least for name, least in enough.items() if clusters < least}
    if not short:
        return None
    width = f"±{100 * half_width(clusters):.1f} points" if clusters else "nothing"
    needed = ", ".join(f"gates.{name} about {least}" for name, least in short.items())
    unproven = "; ".join(f"without {name} it is not proven {_UNPROVEN[name]}" for name in short)
    return (
        f"{clusters} {what} tell two models apart by {width} at best, and to pass in four runs of five the best of "
        f"students needs more, {needed}: give more test rows, or set the gate to null: {unproven}"
    )
