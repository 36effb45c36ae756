"""The quality block of report.json and comparisons between models, from scored rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distill.core.errors import UserError
from distill.core.label_space import LabelSpace
from distill.evaluation.metrics import BoolArray, FloatArray, Tally, f1_score, gold_decisions, probabilities, tally
from distill.evaluation.operating_points import measured
from distill.evaluation.statistics import Bootstrap, difference, ece_interval, interval

METRICS = ("accuracy", "f1_macro", "log_loss", "f1_positive")


@dataclass(frozen=True)
class Scored:
    """One model's answers on one split, beside the gold.

    Args: name: of the model. space: the classes that the columns stand for. ids: record ids, N. logits: float (N, C).
        target: gold (N, C), one-hot, vote shares, or 0/1 per class in multi-label. slices: reporting column, N.
        clusters: int (N,), rows that share the first key; None makes every row its own.
    Raises: UserError when there are no rows or a logit is NaN or infinite. ValueError when the lengths differ.
    """

    name: str
    space: LabelSpace
    ids: Sequence[str]
    logits: NDArray[np.floating[Any]]
    target: NDArray[np.floating[Any]]
    slices: Sequence[str] | None = None
    clusters: NDArray[np.integer[Any]] | None = None
    tally: Tally = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Check the shapes and add the rows up once."""
        if not len(self.ids):
            raise UserError("there are no labelled rows to measure on", where=self.name, found="0 rows")
        expected = (len(self.ids), len(self.space))
        if self.logits.shape != expected or self.target.shape != expected:
            raise ValueError(f"{self.name}: expected {expected}, got {self.logits.shape} and {self.target.shape}")
        if self.slices is not None and len(self.slices) != len(self.ids):
            raise ValueError(f"{self.name}: {len(self.ids)} rows but {len(self.slices)} slices")
        self._check_finite()
        object.__setattr__(self, "tally", tally(self.logits, self.target, self.space.kind))

    def __len__(self) -> int:
        """N, the number of rows."""
        return len(self.ids)

    def bootstrap(self, replicates: int = 1000, seed: int = 1) -> Bootstrap:
        """Resamples of these rows' clusters, to be shared by every model on the same rows. Raises: as `Bootstrap`."""
        return Bootstrap(len(self), self.clusters, replicates, seed)

    def positive(self) -> tuple[FloatArray, BoolArray]:
        """Probability (N,) and gold (N,) of the positive class. Raises: UserError where the task names none."""
        index = _positive_index(self.space)
        chances = probabilities(self.logits, self.space.kind)[:, index]
        return chances, gold_decisions(np.asarray(self.target, np.float64), self.space.kind)[:, index]

    def _check_finite(self) -> None:
        bad = np.flatnonzero(~np.isfinite(self.logits).all(axis=1))
        if len(bad):
            raise UserError(
                "logits that are NaN or infinite cannot be measured",
                where=f"{self.name}, record {self.ids[bad[0]]}",
                found=f"{len(bad)} of {len(self)} rows",
                do="score the model again in fp32; a diverged model has to be trained again",
            )


def quality(scored: Scored, points: Mapping[str, float | None] | None, bootstrap: Bootstrap) -> dict[str, Any]:
    """The `quality` block of report.json; every value is JSON, None where undefined.

    Args: scored: the rows to report. points: thresholds of the positive class by name, chosen on other rows; None
        without any. bootstrap: over the same rows.
    Returns: `rows`; `accuracy`, `f1_macro`, `log_loss`, `ece` as `{"value", "low", "high"}`; `per_class`; `positive`
        and `slices`, which are None without a positive class and without slices.
    """
    total, resampled = scored.tally.total(), Tally(bootstrap.resample(scored.tally.columns))
    return {
        "rows": len(scored),
        "accuracy": interval(total.accuracy, resampled.accuracy),
        "f1_macro": interval(total.f1_macro, resampled.f1_macro),
        "log_loss": interval(total.log_loss, resampled.log_loss),
        "ece": ece_interval(total.ece, resampled.ece),
        "per_class": _per_class(total, scored.space),
        "positive": _positive(scored, points, bootstrap),
        "slices": _slices(scored),
    }


