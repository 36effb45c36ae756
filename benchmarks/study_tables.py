"""The tables of the studies that chose how models are trained, in Markdown."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

_KINDS = {"raw": "last weights", "a3": "average, power 3", "a7": "average, power 7", "a15": "average, power 15"}
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
        "after warm-up. Test figures of every half epoch stand in the JSON file; nothing was chosen by them."
    )
    return _page(result["title"], f"{text} {result.get('remark', '')}".rstrip(), head, rows)


def markdown_recipes(result: Figures) -> str:
    """Each recipe: how far it stood behind the best one of each set on validation."""
    sets = sorted({name for row in result["rows"] for name in row["sets"]})
    head = ["Recipe", *(f"{name}: log loss / macro F1 (steps)" for name in sets), "log loss behind the best, mean"]
    rows = []
    for row in result["rows"]:
        cells = [_recipe_cell(row["sets"].get(name)) for name in sets]
        rows.append([row["recipe"], *cells, f"{100 * row['log_loss_behind']:.1f}%"])
    text = (
        "Gold cards only, one seed, on validation. These fits decayed the rate from their best checkpoint on; averages "
        "of the weights have taken the place of that decay since."
    )
    return _page(result["title"], text, head, rows)


def _recipe_cell(one: Figures | None) -> str:
    if one is None:
        return "–"
    if "error" in one:
        return "failed"
    return f"{one['log_loss']:.4f} / {100 * one['f1_macro']:.1f} ({one['steps']})"


def _page(title: str, text: str, head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    table = "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
    return f"# {title}\n\n{text}\n\n{table}\n"


CHAPTERS: dict[str, Callable[[Figures], str]] = {
    "averaging_study": markdown_averages,
    "training_defaults": markdown_recipes,
}
