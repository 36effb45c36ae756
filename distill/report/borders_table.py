"""Models that were fitted to one value: their borders between classes, and what these gave on validation."""

from __future__ import annotations

from collections.abc import Sequence

from distill.core.files import Json
from distill.report import formats
from distill.report.contents import Report, dig, entries, label_names
from distill.report.table_model import Column, Sheet

_CHOSEN = {"midpoints": "none: halfway", "accuracy": "accuracy", "f1": "F1 of the positive class, then of the farthest"}


def borders_sheet(report: Report) -> Sheet:
    """Each fit with borders in one line; no rows where there is none."""
    rows = [one for one in entries(report, "training_history") if dig(one, "objective").get("borders")]
    seeds = [Column("Seed", lambda row: formats.plain(row.get("seed")))] if any("seed" in row for row in rows) else []
    columns = [
        Column("Model", lambda row: str(row.get("model")), kind="name"),
        *seeds,
        Column("Values", lambda row: _listed(dig(row, "objective").get("values"))),
        Column("Chosen by", _chosen_by, kind="text"),
        Column("Borders", lambda row: _listed(dig(row, "objective").get("borders"))),
        Column("Scale", lambda row: formats.three_digits(dig(row, "objective").get("scale"))),
        Column("Accuracy", lambda row: _change(row, "accuracy")),
        *[_of_class(label) for label in label_names(report)],
    ]
    caption = "Borders between the values of neighbouring classes, by validation: percent halfway → with these borders."
    return Sheet(caption, columns, rows)


def _chosen_by(row: Json) -> str:
    name = str(dig(row, "objective").get("chosen_by"))
    return _CHOSEN.get(name, name)


def _of_class(label: str) -> Column:
    return Column(f"F1 {label}", lambda row: _change(row, "f1", label))


def _change(row: Json, *keys: str) -> str:
    """A figure on validation with the borders halfway, and with those that were taken."""
    valid = dig(row, "objective", "valid")
    before, after = (formats.percent(_at(dig(valid, name), keys)) for name in ("midpoints", "borders"))
    return f"{before} → {after}"


def _at(found: Json, keys: Sequence[str]) -> object:
    return dig(found, *keys[:-1]).get(keys[-1])


def _listed(values: object) -> str:
    numbers = [formats.number(value) for value in values] if isinstance(values, list) else []
    return ", ".join(formats.MISSING if value is None else f"{value:.4g}" for value in numbers) or formats.MISSING
