"""The ablation in Markdown: one row for each ingredient and student, how far it is from the base run, and its hours."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from distill.report import formats
from distill.report.table_model import Column, Sheet
from distill.report.tables import markdown

Figures = Mapping[str, Any]
MAIN, LOSS = "f1_macro", "log_loss"
_SCALE = {MAIN: (100, 2), LOSS: (1, 4)}
_TEXT = (
    "One ingredient at a time on top of the project's defaults (`base`), no student with more steps than the base "
    "run's. Differences to the base run's student on all test rows, with 95% intervals, paired: macro F1 in points, "
    "log loss as it is (lower is better). Hours: of every step that the run is made of, those that it shares with the "
    "base run included."
)


def markdown_ablation(result: Figures) -> str:
    """The chapter of a result: each set by itself, then what each ingredient sets."""
    parts = [f"# {result['title']}", _TEXT]
    for found in result["sets"]:
        seeds = f"Seeds 1 to {found['seeds']}." if found["seeds"] > 1 else "One seed."
        parts += [f"## {found['title']}", seeds, _table(list(_rows(found)))]
    return "\n\n".join([*parts, "## What each sets", _words(result["sets"])]) + "\n"


def markdown_changes(result: Figures) -> str:
    """The main table: the ingredients of all sets, with the two differences."""
    rows = [row for found in result["sets"] for row in _rows(found) if row["ingredient"] != "base"]
    columns = [Column("Data set", lambda row: row["set"], kind="name"), *_COLUMNS[:2], _change(MAIN), _change(LOSS)]
    return markdown(Sheet("", columns, rows))


def change(result: Figures, name: str, ingredient: str, metric: str) -> str:
    """The difference that an ingredient made to the first student of a set."""
    found = next(one for one in result["sets"] if one["name"] == name)
    cell = next(one for one in found["cells"] if one["ingredient"] == ingredient)
    row = next(iter(cell["students"].values()))["difference"][metric]
    return formats.signed_interval(row["difference"], row, *_SCALE[metric])


def _rows(found: Figures) -> Iterator[dict[str, Any]]:
    """The base, then each cell, once for each student; a cell without figures once, with the reason."""
    for cell in ({"ingredient": "base", **found["base"]}, *found["cells"]):
        kept = {"set": found["name"], "ingredient": cell["ingredient"], "hours": cell["hours"], "error": cell["error"]}
        for name, student in cell["students"].items() or [(formats.MISSING, {})]:
            yield {**kept, "status": cell["status"], "student": name, **student}


def _table(rows: Sequence[Figures]) -> str:
    hours = Column("Hours", lambda row: f"{row['hours']:.2f}")
    steps = Column("Steps", lambda row: formats.integer(row.get("steps")))
    f1 = Column("Macro F1", lambda row: formats.percent(row.get("quality", {}).get(MAIN)))
    loss = Column("Log loss", lambda row: formats.fixed(row.get("quality", {}).get(LOSS), 4))
    return markdown(Sheet("", [*_COLUMNS, f1, _change(MAIN), loss, _change(LOSS), steps, hours], rows))


def _change(metric: str) -> Column:
    def cell(row: Figures) -> str:
        found = row.get("difference", {}).get(metric)
        return formats.signed_interval(found["difference"], found, *_SCALE[metric]) if found else formats.MISSING

    return Column({MAIN: "Δ macro F1", LOSS: "Δ log loss"}[metric], cell)


def _came(row: Figures) -> str:
    return str(row["status"]) if row["error"] is None else f"{row['status']}: {row['error']}"


def _words(sets: Sequence[Figures]) -> str:
    """One row for each ingredient, with its overrides on the first set that has it."""
    cells = {cell["ingredient"]: cell for found in reversed(sets) for cell in found["cells"]}
    columns = [
        Column("Ingredient", lambda cell: cell["ingredient"], kind="name"),
        Column("What it does", lambda cell: cell["words"], kind="prose"),
        Column("Overrides", lambda cell: " ".join(f"`{line}`" for line in cell["sets"]), kind="prose"),
    ]
    return markdown(Sheet("", columns, list(cells.values())))


_COLUMNS = [
    Column("Ingredient", lambda row: row["ingredient"], kind="name"),
    Column("Student", lambda row: row["student"], kind="name"),
    Column("Run", _came, kind="text"),
]
