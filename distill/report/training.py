"""How each model's fit went: steps, the step that was kept, and why it ended."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from distill.core.files import Json
from distill.core.manifest import read_whole
from distill.core.model_folder import HISTORY_FILE
from distill.report import formats
from distill.report.contents import Report, entries, label_names
from distill.report.table_model import Column, Sheet

_NEEDED = ("step", "steps", "ended", "reason")
# A fit whose log loss still changed by this share per epoch when it was stopped had more to learn.
_STILL_FALLING = -0.01
_MOST_CLASSES = 12  # of more, a table has no column for each
_OF_A_CLASS = {"precision": "P", "recall": "R", "f1": "F1"}


def training_entries(folders: Mapping[str, Path]) -> list[Json]:
    """The `training` of report.json, from what training wrote into each model's folder.

    A model that says nothing of its fit (a finished one, or of an older run) is left out.

    Args: folders: name in the report to model folder.
    """
    found = []
    for name, folder in folders.items():
        written = read_whole(folder, HISTORY_FILE) or {}
        if all(key in written for key in _NEEDED):
            found.append({"model": name, **_entry(written)})
    return found


def undertrained(report: Report, model: str) -> list[str]:
    """Why a model's fit ended too early, once for each reason; empty where it did not."""
    early = [one for one in entries(report, "training_history") if one.get("model") == model and _early(one)]
    return list(dict.fromkeys(str(one.get("reason")) for one in early))


def training_sheet(report: Report) -> Sheet:
    """Every fit in one line; those that ended too early stand out."""
    rows = entries(report, "training_history")
    seeds = [Column("Seed", lambda row: formats.plain(row.get("seed")))] if any("seed" in row for row in rows) else []
    columns = [
        Column("Model", lambda row: str(row.get("model")), kind="name"),
        *seeds,
        Column("Steps", lambda row: formats.integer(row.get("steps"))),
        Column("Kept step", lambda row: formats.integer(row.get("step"))),
        Column("Epochs", lambda row: formats.fixed(row.get("epochs"), 1)),
        Column("Log loss on validation", lambda row: formats.fixed(row.get("log_loss"), 4)),
        Column("Why it ended", lambda row: formats.plain(row.get("reason")), kind="text"),
    ]
    caption = (
        "Kept is the step whose weights are used: the best on validation, or the last where the recipe says so. Models "
        "that were still learning stand out."
    )
    return Sheet(caption, columns, rows, marked=_early)


def epochs_sheet(report: Report) -> Sheet:
    """Every evaluation of every fit in one line: accuracy, macro F1, and of up to 12 classes precision, recall and F1.

    Figures of validation in percent, of the class with the highest probability; the step kept stands out.
    """
    rows = [
        {"fit": _fit_name(fit), "kept": one.get("step") == fit.get("step"), **one}
        for fit in entries(report, "training_history")
        for one in entries(fit, "history")
    ]
    labels = [label for label in label_names(report) if any(f"{label}_f1" in row for row in rows)]
    columns = [
        Column("Epoch", lambda row: formats.fixed(row.get("epoch"), 1)),
        Column("Log loss", lambda row: formats.fixed(row.get("log_loss"), 4)),
        Column("Accuracy", lambda row: formats.percent(row.get("accuracy"))),
        Column("Macro F1", lambda row: formats.percent(row.get("f1_macro"))),
        *(_of_class(label, name) for label in labels if len(labels) <= _MOST_CLASSES for name in _OF_A_CLASS),
    ]
    caption = "Validation after each evaluation, in percent but for log loss; the step kept stands out."
    return Sheet(caption, columns, rows, section=lambda row: row["fit"], marked=lambda row: bool(row["kept"]))


def _of_class(label: str, name: str) -> Column:
    """Precision, recall or F1 of a class; where no groups are shown the class is in the heading."""
    short = _OF_A_CLASS[name]
    return Column(short, lambda row: formats.percent(row.get(f"{label}_{name}")), group=label, alone=f"{short} {label}")


def _fit_name(fit: Mapping[str, Any]) -> str:
    return f"{fit.get('model')}, seed {fit['seed']}" if "seed" in fit else str(fit.get("model"))


def _early(entry: Mapping[str, Any]) -> bool:
    slope = formats.number(entry.get("slope_per_epoch"))
    if entry.get("ended") == "converged":
        return False
    return entry.get("ended") == "ceiling" if slope is None else slope <= _STILL_FALLING


def _entry(written: Mapping[str, Any]) -> Json:
    history = [one for one in written.get("history") or [] if isinstance(one, dict)]
    kept = [formats.number(one.get("log_loss")) for one in history if one.get("step") == written["step"]]
    objective = {"objective": written["objective"]} if isinstance(written.get("objective"), dict) else {}
    return {
        "steps": written["steps"],
        "step": written["step"],
        "epochs": history[-1].get("epoch") if history else None,
        "ended": written["ended"],
        "reason": written["reason"],
        "slope_per_epoch": written.get("slope_per_epoch"),
        "log_loss": kept[-1] if kept else None,
        "history": history,
        **({"remarks": written["remarks"]} if written.get("remarks") else {}),
        **objective,
    }
