"""Each teacher and student before and after calibration."""

from __future__ import annotations

from collections.abc import Callable

from distill.core.files import Json
from distill.evaluation.isotonic import FEWEST_ROWS
from distill.report import formats
from distill.report.contents import Report, dig, entries
from distill.report.reliability_plot import figure
from distill.report.table_model import Column, Sheet

_WAYS = {"none": "None", "temperature": "Temperature", "isotonic": "Isotonic"}


def calibration_sheet(report: Report) -> Sheet:
    """A row for each model and way, with log loss, Brier score and calibration error on all test rows."""
    rows = [(one, way, dig(one, "ways", way)) for one in entries(report, "calibration") for way in dig(one, "ways")]
    columns = [
        Column("Calibration", lambda row: _WAYS.get(row[1], row[1]), kind="text"),
        Column("Log loss", _loss("log_loss")),
        Column("Brier score", _loss("brier")),
        Column("ECE, %", lambda row: formats.percent_interval(row[2].get("ece"))),
        *([Column("Log loss on validation", _held, spare=1)] if any(_chosen(row[0]) for row in rows) else []),
    ]
    caption = (
        "Probabilities without calibration, after the temperature, which is what is served, and after isotonic steps; "
        "both are fitted on validation, all figures are on test rows with 95% intervals, less is better. Isotonic "
        f"steps need {FEWEST_ROWS} validation rows."
    )
    return Sheet(caption, columns, rows, lambda row: str(row[0].get("model")))


def calibration_sentence(report: Report) -> str:
    """The models for which validation prefers isotonic steps to the temperature; empty where there is none."""
    better = [str(one.get("model")) for one in entries(report, "calibration") if one.get("better") == "isotonic"]
    what = "five folds of validation give isotonic steps a lower log loss than the temperature, which is served"
    return f"{', '.join(better)}: {what}." if better else ""


def drawings_before(report: Report) -> str:
    """The reliability of each model without calibration."""
    return "".join(figure(str(one.get("model")), entries(one, "before")) for one in entries(report, "calibration"))


def _loss(key: str) -> Callable[[tuple[Json, str, Json]], str]:
    return lambda row: formats.metric_interval("log_loss", row[2].get(key))


def _chosen(one: Json) -> Json:
    return dig(one, "cross_fitted")


def _held(row: tuple[Json, str, Json]) -> str:
    value = formats.number(_chosen(row[0]).get(row[1]))
    if value is None:
        return formats.MISSING
    return f"{value:.4f}" + (" (lowest)" if row[0].get("better") == row[1] else "")
