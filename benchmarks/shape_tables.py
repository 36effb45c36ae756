"""The table of what shapes alone are worth in speed, in Markdown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.figures import Figure
from benchmarks.study_tables import page, table
from distill.report import formats

Result = Mapping[str, Any]
_HEAD = ["Model", "Tokens", "p50, ms", "Over the teacher in PyTorch", "Over the teacher's fastest file"]
_KEPT = "Macro F1, of its card teacher's"
_OF_A_RUN = "Models with macro F1 are exported students of a run, with the weights that they learned. "
_TEACHER, _BEST = (
    ("speedup_vs_teacher", "speedup_low", "speedup_high"),
    ("speedup_vs_best_teacher", "best_low", "best_high"),
)
SHAPES: dict[str, Figure] = {
    # Of a model: how many times as fast as the document teacher in PyTorch, and as its fastest file.
    "speed": lambda result, model: _times(_row(result, model), *_TEACHER),
    "over_fastest": lambda result, model: _times(_row(result, model), *_BEST),
    "p50": lambda result, model: f"{_row(result, model)['p50_ms']:.3g} ms",
    # Of an exported student of a run: the share that it keeps of its card teacher's macro F1.
    "kept": lambda result, model: f"{formats.percent(result['trained'][model]['share_of_card_teacher'], 1)}%",
}


def markdown_shapes(result: Result) -> str:
    """A page with every model, and what the machine was doing."""
    machine, settings = result["environment"], result["settings"]
    text = (
        "Random weights: what a model of such a shape knows is not asked here. "
        f"{_OF_A_RUN if _trained(result) else ''}Requests of one record each are rows of "
        "wdc_products whose products are nowhere in training; the teacher reads documents of at most 256 tokens, "
        "students cards of at most 64. From record to label, tokenisation included, in fresh processes in turns, "
        f"{settings['threads']} threads each; intervals are over processes. *Tokens*: the median. Machine: "
        f"{machine['cpu']}, {machine['cores']} cores, {', '.join(machine['cpu_flags'])}, at a load of "
        f"{machine['load_1min']}."
    )
    return page(result["title"], text, _head(result), _rows(result))


def markdown_shapes_alone(result: Result) -> str:
    """The table of every model."""
    return table(_head(result), _rows(result))


def _trained(result: Result) -> Result:
    return result.get("trained") or {}


def _head(result: Result) -> list[str]:
    return [*_HEAD, *([_KEPT] if _trained(result) else [])]


def _rows(result: Result) -> list[list[str]]:
    trained = _trained(result)
    rows = []
    for row in result["rows"]:
        if row["batch"] == 1:
            cells = [f"`{row['model']}`", str(row["tokens"]), f"{row['p50_ms']:.3g}"]
            cells += [_times(row, *_TEACHER), _times(row, *_BEST)]
            rows.append([*cells, *([_kept(trained.get(row["model"]))] if trained else [])])
    return rows


def _kept(quality: Result | None) -> str:
    """`73.97, 95.2% of 77.71`; a dash for random weights."""
    if quality is None:
        return formats.MISSING
    own, whole = formats.percent(quality["f1_macro"]), formats.percent(quality["card_teacher"])
    return f"{own}, {formats.percent(quality['share_of_card_teacher'], 1)}% of {whole}"


def _row(result: Result, model: str) -> Result:
    return next(row for row in result["rows"] if row["model"] == model and row["batch"] == 1)


def _times(row: Result, value: str, low: str, high: str) -> str:
    return formats.times_interval(row[value], {"low": row[low], "high": row[high]})
