"""Values that data, views, controls and sweeps refuse, for the table of every config."""

from __future__ import annotations

from typing import Any

from distill.core import grid, project, publishing
from distill.core.config import Config
from distill.core.intake import config as intake

MODULES = ("distill.core.grid", "distill.core.intake.config", "distill.core.publishing")
REJECTED: dict[type[Config], dict[str, Any]] = {
    intake.Split: {"mode": "chance", "keys": [], "valid": 1.5, "test": -0.1},
    grid.Grid: {"columns": "a", "rows": [[1]], "over": {"a": []}, "sets": ["a=$b"], "model": 3},
    intake.Junk: {
        "min_chars": -1,
        "max_chars": 0,
        "required": "page.title",
        "repeated": 2,
        "patterns": "спам",
        "rules": {"short": {"kind": "lenght"}},
    },
    intake.Near: {"jaccard": 0.4, "words": 0, "on_pool": "keep", "on_leak": "drop"},
    intake.MadePairs: {"of": [], "exact": -1, "neighbours": "all", "hard": -1, "random": 0.5, "seed": -1},
    intake.PoolSource: {"files": [], "pairs": {}, "rows": 0, "pairing": "random"},
    publishing.BundleConfig: {"license": "apache", "data_licenses": {"pool": "public"}, "golden": "real"},
    publishing.ReportConfig: {"texts": "some", "price_per_hour": -1, "trackers": "mlflow"},
    project.Windows: {"stride": -1, "max": 0, "pool": "sum"},
    project.Controls: {"card_teacher": "some", "gold_twins": 3, "random": "yes please", "tfidf": 2, "bag_of_tokens": 2},
    project.ViewConfig: {
        "prefixes": {"page.body": "Page: "},
        "swap": {"fields": [["a", "b"]]},
        "left": [],
        "right": "page.title",
        "separator": 5,
        "max_tokens": 3,
        "budgets": {"product.title": 0},
        "windows": 3,
    },
}
