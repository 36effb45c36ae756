"""What sending records on to the teacher costs, and which share of them is worth it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from distill.core.fall_through import FallThrough
from distill.core.files import Json
from distill.core.sending import DECISION
from distill.evaluation.entries import FallThroughCurve, LatencyRow

_POSITIVE = "positive"


def priced(
    curves: Sequence[Mapping[str, Any]], latency: Sequence[LatencyRow], settings: FallThrough, metric: str
) -> list[FallThroughCurve]:
    """The curves with what each share costs on average, and the chosen share.

    A record takes `ms` = model + share · teacher, by their medians at batch 1; of the teacher's files the fastest,
    which `teacher_timed` names. `money_per_1000` is share · the cost of 1,000 answers. None stands for what is not
    known.

    `chosen` is the share with the best figure of `judged_by` on the half of validation that judges, of equal ones the
    least, among those of at most `most` whose cost there is within the limit. Without such a half it is the greatest of
    these. None where no share is within the limit, or none was timed.

    Args: curves: of the evaluation. latency: of the report. metric: the project's; macro F1 stands in for what a curve
        does not have.
    """
    return [_priced(curve, latency, settings, metric) for curve in curves]


def _priced(
    curve: Mapping[str, Any], latency: Sequence[LatencyRow], settings: FallThrough, metric: str
) -> FallThroughCurve:
    own, teacher = _timed(latency, [curve["model"]]), _fastest(latency, curve["teacher"])
    times = None if own is None or teacher is None else (float(own.p50_ms or 0), float(teacher.p50_ms or 0))
    held = {name: curve[name] for name in (DECISION, _POSITIVE) if name in curve}
    rows = {name: [{**row, **_cost(row["sent"]["value"], times, settings)} for row in held[name]] for name in held}
    judged, figure = _judged_by(curve, metric)
    return FallThroughCurve.from_json(
        {
            **curve,
            **rows,
            "teacher_timed": None if teacher is None else teacher.model,
            "judged_by": figure,
            "chosen": _chosen(rows[judged], figure, times, settings),
        }
    )


def _cost(share: float, times: tuple[float, float] | None, settings: FallThrough) -> Json:
    price = settings.money_per_1000
    return {
        "ms": None if times is None else times[0] + share * times[1],
        "money_per_1000": None if price is None else share * price,
    }


def _judged_by(curve: Mapping[str, Any], metric: str) -> tuple[str, str]:
    """The curve and the figure of it that the choice goes by."""
    if metric == "f1_positive" and _POSITIVE in curve:
        return _POSITIVE, "f1"
    return DECISION, "accuracy" if metric == "accuracy" else "f1_macro"


def _chosen(
    rows: Sequence[Mapping[str, Any]], figure: str, times: tuple[float, float] | None, settings: FallThrough
) -> float | None:
    halved = all("valid" in row for row in rows)
    allowed = [row for row in rows if row["share"] <= settings.most]
    if settings.latency_ms is not None:
        shares = [row["valid"]["sent"] if halved else row["share"] for row in allowed]
        costs = [_cost(share, times, settings)["ms"] for share in shares]
        allowed = [r for r, ms in zip(allowed, costs, strict=True) if ms is not None and ms <= settings.latency_ms]
    if not allowed:
        return None
    best = max(allowed, key=lambda row: (row["valid"][figure], -row["share"]) if halved else (row["share"],))
    return float(best["share"])


def _timed(latency: Sequence[LatencyRow], names: Sequence[str]) -> LatencyRow | None:
    """The fastest at batch 1 of these models, files left out whose answers nobody has checked."""
    rows = [row for row in latency if row.model in names and row.single and row.p50_ms and not row.speed_only]
    return min(rows, key=lambda row: row.p50_ms or 0, default=None)


def _fastest(latency: Sequence[LatencyRow], teacher: str) -> LatencyRow | None:
    """The teacher as it was trained or as a file of it, whichever is the fastest."""
    return _timed(
        latency,
        [
            name
            for row in latency
            if (name := row.model or "").startswith(teacher) and name[len(teacher) :][:1] in ("", ".")
        ],
    )
