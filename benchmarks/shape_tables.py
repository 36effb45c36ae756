"""The table of what shapes alone are worth in speed, in Markdown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.figures import Figure
from benchmarks.study_tables import page, table
from distill.report import formats

Result = Mapping[str, Any]
_HEAD = ["Model", "Tokens", "p50, ms", "Over the teacher in PyTorch", "Over the teacher's fastest file"]
_TEACHER, _BEST = (
    ("speedup_vs_teacher", "speedup_low", "speedup_high"),
    ("speedup_vs_best_teacher", "best_low", "best_high"),
)
SHAPES: dict[str, Figure] = {
    # Of a model: how many times as fast as the document teacher in PyTorch, and as its fastest file.
    "speed": lambda result, model: _times(_row(result, model), *_TEACHER),
    "over_fastest": lambda result, model: _times(_row(result, model), *_BEST),
    "p50": lambda result, model: f"{_row(result, model)['p50_ms']:.3g} ms",
}


def markdown_shapes(result: Result) -> str:
    """A page with every model, and what the machine was doing."""
    machine, settings = result["environment"], result["settings"]
    text = (
        "Random weights: what a model of such a shape knows is not asked here. Requests of one record each are rows of "
        "wdc_products whose products are nowhere in training; the teacher reads documents of at most 256 tokens, "
        "students cards of at most 64. From record to label, tokenisation included, in fresh processes in turns, "
        f"{settings['threads']} threads each; intervals are over processes. *Tokens*: the median. Machine: "
        f"{machine['cpu']}, {machine['cores']} cores, {', '.join(machine['cpu_flags'])}, at a load of "
        f"{machine['load_1min']}."
    )
    return page(result["title"], text, _HEAD, _rows(result))


def markdown_shapes_alone(result: Result) -> str:
    """The table of every model."""
    return table(_HEAD, _rows(result))


def _rows(result: Result) -> list[list[str]]:
    return [
        [f"`{row['model']}`", str(row["tokens"]), f"{row['p50_ms']:.3g}", _times(row, *_TEACHER), _times(row, *_BEST)]
        for row in result["rows"]
        if row["batch"] == 1
    ]


def _row(result: Result, model: str) -> Result:
    return next(row for row in result["rows"] if row["model"] == model and row["batch"] == 1)


def _times(row: Result, value: str, low: str, high: str) -> str:
    return formats.times_interval(row[value], {"low": row[low], "high": row[high]})
