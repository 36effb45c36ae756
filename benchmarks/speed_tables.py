"""The table of training speed, in Markdown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.figures import Figure
from benchmarks.study_tables import page, table

Figures = Mapping[str, Any]
_HEAD = ["Loop", "Seconds", "Of them labelling", "Our whole is faster by"]
_NAMES = {
    "own": "labels stored, then training",
    "own_online": "our loop, the teacher in each step",
    "textbrewer_online": "TextBrewer, the teacher in each step",
    "textbrewer_cached": "TextBrewer, cached logits",
}
_RATIOS = {
    "own_online": "vs_own_online",
    "textbrewer_online": "total_vs_textbrewer_online",
    "textbrewer_cached": "total_vs_textbrewer_cached",
}
SPEED: dict[str, Figure] = {"times": lambda result, name: f"{result['ratios'][name]['value']:.2f}×"}


def markdown_speed(result: Figures) -> str:
    """A page with every loop."""
    text = (
        f"{result['rows']:,} rows at most, {result['epochs']} epochs, a student of {result['layers']} "
        f"of {result['teacher_layers']} layers, "
        f"{result['threads']} threads, fp32; the same rows, batches and models in every loop. Medians of "
        f"{result['rounds']} rounds in which the loops take turns; in brackets the least and the most of the ratios."
    )
    return page(result["title"], text, _HEAD, _rows(result))


def markdown_speed_alone(result: Figures) -> str:
    """The table of every loop."""
    return table(_HEAD, _rows(result))


def _rows(result: Figures) -> list[list[str]]:
    rows = []
    for cell, name in _NAMES.items():
        one = result["cells"][cell]
        label = f"{one['label']:.1f}" if "label" in one else "–"
        ratio = _times(result["ratios"][_RATIOS[cell]]) if cell in _RATIOS else "–"
        rows.append([name, f"{one['seconds']:.1f}", label, ratio])
    return rows


def _times(ratio: Figures) -> str:
    return f"{ratio['value']:.2f}× ({ratio['low']:.2f}–{ratio['high']:.2f})"
