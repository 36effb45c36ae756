"""Figures that a sentence names: `{f1_macro: 8L_trunc@card}` becomes the stored figure with its interval.

A sentence about a result holds no measured figure of its own, so it cannot drift from the file that it is about.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from benchmarks.ablation_table import change
from benchmarks.quality_summary import MAIN, won
from distill.core.errors import UserError, unknown_name
from distill.report import formats

Result = Mapping[str, Any]
Figure = Callable[..., str]
_PLACE = re.compile(r"\{(\w+)(?:: ([^{}]*))?\}")


def fill(text: str, result: Result, known: Mapping[str, Figure], where: str) -> str:
    """`text` with each `{figure: argument, argument}` replaced by what `result` holds.

    Args: known: the figures that results of this kind have, by name. where: named in errors.
    Raises: UserError for another figure, or for arguments that this result does not hold.
    """

    def replaced(place: re.Match[str]) -> str:
        name, arguments = place[1], place[2].split(", ") if place[2] else []
        if name not in known:
            raise unknown_name("figure", name, known, where)
        try:
            text = known[name](result, *arguments)
        except (KeyError, StopIteration, TypeError):
            text = formats.MISSING
        if text == formats.MISSING:
            raise UserError(
                "the stored result holds no such figure", where=where, found=place[0], do="correct the text"
            )
        return text

    return _PLACE.sub(replaced, text)


def without_figures(text: str) -> str:
    """`text` without its places for figures: what is left may hold settings, but nothing measured."""
    return _PLACE.sub("", text)


def _share(metric: str) -> Figure:
    return lambda result, model: formats.percent_interval(_model(result, model)["quality"][metric], decimals=1)


def _log_loss(result: Result, model: str) -> str:
    return f"{_model(result, model)['quality']['log_loss']['value']:.4f}"


def _difference(result: Result, a: str, b: str, metric: str) -> str:
    """A − B over all test rows, in points; log loss as it is."""
    wanted = {"a": a, "b": b, "metric": metric}
    row = next(row for row in result["comparisons"] if wanted.items() <= row.items())
    return formats.signed_interval(row["difference"], row, *((1, 4) if metric == "log_loss" else (100, 2)))


def _slice(result: Result, a: str, b: str, name: str) -> str:
    """A − B in accuracy over one slice, in points."""
    found = next(found for found in result["slices"] if (found["a"], found["b"]) == (a, b))
    row = next(row for row in found["rows"] if row["name"] == name)
    return formats.signed_interval(row["difference"], row, 100, 2)


def _retention(result: Result, model: str, teacher: str) -> str:
    return formats.percent_interval(_model(result, model)["retention"][teacher], decimals=1)


def _speed(result: Result, model: str) -> str:
    return formats.times(next(row for row in result["latency"] if row["model"] == model)["speedup_vs_teacher"])


def _classes(result: Result, model: str) -> str:
    """F1 of each class, the last label first, then accuracy; in percent."""
    quality = _model(result, model)["quality"]
    shares = [quality["per_class"][label]["f1"] for label in reversed(result["task"]["labels"])]
    return f"{', '.join(map(_percent, shares))}; {_percent(quality['accuracy']['value'])}"


def _point(result: Result, model: str) -> str:
    """Accuracy, precision, recall and F1 of the positive class against the rest, at its best F1 on validation."""
    point = _model(result, model)["quality"]["positive"]["operating_points"]["f1"]
    return ", ".join(_percent(point[name]) for name in ("accuracy", "precision", "recall", "f1"))


def _percent(share: float) -> str:
    return formats.percent(share, decimals=1)


def _model(result: Result, name: str) -> Result:
    found: Result = next(model for model in result["models"] if model["name"] == name)
    return found


def _set(result: Result, name: str) -> Result:
    found: Result = next(found for found in result["sets"] if found["name"] == name)
    return found


def _over_twin(result: Result, name: str, student: str) -> str:
    """A student minus its better gold-only twin in macro F1, in points."""
    row = next(row for row in _set(result, name)["students"] if row["name"] == student)["over_twin"][MAIN]
    return formats.signed_interval(row["difference"], row, 100, 2)


def _teacher(result: Result, name: str, view: str) -> str:
    return formats.percent_interval(_set(result, name)["teachers"][view][MAIN], decimals=1)


def _plain(result: Result, name: str) -> str:
    """Macro F1 on test of the plain fine-tuning that was best on validation."""
    return formats.percent(_set(result, name)["grid_best"]["valid"]["test"][MAIN], decimals=1)


def _lower(result: Result, kind: str) -> str:
    """How many fits had a lower log loss on validation with that average than with the last weights."""
    return _fits(result, kind, "log_loss", lambda average, last: average < last)


def _higher_f1(result: Result, kind: str) -> str:
    """How many fits had a higher macro F1 at the lowest log loss of that average than of the last weights."""
    return _fits(result, kind, "f1_macro", lambda average, last: average > last)


def _fits(result: Result, kind: str, metric: str, better: Callable[[float, float], bool]) -> str:
    runs = [run["best"] for run in result["runs"].values()]
    return f"{sum(better(best[kind][metric], best['raw'][metric]) for best in runs)} of {len(runs)}"


def _behind(result: Result, recipe: str) -> str:
    """How far a recipe's log loss is behind the best one of each set, mean over the sets."""
    return f"{100 * next(row for row in result['rows'] if row['recipe'] == recipe)['log_loss_behind']:.1f}%"


def _came_to(result: Result, what: str) -> int:
    return sum(row["result"] == what for row in result["rows"])


RUN: dict[str, Figure] = {
    "f1_macro": _share("f1_macro"),
    "f1_weighted": _share("f1_weighted"),
    "accuracy": _share("accuracy"),
    "log_loss": _log_loss,
    "classes": _classes,
    "point": _point,
    "difference": _difference,
    "slice": _slice,
    "retention": _retention,
    "speed": _speed,
    "seconds": lambda result: formats.duration(result["budget"]["seconds"]),
}
QUALITY: dict[str, Figure] = {
    "over_twin": _over_twin,
    "teacher": _teacher,
    "plain": _plain,
    "won": lambda result: won(result["sets"]),
}
ABLATION: dict[str, Figure] = {"change": change}
AVERAGES: dict[str, Figure] = {"lower": _lower, "higher_f1": _higher_f1}
RECIPES: dict[str, Figure] = {"behind": _behind}
FAMILIES: dict[str, Figure] = {
    "tried": lambda result: str(len(result["rows"])),
    "works": lambda result: str(_came_to(result, "works")),
    "refused": lambda result: str(_came_to(result, "refused")),
    "largest": lambda result: f"{max(row.get('max_abs_diff', 0.0) for row in result['rows']):.0e}",
    "slowest": lambda result: f"{max(row['seconds'] for row in result['rows'] if row['result'] == 'refused'):.1f} s",
}
