"""Whether validation ranks models as test does: sentences and a table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from distill.core.files import Json
from distill.evaluation.direction import sign
from distill.report import formats
from distill.report.contents import dig, entries
from distill.report.names import metric_name
from distill.report.studies.figures import loss, named_metric
from distill.report.table_model import Column, Sheet


def ranking_sentences(found: Json) -> list[str]:
    """For each metric whether the ranking is better than chance and what choosing lost; what is unknown or left out."""
    count = len(entries(found, "models"))
    told = [sentence for metric in dig(found, "by") for sentence in _of(found, metric, dig(found, "by"), count)]
    for one in entries(found, "checkpoints"):
        told.append(f"Checkpoints of {one.get('model')}:")
        told += [f"- {line}" for metric in dig(one, "by") for line in _of(found, metric, dig(one, "by"), one["count"])]
    told += [*_unknown(found), *_left_out(found)]
    return [*told, "This reads test after everything was chosen, and chooses nothing."]


def _unknown(found: Json) -> list[str]:
    """What cannot be said of checkpoints, where fits have kept none."""
    if entries(found, "checkpoints"):
        return []
    stored = formats.integer(found.get("evaluations"))
    return [
        f"Nothing is said of checkpoints: {stored} evaluations on validation are stored, but a fit keeps the weights "
        "of one. With training.keep_evaluated: true it keeps all, and they are asked on test here."
    ]


def _left_out(found: Json) -> list[str]:
    """The models whose answers are out of date."""
    return [
        f"Left out: {name}, since {changed} was made anew after it was asked; give the command of its run again."
        for name, changed in dig(found, "left_out").items()
    ]


def ranking_sheet(found: Json) -> Sheet:
    """Every model on both splits, best on validation first, with its place on each."""
    metric, models = str(found.get("metric")), entries(found, "models")
    name = named_metric(found)
    places = {split: _places(models, split, metric) for split in ("valid", "test")}
    rows = sorted(models, key=lambda row: places["valid"][row["name"]])
    columns = [
        Column("Model", lambda row: str(row.get("name")), kind="name"),
        Column("Place, validation", lambda row: str(places["valid"][row["name"]])),
        Column("Place, test", lambda row: str(places["test"][row["name"]])),
        Column(f"{name}, validation", lambda row: formats.metric_interval(metric, dig(row, "valid", metric))),
        Column(f"{name}, test", lambda row: formats.metric_interval(metric, dig(row, "test", metric))),
        Column("Log loss, validation", lambda row: loss(dig(row, "valid", "log_loss")), spare=1),
        Column("Log loss, test", lambda row: loss(dig(row, "test", "log_loss")), spare=1),
    ]
    rows_of = dig(found, "rows")
    caption = (
        f"Percent with 95% intervals on {formats.integer(rows_of.get('valid'))} validation and "
        f"{formats.integer(rows_of.get('test'))} test rows."
    )
    return Sheet(caption, columns, rows)


def _of(found: Json, metric: str, figures: Json, count: int) -> Iterator[str]:
    by = dig(figures, metric)
    ends = formats.bounds(by.get("spearman"))
    better = "better than chance" if ends and ends[0] > 0 else "not shown to be better than chance"
    name = "log loss" if metric == "log_loss" else metric_name(metric, found.get("positive"))
    ranks = f"Spearman {_correlation(by.get('spearman'))}, Kendall {_correlation(by.get('kendall'))}"
    yield f"By {name} validation ranks {count} as test does with {ranks}: {better}."
    lost, gained = (_apart(by.get(key), metric) for key in ("lost", "over_random"))
    told = f"Validation chooses {by.get('chosen')}: on test {gained} over one drawn at random"
    if by.get("chosen") == by.get("best"):
        yield f"{told}; it is the best on test too."
    else:
        yield f"{told}; the best on test is {by.get('best')}: {lost} were lost, at most, as these rows picked it."


def _correlation(figure: object) -> str:
    value, ends = formats.number(figure), formats.bounds(figure)
    if value is None:
        return formats.MISSING
    return _decimals(value) + (f" ({_decimals(ends[0])} to {_decimals(ends[1])})" if ends else "")


def _decimals(value: float) -> str:
    return f"{value:.2f}".replace("-", "−")


def _apart(figure: object, metric: str) -> str:
    if metric == "log_loss":
        return f"{formats.signed_interval(figure, figure, 1, 4)} nats"
    return f"{formats.signed_interval(figure, figure, 100, 2)} points"


def _places(models: Sequence[Json], split: str, metric: str) -> dict[str, int]:
    values = {str(one["name"]): sign(metric) * (formats.number(dig(one, split, metric)) or 0.0) for one in models}
    return {name: 1 + sum(other > value for other in values.values()) for name, value in values.items()}
