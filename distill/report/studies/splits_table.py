"""What a split study came to: sentences and a table, from the content of `split-study.json`."""

from __future__ import annotations

from distill.core.files import Json
from distill.evaluation.direction import unit
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
    loss_column,
    named_metric,
    over_column,
    points,
    quality_column,
)
from distill.report.table_model import Column, Sheet

_CROSSES = "crosses_split"


def splits_sentences(found: Json) -> list[str]:
    """What each split costs against the first one, how many rows fell away, and what the figures cannot say."""
    first, metric = lead(found), str(found.get("metric"))
    others = [cell for cell in done(found) if cell is not first]
    value = formats.metric_interval(metric, dig(first, TEST, metric))
    head = f"{named_metric(found)} of {found.get('model')} on the test rows of the split {_name(first)}: {value}."
    limits = (
        "Each split has other test rows and other training rows, so differences are between independent samples; "
        "fewer training rows are part of what a strict split costs."
    )
    return [head, *(_cost(found, cell) for cell in others), *failures(found), limits]


def splits_sheet(found: Json) -> Sheet:
    """Every split: its rows, the rows that fell away, and the figures."""
    columns = [
        Column("Split", _name, kind="label"),
        *(
            Column(f"Rows, {part}", lambda row, part=part: formats.integer(dig(row, "parts").get(part)))  # type: ignore[misc]
            for part in ("train", "valid", "test")
        ),
        Column("Rows that cross", lambda row: formats.integer(_crossing(row))),
        Column("Other rows dropped", lambda row: formats.integer(_others(row))),
        quality_column(found, TEST),
        over_column(found, TEST, "To the first"),
        loss_column(TEST),
        quality_column(found, VALID),
    ]
    if failures(found):
        columns.append(failed_column())
    caption = (
        f"{found.get('model')}: percent and points with 95% intervals; the same labelled rows, split anew each time."
    )
    return Sheet(caption, columns, entries(found, "cells"), marked=is_lead(found))


def _cost(found: Json, cell: Json) -> str:
    metric = str(found.get("metric"))
    apart = dig(cell, "over", TEST, metric)
    shown = "" if is_apart(apart) else ", which is no difference shown"
    away = f"; {formats.integer(_crossing(cell))} rows crossed it and fell away" if _crossing(cell) else ""
    return f"Split {_name(cell)}: {points(apart, metric)} {unit(metric)[2]}{shown}{away}."


def _name(cell: Json) -> str:
    return str(dig(cell, "values").get("split"))


def _crossing(cell: Json) -> int | None:
    return int(dig(cell, "dropped").get(_CROSSES, 0)) if "dropped" in cell else None


def _others(cell: Json) -> int | None:
    dropped = dig(cell, "dropped")
    return sum(rows for reason, rows in dropped.items() if reason != _CROSSES) if "dropped" in cell else None
