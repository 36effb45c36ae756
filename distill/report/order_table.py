"""The models by their figure on validation and on test, and a warning where the two disagree."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from distill.core.files import Json
from distill.evaluation.direction import sign, unit
from distill.report import formats
from distill.report.contents import Report, dig, entries, positive_label
from distill.report.names import metric_name
from distill.report.table_model import Column, Sheet

_SHOWN = 3


def order_sheet(report: Report) -> Sheet:
    """A row for each model with its figure and its place on validation and on all test rows."""
    found = dig(report, "validation_order")
    rows, metric = entries(found, "models"), str(found.get("metric"))
    columns = [
        Column("Model", lambda row: str(row.get("model")), kind="name"),
        *(column for split in ("valid", "test") for column in _split_columns(rows, metric, split)),
    ]
    tau = formats.number(found.get("kendall"))
    agreed = f" Rank correlation (Kendall’s τ) of both orders: {formats.signed(tau, 2)}." if tau is not None else ""
    name = metric_name(metric, positive_label(report))
    return Sheet(f"{name[:1].upper()}{name[1:]} on both, with 95% intervals.{agreed}", columns, rows)


def order_warnings(report: Report) -> Iterator[str]:
    """That validation and test put models in another order, with the first pairs; nothing where they do not."""
    found = dig(report, "validation_order")
    swapped, metric = entries(found, "swapped"), str(found.get("metric"))
    if not swapped:
        return
    scale, decimals, counted = unit(metric)

    def told(apart: Json) -> str:
        return formats.signed_interval(apart.get("difference"), apart, scale, decimals + 1)

    pairs = [
        f"{one.get('a')} − {one.get('b')} {told(dig(one, 'valid'))} on validation, {told(dig(one, 'test'))} on test"
        for one in swapped[:_SHOWN]
    ]
    more = f" and {len(swapped) - _SHOWN} more pairs" if len(swapped) > _SHOWN else ""
    name = metric_name(metric, positive_label(report))
    yield (
        f"Validation ranks models otherwise than the test, beyond both intervals ({name}, {counted}): "
        f"{'; '.join(pairs)}{more}. What was chosen on validation may not be the best on data like the test."
    )


def _split_columns(rows: Sequence[Json], metric: str, split: str) -> Iterator[Column]:
    group = {"valid": "Validation", "test": "Test"}[split]
    known = {str(row.get("model")): formats.number(row.get(split)) for row in rows}
    order = sorted(
        (name for name in known if known[name] is not None), key=lambda name: _best_first(known, metric, name)
    )
    yield Column("Figure", _figure(metric, split), group, group)
    yield Column("Place", lambda row: _place(order, row), group, f"{group}: place", spare=1)


def _best_first(known: dict[str, float | None], metric: str, name: str) -> float:
    return -sign(metric) * (known[name] or 0.0)


def _figure(metric: str, split: str) -> Callable[[Json], str]:
    return lambda row: formats.metric_interval(metric, row.get(split))


def _place(order: Sequence[str], row: Json) -> str:
    name = str(row.get("model"))
    return str(order.index(name) + 1) if name in order else formats.MISSING
