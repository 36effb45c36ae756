"""What a sweep came to: sentences and a table, from the content of `sweep.json`."""

from __future__ import annotations

from distill.core.files import Json
from distill.report import formats
from distill.report.contents import dig, entries
from distill.report.studies.figures import (
    TEST,
    VALID,
    done,
    failed_column,
    failures,
    hours_column,
    is_apart,
    is_lead,
    lead,
    loss_column,
    named_metric,
    over_column,
    quality_column,
    shown_values,
    value_columns,
)
from distill.report.table_model import Column, Sheet


def sweep_sentences(found: Json) -> list[str]:
    """The cell that validation chose, which others are not shown to be worse, what failed, when test was read."""
    best, metric, cells = lead(found), str(found.get("metric")), done(found)
    value = formats.metric_interval(metric, dig(best, VALID, metric))
    head = f"Best of {len(cells)} on validation: {shown_values(best)}; {named_metric(found)} {value} there"
    head += f", {formats.metric_interval(metric, dig(best, TEST, metric))} on test." if dig(best, TEST) else "."
    others = [cell for cell in cells if cell is not best]
    like = [cell for cell in others if not is_apart(dig(cell, "over", VALID, metric))]
    tie = f"Not shown to be worse on validation, corrected for their number: {len(like)} of the others."
    when = "Test rows were read once the choice was made; nothing was chosen by them."
    return [head, *([tie] if others else []), *failures(found), when]


def sweep_sheet(found: Json) -> Sheet:
    """Every cell: its values as columns, validation, which decides, and test beside it."""
    columns = [
        Column("Best", lambda row: "best" if row.get("name") == found.get("lead") else "", kind="text"),
        *value_columns(found),
        quality_column(found, VALID, best=True),
        over_column(found, VALID, "To the best"),
        loss_column(VALID, best=True),
        quality_column(found, TEST),
        loss_column(TEST),
        hours_column(),
    ]
    if failures(found):
        columns.append(failed_column())
    seeds = found.get("seeds") or []
    of_seeds = f"means over the seeds {formats.plain(seeds)}" if len(seeds) > 1 else f"one seed, {formats.plain(seeds)}"
    caption = f"{found.get('model')}: percent and points with 95% intervals, {of_seeds}; chosen on validation alone."
    return Sheet(caption, columns, entries(found, "cells"), marked=is_lead(found))
