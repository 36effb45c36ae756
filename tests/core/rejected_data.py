"""Values that data, views, controls and sweeps refuse, for the table of every config."""

from __future__ import annotations

from typing import Any

from distill.core import grid, project
from distill.core.config import Config

MODULES = ("distill.core.grid",)
REJECTED: dict[type[Config], dict[str, Any]] = {
    project.Split: {"mode": "chance", "keys": [], "valid": 1.5, "test": -0.1},
    grid.Grid: {"columns": "a", "rows": [[1]], "over": {"a": []}, "sets": ["a=$b"], "model": 3},
    project.Junk: {"min_chars": -1, "max_chars": 0, "required": "page.title", "repeated": 2, "patterns": "спам"},
    project.MadePairs: {"of": [], "exact": -1, "neighbours": "all", "hard": -1, "random": 0.5, "seed": -1},
    project.PoolSource: {"files": [], "pairs": {}, "rows": 0, "pairing": "random"},
    project.Windows: {"stride": -1, "max": 0, "pool": "sum"},
    project.Controls: {"card_teacher": "some", "gold_twins": 3, "random": "yes please", "tfidf": 2},
    project.ViewConfig: {
        "left": [],
        "right": "page.title",
        "separator": 5,
        "max_tokens": 3,
        "budgets": {"product.title": 0},
        "windows": 3,
    },
}
