"""The quality block of report.json: the figures of one model on one test, means over its seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from distill.core.files import Json
from distill.evaluation.cluster_shares import ClusterShares
from distill.evaluation.confusions import confusions
from distill.evaluation.figure import Figure
from distill.evaluation.metrics import BoolArray, Tally
from distill.evaluation.over_seeds import Seeded
from distill.evaluation.point_figures import Thresholds, points
from distill.evaluation.statistics import ece_interval, whole_interval

FIGURES = ("accuracy", "f1_macro", "f1_weighted", "log_loss")
ORDERED_METRICS = ("kappa_quadratic", "grade_distance")


def quality(model: Seeded, thresholds: Sequence[Thresholds]) -> Json:
    """The `quality` block of report.json; every value is JSON, None where undefined.

    Args: model: on the rows to report. thresholds: of the positive class, one for each seed, chosen on other rows;
        empty without any.
    Returns: `rows`; `absent`, the labels that no row has, where there are any; `accuracy`, `f1_macro`, `f1_weighted`,
        `log_loss`, `ece` as `{"value", "low", "high"}`, of ordered labels `kappa_quadratic` and `grade_distance` too;
        `per_class`; `confusions`, see there; `positive` and `slices`, which are None without a positive class and
        without slices. A slice without some classes has their number, `absent_classes`: names would be classes times
        slices of them. Figures of a class have no interval where it has so few rows that more than one draw in 40 lacks
        it. Accuracy in a slice has Wilson's interval over clusters. Each other figure with an interval also has its
        `spread` over several seeds.
    """
    return {
        "rows": len(model.scored[0]),
        **_absent(model),
        **{name: model.metric(name).mean() for name in FIGURES},
        **({name: model.metric(name).mean() for name in ORDERED_METRICS} if model.space.ordered else {}),
        "ece": model.metric("ece").mean(ece_interval),
        "per_class": {label: _per_class(model, index) for index, label in enumerate(model.space.labels)},
        "confusions": confusions(model),
        "positive": _positive(model, thresholds),
        "slices": _slices(model),
    }


def mean_thresholds(thresholds: Sequence[Mapping[str, float | None]]) -> dict[str, float | None] | None:
    """The mean threshold over seeds by name; None for one that any seed did not reach, and without any at all."""
    if not thresholds:
        return None
    return {name: _mean([one[name] for one in thresholds]) for name in thresholds[0]}


def _absent(model: Seeded) -> Json:
    """`absent`: the labels that no row has; nothing where every label occurs."""
    names = [label for label, absent in zip(model.space.labels, model.totals[0].absent, strict=True) if absent]
    return {"absent": names} if names else {}


def _per_class(model: Seeded, index: int) -> Json:
    """Precision and recall are 0 on a draw that leaves them undefined; F1 is unknown where a draw lacks the class."""
    return {
        "accuracy": float(np.mean([total.class_accuracy[index] for total in model.totals])),
        **_with_bounds("f1", model.f1(index)),
        **_with_bounds("precision", model.of(lambda tally: Tally(tally.columns).precision[..., 0], index=index)),
        **_with_bounds("recall", model.of(lambda tally: Tally(tally.columns).recall[..., 0], index=index)),
    }


def _with_bounds(name: str, figure: Figure) -> Json:
    """`f1`, `f1_interval` and, over several seeds, `f1_spread`: for a mapping that has other figures too.

    The interval is None where the class has so few rows that draws lack it.
    """
    found = figure.mean(whole_interval)
    spread = {f"{name}_spread": found["spread"]} if "spread" in found else {}
    return {name: found["value"], f"{name}_interval": [found["low"], found["high"]], **spread}


def _positive(model: Seeded, thresholds: Sequence[Thresholds]) -> Json | None:
    return None if model.space.positive is None else {"operating_points": points(model, thresholds)}


def _slices(model: Seeded) -> Json | None:
    slices = model.scored[0].slices
    if slices is None:
        return None
    names, clusters = np.asarray(slices, dtype=object), model.scored[0].clusters
    shares = ClusterShares(np.arange(len(names)) if clusters is None else np.asarray(clusters, np.int64))
    right = np.mean([one.tally.single[:, 1] for one in model.scored], axis=0)
    found = {}
    for name in sorted(set(slices)):
        inside = names == name
        apart = shares.interval(np.where(inside, right, 0.0), inside.astype(np.float64))
        found[name] = {**_slice(model, inside), "accuracy_interval": [apart["low"], apart["high"]]}
    return found


def _slice(model: Seeded, rows: BoolArray) -> Json:
    totals, index = [one.tally.only(rows).total() for one in model.scored], model.space.positive_index
    absent = int(totals[0].absent.sum())
    return {
        "rows": int(rows.sum()),
        **({"absent_classes": absent} if absent else {}),
        "accuracy": float(np.mean([total.accuracy for total in totals])),
        "f1_macro": float(np.mean([total.f1_macro for total in totals])),
        "f1_positive": None if index is None else float(np.mean([total.f1[index] for total in totals])),
    }


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if len(known) == len(values) else None
