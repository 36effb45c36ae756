"""The tables of each part of the GPU kit, from its figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from distill.core.files import Json


class Table(NamedTuple):
    """A table of figures. Attributes: words: before it."""

    words: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]


def _parity(figures: Json) -> Sequence[Table]:
    """One row per target and provider."""
    words = (
        f"A student of {figures['layers']} layers of width {figures['width']} with random weights, {figures['rows']} "
        "cards and a grid of batches and lengths, against PyTorch in fp32 on the processor."
    )
    return [
        Table(
            words,
            ["Target", "Provider", "Largest difference of a logit", "Declared", "Labels changed", "In batches of 32"],
            [_parity_row(cell) for cell in figures["cells"]],
        )
    ]


def _parity_row(cell: Json) -> list[str]:
    head = [f"`{cell['target']}`", cell["provider"] or "–"]
    if cell["outcome"] != "measured":
        return [*head, cell["outcome"].replace("|", "\\|"), "–", "–", "–"]
    largest = "not finite" if cell["max_abs_diff"] is None else f"{cell['max_abs_diff']:.1e}"
    declared = "–" if cell["declared"] is None else f"{cell['declared']:.0e}"
    return [*head, largest, declared, *(f"{100 * cell[key]:.2f}%" for key in ("label_flips", "label_flips_large"))]


def _labelling(figures: Json) -> Sequence[Table]:
    """One row per model and batch."""
    best = figures["peak"]
    words = (
        f"Pairs of these tokens in the mean, 0.5 to 1.5 times as long; from records on disk to "
        f"shards of logits on disk. Peak: {best['tflops']:.0f} TFLOP/s, a {best['dtype']} product of {best['size']}³ "
        "on random values, measured in the same process. Padding counts as no work."
    )
    words += "".join(f" Not timed: {name}, {why}." for name, why in figures.get("left_out", {}).items())
    rows = [
        [
            f"{cell['layers']} × {cell['width']}",
            str(cell["mean_tokens"]),
            f"{cell['batch_tokens']:,}",
            "no" if cell["unpadded"] else "yes, compiled" if cell["compiled"] else "yes",
            f"{cell['rows']:,}",
            f"{cell['pairs_per_s']:,.0f}",
            f"{cell['tflops']:.1f}",
            f"{100 * cell['share_of_peak']:.1f}%",
        ]
        for cell in figures["cells"]
    ]
    head = [
        "Layers × width",
        "Mean tokens",
        "Tokens of a batch",
        "Padding",
        "Pairs",
        "Pairs/s",
        "TFLOP/s",
        "Of the peak",
    ]
    asked = [[one["what"], f"{one['required']:,}", f"{one['measured']:,.3g}"] for one in figures["bounds"]]
    told = [Table("Asked of one H100.", ["Figure", "At least", "Measured"], asked)] if asked else []
    return [Table(words, head, rows), *told]


def _training(figures: Json) -> Sequence[Table]:
    """One row per model."""
    words = (
        f"Batches of {figures['batch']} pairs of {figures['mean_tokens']} tokens in the mean, mixed bf16, soft labels "
        f"from disk, the optimiser's step included; {figures['steps']} steps."
    )
    rows = [
        [
            f"{cell['layers']} × {cell['width']}",
            f"{cell['steps_per_s']:.1f}",
            f"{cell['step_ms']:.1f}",
            f"{cell['rows_per_s']:,.0f}",
            "–" if cell["peak_gib"] is None else f"{cell['peak_gib']:.1f}",
        ]
        for cell in figures["cells"]
    ]
    return [Table(words, ["Layers × width", "Steps/s", "ms a step", "Pairs/s", "Peak GiB"], rows)]


def _serving(figures: Json) -> Sequence[Table]:
    """One row per artifact, and why others have none."""
    words = (
        f"A student of {figures['layers']} layers of width {figures['width']}, {figures['requests']} cards, "
        f"tokenisation included; in batches of {figures['batch']}. Faster: against {figures['baseline']}."
    )
    head = ["Model", "Tokens", "p50 ms", "p95 ms", "Tokenise ms", "Faster at 1", "Cards/s", "Faster in batches"]
    rows = [
        [
            cell["model"],
            str(cell["tokens"]),
            *(f"{cell[key]:.2f}" for key in ("p50_ms", "p95_ms", "tokenise_ms")),
            _times(cell.get("faster_at_1")),
            f"{cell['per_s']:,.0f}",
            _times(cell.get("faster_in_batches")),
        ]
        for cell in figures["cells"]
    ]
    out = [[name, reason.replace("|", "\\|")] for name, reason in figures["left_out"].items()]
    more = [Table("Not timed:", ["Model", "Why"], out)] if out else []
    return [Table(words, head, rows), *more]


def _times(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}×"


def _tests(figures: Json) -> Sequence[Table]:
    """One row per test."""
    counts = Counter(one["outcome"] for one in figures["tests"])
    words = f'`pytest -m "gpu or tensorrt"`: {", ".join(f"{count} {name}" for name, count in sorted(counts.items()))}.'
    rows = [
        [f"`{one['name']}`", one["outcome"], f"{one['seconds']:.1f}", one["said"].replace("|", "\\|") or "–"]
        for one in figures["tests"]
    ]
    return [Table(words, ["Test", "Outcome", "Seconds", "Said"], rows)]


def _quality(figures: Json) -> Sequence[Table]:
    """One row per command."""
    how = "side by side through CUDA's multi-process service" if figures["together"] else "side by side, taking turns"
    rows = [
        [f"`{cell['table']}`", cell["outcome"], f"{cell['seconds']:.0f}", cell["said"].replace("|", "\\|") or "–"]
        for cell in figures["cells"]
    ]
    return [Table(f"Run {how}; what they measured is in their own results.", ["Table", "Outcome", "s", "Said"], rows)]


TABLES: Mapping[str, Callable[[Json], Sequence[Table]]] = {
    "parity": _parity,
    "labelling": _labelling,
    "training": _training,
    "serving": _serving,
    "tests": _tests,
    "quality": _quality,
}
"""The tables of a part, by its name."""
