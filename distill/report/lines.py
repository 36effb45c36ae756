"""What commands say in plain lines: a comparison, a pre-trained encoder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from distill.core.files import Json


def comparison_lines(found: Sequence[Json]) -> list[str]:
    """Paired differences of two models, one metric a line of at most 80 characters; over several seeds two."""
    return [line for row in found for line in _comparison(row)]


def curve_lines(curve: Mapping[str, Any], encoder: Path) -> list[str]:
    """What pre-training came to, and how to use it."""
    last = curve["curve"][-1]
    return [
        f"{curve['steps']} steps on {curve['rows']} rows; of {curve['held_out']} held-out ones "
        f"{last['mlm_accuracy']:.1%} of masked words and {last['pair_matching_accuracy']:.1%} of pairs are right",
        f"encoder: {encoder} (distill … --checkpoint {encoder})",
    ]


def _comparison(row: Json) -> Iterator[str]:
    scale, unit = (1.0, " nats") if row["metric"] == "log_loss" else (100.0, " points")
    difference, low, high = (scale * row[key] for key in ("difference", "low", "high"))
    around = f"({low:+.3f} to {high:+.3f}){unit}"
    yield f"{row['metric']:<12} {difference:+.3f} {around}, p = {row['p_value']:.3f}, Holm {row['p_holm']:.3f}"
    if ends := [scale * end for end in row.get("spread", [])]:
        yield f"{'':<12} seeds {ends[0]:+.3f} to {ends[1]:+.3f}"