def comparison(a: Scored, b: Scored, metric: str, bootstrap: Bootstrap) -> dict[str, Any]:
    """Paired difference a − b of one of `METRICS` on the same rows.

    Returns: `{"a", "b", "metric", "difference", "low", "high", "p_value"}`.
    Raises: UserError when the rows differ, or for `f1_positive` without a positive class.
    """
    require_same_rows(a, b)
    figures = [_figure(scored.tally.total(), metric, scored.space) for scored in (a, b)]
    resampled = [_figure(Tally(bootstrap.resample(one.tally.columns)), metric, one.space) for one in (a, b)]
    return {"a": a.name, "b": b.name, "metric": metric, **difference(*figures, *resampled)}


def require_same_rows(a: Scored, b: Scored) -> None:
    """Nothing, where both models were scored on the same records in the same order.

    Raises: UserError naming the first record that differs, in id or in gold.
    """
    if len(a) != len(b):
        raise _unpaired(a, b, f"{len(a)} and {len(b)} rows")
    for one, other in zip(a.ids, b.ids, strict=True):
        if one != other:
            raise _unpaired(a, b, f"record {one} beside {other}")
    if a.space.labels != b.space.labels or not np.array_equal(a.target, b.target):
        raise _unpaired(a, b, "the same records with other gold labels")


def _per_class(total: Tally, space: LabelSpace) -> dict[str, dict[str, float]]:
    figures = zip(total.precision, total.recall, total.f1, strict=True)
    return {
        label: {"precision": float(precision), "recall": float(recall), "f1": float(f1)}
        for label, (precision, recall, f1) in zip(space.labels, figures, strict=True)
    }


def _positive(scored: Scored, points: Mapping[str, float | None] | None, bootstrap: Bootstrap) -> dict[str, Any] | None:
    if scored.space.positive is None:
        return None
    named = (points or {}).items()
    return {"operating_points": {name: _point(scored, threshold, bootstrap) for name, threshold in named}}


def _point(scored: Scored, threshold: float | None, bootstrap: Bootstrap) -> dict[str, Any] | None:
    """The figures at one threshold, with the interval of F1; None where validation reached no threshold."""
    if threshold is None:
        return None
    chances, gold = scored.positive()
    predicted = chances >= threshold
    hits, said, there = bootstrap.resample(np.stack([predicted & gold, predicted, gold], axis=1)).T
    figures = measured(chances, gold, threshold)
    around = interval(figures["f1"], f1_score(hits, said, there))
    return {**figures, "f1_interval": [around["low"], around["high"]]}


def _slices(scored: Scored) -> dict[str, dict[str, Any]] | None:
    if scored.slices is None:
        return None
    names = np.asarray(scored.slices, dtype=object)
    return {name: _slice(scored.tally.only(names == name), scored.space) for name in sorted(set(scored.slices))}


def _slice(rows: Tally, space: LabelSpace) -> dict[str, Any]:
    total = rows.total()
    index = space.positive_index
    return {
        "rows": len(rows.columns),
        "accuracy": float(total.accuracy),
        "f1_macro": float(total.f1_macro),
        "f1_positive": None if index is None else float(total.f1[index]),
    }


def _figure(sums: Tally, metric: str, space: LabelSpace) -> FloatArray:
    if metric == "f1_positive":
        return np.asarray(sums.f1[..., _positive_index(space)])
    assert metric in METRICS, metric
    figure: FloatArray = getattr(sums, metric)
    return figure


def _positive_index(space: LabelSpace) -> int:
    if space.positive_index is None:
        raise UserError("the task names no positive class", where="task.positive", do="name one of task.labels there")
    return space.positive_index


def _unpaired(a: Scored, b: Scored, found: str) -> UserError:
    what, do = "two models can be compared on the same rows only", "score both on the same split, in the same order"
    return UserError(what, where=f"{a.name}, {b.name}", found=found, do=do)
