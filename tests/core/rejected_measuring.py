"""Values that the task and the ways of measuring refuse, for the table of every config."""

from __future__ import annotations

from typing import Any

from distill.core import project
from distill.core.class_floor import ClassFloor
from distill.core.config import Config
from distill.core.fall_through import FallThrough
from distill.core.swap import Swap, ViewSwap

TASK = {"labels": ["нет", "да"], "positive": "да"}
NEEDED: dict[type[Config], dict[str, Any]] = {
    project.Task: TASK,
    project.Rare: {"under": 50},
    ClassFloor: {"f1": 0.5},
    Swap: {"fields": [["a", "b"]]},
    ViewSwap: {"fields": [["a", "b"]], "order": [1, 0]},
}
REJECTED: dict[type[Config], dict[str, Any]] = {
    project.Task: {
        "labels": ["да"],
        "ordered": "maybe",
        "positive": "может быть",
        "kind": "triple",
        "rare": 50,
        "swap": {"fields": []},
    },
    Swap: {"fields": [["a"]], "labels": [["да", "нет", "ничья"]], "average": "maybe"},
    ViewSwap: {"fields": [["a"]], "order": [-1], "average": "maybe"},
    project.Rare: {"under": 0, "into": ["прочее"], "classes": {"да": -1}},
    project.Quality: {
        "metric": "f1",
        "baseline": 5,
        "remeasure": {"card": "all"},
        "test": ["valid"],
        "calibrate": "valid",
        "precision_at_least": 1.1,
        "recall_at_least": -1,
        "replicates": 99,
    },
    FallThrough: {"shares": [0.2, 0.1], "by": "entropy", "most": 1.5, "latency_ms": 0, "money_per_1000": -1},
    ClassFloor: {"f1": 1.5, "precision": -0.1, "recall": "high"},
    project.Gates: {
        "leak": -1,
        "parity_fp32": -1e-4,
        "int8_flips": 1.5,
        "int8_shift_max": 1.5,
        "int8_shift_mean": -0.1,
        "int8_points": "few",
        "int8_class_loss": 2,
        "decisions": "declare",
        "class_f1": -1,
        "retention_card": -0.1,
        "over_gold": "low",
        "class_floor": {"да": 1.5},
        "teacher_over_priors": -0.1,
        "validation_rows": 0,
    },
}
