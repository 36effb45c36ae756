"""What more rows of the pool bring: sentences and a table, from the content of `scale.json`."""

from __future__ import annotations

from collections.abc import Iterator

from distill.core.files import Json
from distill.evaluation.direction import unit
from distill.report import formats
from distill.report.contents import dig, entries
from distill.report.studies.figures import named_metric
from distill.report.table_model import Column, Sheet


def scale_sentences(found: Json) -> list[str]:
    """Where each student flattens; what the pool lacks; what was read when."""
    return [*(_flattens(found, one) for one in entries(found, "students")), *_limits(found)]


def scale_sheet(found: Json) -> Sheet:
    """Every point of every student."""
    metric, named = str(found.get("metric")), named_metric(found)
    columns = [
        Column("Pool rows per gold row", lambda row: shown_factor(row), kind="name"),
        Column("Pool rows", lambda row: formats.integer(row.get("rows"))),
        Column(f"{named}, test", lambda row: formats.metric_interval(metric, dig(row, "test", metric))),
        Column("Over the point before, test", lambda row: _over(row, "test", metric)),
        Column(f"{named}, validation", lambda row: formats.metric_interval(metric, dig(row, "valid", metric)), spare=1),
        Column("Over the point before, validation", lambda row: _over(row, "valid", metric)),
        Column("Log loss, test", lambda row: formats.metric_interval("log_loss", dig(row, "test", "log_loss"))),
        Column("Hours of a fit", lambda row: formats.plain(row.get("hours"))),
    ]
    if found.get("price_per_hour") is not None:
        columns.append(Column("Cost of a fit", lambda row: formats.fixed(row.get("cost"), 2)))
    rows = [{**point, "student": one.get("student")} for one in entries(found, "students") for point in _points(one)]
    seeds = found.get("seeds") or []
    of_seeds = f"means over the seeds {formats.plain(seeds)}" if len(seeds) > 1 else f"one seed, {formats.plain(seeds)}"
    caption = (
        f"Percent and points with 95% intervals, {of_seeds}; each sample of the pool holds the smaller ones. "
        f"Teacher and labels, made once, took {formats.plain(found.get('shared_hours'))} hours."
    )
    return Sheet(caption, columns, rows, section=lambda row: str(row.get("student")))


def shown_factor(point: Json) -> str:
    """`4×`; for a pool that ends there `9.73×, all`."""
    factor = formats.number(point.get("factor")) or 0.0
    return f"{factor:.3g}×, all" if point.get("whole") else f"{factor:g}×"


def _flattens(found: Json, student: Json) -> str:
    points, name = _points(student), student.get("student")
    if len(points) == 1:
        return f"{name}: one point, {shown_factor(points[0])}; there is nothing to compare it with."
    flat = student.get("flattens")
    number = len(points) - 1 if flat is None else int(flat)
    point, before = points[number], points[number - 1]
    metric, at = str(found.get("metric")), shown_factor(point)
    what = f"has not flattened at {at}, the largest point" if flat is None else f"flattens at {at}"
    gains = [f"{_points_of(point, split, metric)} on {split_}" for split, split_ in _SPLITS.items()]
    return f"{name} {what}: {named_metric(found)} over {shown_factor(before)} is {', and '.join(gains)}."


_SPLITS = {"valid": "validation, which decides", "test": "test"}


def _limits(found: Json) -> Iterator[str]:
    asked, gold, pool = found.get("asked") or [], found.get("gold") or 1, found.get("pool") or 0
    beyond = [f"{factor:g}×" for factor in asked if round(factor * gold) > pool]
    if beyond:
        has = f"The pool has {formats.integer(pool)} rows to learn, {pool / gold:.3g}× the gold rows"
        yield f"{has}: {', '.join(beyond)} is beyond it, and all of it is the last point."
    yield "Test rows were read once, after the last fit; no point was chosen by them."


def _points_of(point: Json, split: str, metric: str) -> str:
    """`+0.1 (−0.4 to 0.6)`, in points or nats."""
    apart = dig(point, "over_previous", split, metric)
    gap, ends = formats.number(apart.get("difference")), formats.bounds(apart)
    if gap is None:
        return formats.MISSING
    low_high = f" ({_signed(ends[0], metric)} to {_signed(ends[1], metric)})" if ends else ""
    return f"{'+' if gap >= 0 else ''}{_signed(gap, metric)}{low_high}"


def _signed(value: float, metric: str) -> str:
    factor, decimals, _ = unit(metric)
    return f"{factor * value:.{decimals}f}".replace("-", "−")


def _over(row: Json, split: str, metric: str) -> str:
    apart = dig(row, "over_previous", split, metric)
    factor, decimals, _ = unit(metric)
    return formats.signed_interval(apart.get("difference"), apart, factor, decimals + 1)


def _points(student: Json) -> list[Json]:
    return entries(student, "points")
