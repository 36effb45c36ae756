"""What leaving out each field came to: sentences and a table, from the content of `ablate-fields.json`."""

from __future__ import annotations

from distill.core.files import Json
from distill.evaluation.direction import sign, unit
from distill.report import formats
from distill.report.contents import dig, entries
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
)
from distill.report.table_model import Column, Sheet

_TWICE = 0.5  # from this share of words that other fields have, a field mostly repeats them


def fields_sentences(found: Json) -> list[str]:
    """Which fields are shown to help or to hurt, which mostly repeat others, which are needed, and what failed."""
    metric, whole = str(found.get("metric")), lead(found)
    value = formats.metric_interval(metric, dig(whole, VALID, metric))
    head = f"{named_metric(found)} of {found.get('model')} with all fields: {value} on validation"
    head += f", {formats.metric_interval(metric, dig(whole, TEST, metric))} on test."
    others = [cell for cell in done(found) if cell is not whole]
    told = [_told(found, cell) for cell in sorted(others, key=lambda cell: _effect(found, cell))]
    needed = [f"{field} is {why}." for field, why in dig(found, "needed").items()]
    return [head, *filter(None, told), *_unclear(found, others), *needed, *failures(found)]


def fields_sheet(found: Json) -> Sheet:
    """Every field: quality without it, what it takes and what it repeats; what is missed most comes first."""
    columns = [
        Column("Without", _field, kind="name"),
        quality_column(found, VALID),
        over_column(found, VALID, "To all fields"),
        quality_column(found, TEST),
        over_column(found, TEST, "To all fields"),
        Column("Tokens a row", lambda row: formats.fixed(_use(found, row).get("tokens"), 1)),
        Column("Rows that have it", lambda row: formats.integer(_use(found, row).get("rows"))),
        Column("Words that others have, %", lambda row: formats.percent(_use(found, row).get("shared"), 1)),
        Column("Most of them", lambda row: _like(_use(found, row)), kind="text"),
    ]
    if failures(found):
        columns.append(failed_column())
    cells = entries(found, "cells")
    needed = [{"values": {"without": field}, "error": why} for field, why in dig(found, "needed").items()]
    caption = (
        f"{found.get('model')}, fitted again without each field: percent and points with 95% intervals, paired with "
        f"the model of all fields; tokens and words of {formats.integer(found.get('rows'))} training rows, uncut."
    )
    rows = sorted([*cells, *needed], key=lambda cell: _effect(found, cell))
    return Sheet(caption, columns, rows, marked=is_lead(found))


def _told(found: Json, cell: Json) -> str:
    """What a field is worth, where that is shown."""
    metric = str(found.get("metric"))
    apart, field = dig(cell, "over", VALID, metric), _field(cell)
    if not is_apart(apart):
        return ""
    helps = sign(metric) * (formats.number(apart.get("difference")) or 0) < 0
    what = (
        f"{field} {'helps' if helps else 'hurts'}: without it {points(apart, metric)} {unit(metric)[2]} on validation"
    )
    test = f", {points(dig(cell, 'over', TEST, metric), metric)} on test"
    use = _use(found, cell)
    shared = formats.number(use.get("shared")) or 0
    repeats = f"; {formats.percent(shared, 0)}% of its words are in other fields too" if shared >= _TWICE else ""
    return f"{what}{test}{repeats}{f', most in {_like(use)}' if repeats and _like(use) != formats.MISSING else ''}."


def _unclear(found: Json, cells: list[Json]) -> list[str]:
    metric = str(found.get("metric"))
    names = [_field(cell) for cell in cells if not is_apart(dig(cell, "over", VALID, metric))]
    return [f"Not shown to matter, corrected for their number: {', '.join(names)}."] if names else []


def _effect(found: Json, cell: Json) -> float:
    """The difference that decides the order; the whole view stands at 0, cells without figures come last."""
    if cell.get("name") == found.get("lead"):
        return 0.0
    metric = str(found.get("metric"))
    value = formats.number(dig(cell, "over", VALID, metric).get("difference"))
    return float("inf") if value is None else sign(metric) * value


def _field(cell: Json) -> str:
    return str(dig(cell, "values").get("without"))


def _use(found: Json, cell: Json) -> Json:
    return next((use for use in entries(found, "uses") if use.get("field") == _field(cell)), {})


def _like(use: Json) -> str:
    most = use.get("most_like")
    return f"{most[0]} {formats.percent(most[1], 0)}%" if isinstance(most, list | tuple) else formats.MISSING
