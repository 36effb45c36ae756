"""What a shorter view costs: sentences, a table and a drawing, from the content of `frontier.json`."""

from __future__ import annotations

from collections.abc import Iterator

from distill.core.files import Json
from distill.evaluation.direction import sign, unit
from distill.report import formats
from distill.report.budget_table import shown_ms
from distill.report.contents import dig
from distill.report.cost_plot import Mark, cost_plot
from distill.report.studies.figures import (
    TEST,
    VALID,
    done,
    failed_column,
    failures,
    is_apart,
    is_lead,
    lead,
    named_metric,
    over_column,
    points,
    quality_column,
    shown_values,
    value_columns,
)
from distill.report.table_model import Column, Sheet


def frontier_sentences(found: Json) -> list[str]:
    """The longest view, the cheapest that is not shown to be worse, what the others cost, and what failed."""
    longest, metric = lead(found), str(found.get("metric"))
    value = formats.metric_interval(metric, dig(longest, VALID, metric))
    head = f"{named_metric(found)} of {found.get('model')} on the longest view ({shown_values(longest)}): {value} on "
    head += f"validation, {_tokens(longest)} tokens a row, {shown_ms(_speed(found, longest, 'p50'))} ms at p50."
    others = sorted((cell for cell in done(found) if cell is not longest), key=lambda cell: _cost(found, cell))
    worse = [cell for cell in others if _is_worse(dig(cell, "over", VALID, metric), metric)]
    like = [cell for cell in others if cell not in worse]
    return [head, *_cheapest(found, like), *(_costs(found, cell) for cell in worse), *failures(found), _made(found)]


def frontier_sheet(found: Json) -> Sheet:
    """Every view, the longest first: what it reads, what a request takes, what it is worth."""
    columns = [
        *value_columns(found),
        Column("Tokens a row", _tokens),
        Column("p50, ms", lambda row: shown_ms(_speed(found, row, "p50"))),
        Column("p99, ms", lambda row: shown_ms(_speed(found, row, "p99")), spare=2),
        Column("Times as fast", lambda row: _times(found, row)),
        quality_column(found, VALID, best=True),
        over_column(found, VALID, "To the longest"),
        quality_column(found, TEST),
        Column("Rows cut, %", lambda row: formats.percent(row.get("cut"), 0), spare=1),
    ]
    if failures(found):
        columns.append(failed_column())
    caption = (
        f"{found.get('model')}, fitted on each view: percent and points with 95% intervals, paired with the longest; "
        f"one record at a time, {_served(found)}, all views in turn."
    )
    return Sheet(caption, columns, found.get("cells") or [], marked=is_lead(found))


def drawn(found: Json) -> str:
    """Quality over milliseconds."""
    metric = str(found.get("metric"))
    marks = [
        Mark(
            shown_values(cell), _speed(found, cell, "p50"), dig(cell, VALID, metric), cell.get("name") in _front(found)
        )
        for cell in done(found)
    ]
    return cost_plot(marks, metric, "p50 of a request, ms")


def _front(found: Json) -> set[str]:
    """The cells that no other one beats in both, on validation."""
    metric = str(found.get("metric"))
    known: dict[str, tuple[float, float]] = {}
    for cell in done(found):
        quality = formats.number(dig(cell, VALID, metric))
        if quality is not None:
            known[str(cell.get("name"))] = (_cost(found, cell), sign(metric) * quality)
    return {
        name
        for name, (ms, quality) in known.items()
        if not any(a <= ms and b >= quality and (a, b) != (ms, quality) for a, b in known.values())
    }


def _is_worse(apart: Json, metric: str) -> bool:
    return is_apart(apart) and sign(metric) * (formats.number(apart.get("difference")) or 0.0) < 0


def _cheapest(found: Json, like: list[Json]) -> Iterator[str]:
    if like:
        first = like[0]
        metric = str(found.get("metric"))
        apart = f"{points(dig(first, 'over', VALID, metric), metric)} {unit(metric)[2]}"
        yield (
            f"Cheapest that is not shown to be worse: {shown_values(first)}, {_tokens(first)} tokens a row, "
            f"{_times(found, first)} as fast, {apart} on validation."
        )


def _costs(found: Json, cell: Json) -> str:
    metric = str(found.get("metric"))
    apart = f"{points(dig(cell, 'over', VALID, metric), metric)} {unit(metric)[2]}"
    return f"{shown_values(cell)}: {apart} on validation for {_times(found, cell)} as fast."


def _made(found: Json) -> str:
    return (
        "Teacher and labels were made once. An interval that holds 0 is no proof that nothing is lost. Nothing was "
        "chosen by test."
    )


def _served(found: Json) -> str:
    target = dig(found, "speed").get("target")
    return f"served as {target}" if target else "as it was trained"


def _speed(found: Json, cell: Json, name: str) -> Json:
    return dig(found, "speed", "cells", str(cell.get("name")), name)


def _cost(found: Json, cell: Json) -> float:
    return formats.number(_speed(found, cell, "p50")) or float("inf")


def _times(found: Json, cell: Json) -> str:
    times = _speed(found, cell, "times")
    return formats.times_interval(times, times) if times else formats.MISSING


def _tokens(cell: Json) -> str:
    return formats.fixed(cell.get("tokens"), 1)
