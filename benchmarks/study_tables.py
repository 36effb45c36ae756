"""The tables of the studies that chose how models are trained, in Markdown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_KINDS = {"raw": "last weights", "a3": "average, power 3", "a7": "average, power 7", "a15": "average, power 15"}
_BEHIND = "log loss behind the best, mean"
Figures = Mapping[str, Any]


def markdown_averages(result: Figures) -> str:
    """Each set and recipe: where log loss on validation was lowest, for the last weights and for each average."""
    head = ["Set", "Recipe", *(f"{name}: log loss / macro F1 (epoch)" for name in _KINDS.values())]
    rows = []
    for name, run in result["runs"].items():
        dataset, _, recipe = name.partition("/")
        cells = [
            f"{one['log_loss']:.4f} / {100 * one['f1_macro']:.1f} ({one['epoch']:g})"
            for one in (run["best"][kind] for kind in _KINDS)
        ]
        rows.append([dataset, recipe, *cells])
    text = (
        "Gold cards only, one seed; log loss after its temperature, on validation; batches of 16, a constant rate "
        "after warm-up. The JSON file holds test figures of every half epoch; nothing was chosen by them."
    )
    return page(result["title"], f"{text} {result.get('remark', '')}".rstrip(), head, rows)


def markdown_best_averages(result: Figures) -> str:
    """The main table: the lowest log loss on validation of each set, over its recipes, of each kind of weights."""
    sets: dict[str, list[Figures]] = {}
    for name, run in result["runs"].items():
        sets.setdefault(name.partition("/")[0], []).append(run["best"])
    head = ["Set: lowest log loss", *_KINDS.values()]
    rows = [
        [name, *(f"{min(best[kind]['log_loss'] for best in found):.4f}" for kind in _KINDS)]
        for name, found in sets.items()
    ]
    return table(head, rows)


def markdown_recipes(result: Figures) -> str:
    """Each recipe: how far it was behind the best one of each set on validation."""
    sets = sorted({name for row in result["rows"] for name in row["sets"]})
    head = ["Recipe", *(f"{name}: log loss / macro F1 (steps)" for name in sets), _BEHIND]
    rows = []
    for row in result["rows"]:
        cells = [_recipe_cell(row["sets"].get(name)) for name in sets]
        rows.append([row["recipe"], *cells, _behind(row)])
    return page(result["title"], "Gold cards only, one seed, on validation.", head, rows)


def markdown_recipes_alone(result: Figures) -> str:
    """The main table: how far each recipe was behind the best one, mean over the sets."""
    return table(["Recipe", _BEHIND], [[row["recipe"], _behind(row)] for row in result["rows"]])


def _behind(row: Figures) -> str:
    return f"{100 * row['log_loss_behind']:.1f}%"


def _recipe_cell(one: Figures | None) -> str:
    if one is None:
        return "–"
    if "error" in one:
        return "failed"
    return f"{one['log_loss']:.4f} / {100 * one['f1_macro']:.1f} ({one['steps']})"


def page(title: str, text: str, head: list[str], rows: list[list[str]]) -> str:
    """A page with a title, some words and a table."""
    return f"# {title}\n\n{text}\n\n{table(head, rows)}\n"


def table(head: list[str], rows: list[list[str]]) -> str:
    """A table with a row of headings."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
