"""Models of two runs beside each other: sentences and a table, from what `compare_runs` found."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import groupby

from distill.core.files import Json
from distill.evaluation.holm import is_shown
from distill.report import formats
from distill.report.contents import dig, entries
from distill.report.names import metric_name
from distill.report.table_model import Column, Sheet

_NAMED = 5


def across_sentences(found: Json) -> list[str]:
    """What is shown of each pair of models, then which rows, seeds and models that is about."""
    return [*_outcomes(found), "", *(f"- {line}" for line in (*_rows(found), *_runs(found)))]


def across_sheet(found: Json) -> Sheet:
    """Old, new and their difference: a row for each pair and metric, or slice; the better of the two is marked."""
    by = found.get("by") is not None
    columns = [
        Column("Model", _pair, kind="name"),
        Column("Slice", _slice, kind="text") if by else Column("Metric", _metric(found), kind="text"),
        *([Column("Rows", lambda row: formats.integer(row.get("rows")))] if by else []),
        Column("Old", _figure("old"), figure=_good("old")),
        Column("New", _figure("new"), figure=_good("new")),
        Column("New − old", _difference),
        Column("p", lambda row: formats.p_value(row.get("p_value"))),
        Column("p, Holm", lambda row: formats.p_value(row.get("p_holm"))),
    ]
    return Sheet(_caption(found), columns, entries(found, "comparisons"), section=_pair, across=True)


def _caption(found: Json) -> str:
    rows, metric = entries(found, "comparisons"), "Accuracy by slice, percent" if found.get("by") else "Percent"
    loss = "" if found.get("by") else "; log loss in nats, less is better"
    compared = sum(row.get("p_holm") is not None for row in rows)
    few = list(dict.fromkeys(_slice(row) for row in rows if row.get("low") is None))
    parts = [f"{metric}; differences in points with 95% intervals, paired on the same test rows{loss}."]
    parts += [f"p, Holm: corrected over the {compared} differences of this table."] if compared > 1 else []
    parts += [f"Under {found.get('fewest_clusters')} clusters, so without interval: {', '.join(few)}."] if few else []
    return " ".join(parts)


def _outcomes(found: Json) -> Iterator[str]:
    """A line for each pair of models: its difference in the run's metric, or in which slices one is shown."""
    for pair, group in groupby(entries(found, "comparisons"), _pair):
        rows = list(group)
        if found.get("by") is None:
            row = next(row for row in rows if row.get("metric") == found.get("metric"))
            yield f"{pair}: {_metric(found)(row)} {_figure('old')(row)} → {_figure('new')(row)}, {_apart(row)}."
        else:
            yield f"{pair}: accuracy {_figure('old')(rows[-1])} → {_figure('new')(rows[-1])}; {_by_slice(rows[:-1])}."


def _apart(row: Json) -> str:
    ends = formats.bounds(row)
    if ends is None:
        return f"{_difference(row)}, with too few rows for an interval"
    if is_shown(row):
        return f"{_difference(row)}, a difference is shown"
    corrected = "" if ends[0] <= 0 <= ends[1] else " after Holm’s correction"
    return f"{_difference(row)}, no difference is shown{corrected}"


def _by_slice(rows: list[Json]) -> str:
    shown = [row for row in rows if row.get("low") is not None and is_shown(row)]
    better = [_slice(row) for row in shown if (row.get("difference") or 0) > 0]
    worse = [_slice(row) for row in shown if (row.get("difference") or 0) < 0]
    told = [f"{word} in {', '.join(names)}" for word, names in (("better", better), ("worse", worse)) if names]
    return "shown to be " + ", ".join(told) if told else "no difference is shown in any slice"


def _rows(found: Json) -> Iterator[str]:
    """Which rows are compared, and what became of the others."""
    rows, old, new = dig(found, "rows"), dig(found, "old"), dig(found, "new")
    yield (
        f"Compared on {_count(rows.get('shared'), 'test row')} that both runs have with the same label: "
        f"{old.get('run')} (old) has {formats.integer(old.get('test_rows'))}, "
        f"{new.get('run')} (new) {formats.integer(new.get('test_rows'))}."
    )
    for side, other in (("old", "new"), ("new", "old")):
        yield from _only(dig(rows, f"only_{side}"), side, other)
    if relabelled := dig(rows, "other_label").get("rows"):
        named = _ids(dig(rows, "other_label"))
        yield f"Left out: {_count(relabelled, 'row')} whose label differs between the runs ({named})."
    if rows.get("other_text") is None:
        yield "Texts were not compared: the runs have no field in common, or records of one are gone."
    elif altered := dig(rows, "other_text").get("rows"):
        named = f"{_count(altered, 'row')} with another text ({_ids(dig(rows, 'other_text'))})"
        yield f"Kept: {named}; each model is measured on the text of its own run."


def _only(alone: Json, side: str, other: str) -> Iterator[str]:
    if alone.get("rows"):
        learnt = " and ".join(f"{rows} in {split}" for split, rows in dig(alone, "in_other").items())
        there = f", of which the {other} run has {learnt}" if learnt else ""
        yield f"Left out: {_count(alone['rows'], 'test row')} of the {side} run alone ({_ids(alone)}){there}."
    if bare := dig(alone, "slices"):
        named = ", ".join(f"{name or 'no slice'} ({_count(rows, 'row')})" for name, rows in bare.items())
        yield f"Slices of the {side} run without a row to compare: {named}. {_ADVICE[side]}"


_ADVICE = {
    "old": "Keep their rows in the tests of the new project to compare them.",
    "new": "With teachers: {old: {finished: FOLDER, weight: 0}} the new project asks an encoder of the old run there.",
}


def _runs(found: Json) -> Iterator[str]:
    """What the two runs differ in: seeds, keys, models."""
    old, new = dig(found, "old"), dig(found, "new")
    if old.get("seeds") != new.get("seeds"):
        yield f"The runs have other seeds, so the first of each is taken: {_seed(old)} (old), {_seed(new)} (new)."
    elif seeds := old.get("seeds"):
        yield f"Every figure is the mean over the seeds {formats.plain(seeds)}."
    if old.get("keys") != new.get("keys"):
        yield (
            f"The runs have other keys: {formats.plain(old.get('keys')) or 'none'} (old), "
            f"{formats.plain(new.get('keys')) or 'none'} (new); resamples are drawn by those of the run with more."
        )
    for side, run in (("old", old), ("new", new)):
        if names := run.get("not_compared"):
            yield f"Only the {side} run has: {', '.join(names)}."


def _seed(run: Json) -> str:
    seeds = run.get("seeds")
    return f"seed {seeds[0]} of {formats.plain(seeds)}" if seeds else "a single run"


def _count(rows: object, what: str) -> str:
    return f"{formats.integer(rows)} {what}" + ("" if rows == 1 else "s")


def _ids(named: Json) -> str:
    ids, rows = named.get("ids") or [], named.get("rows") or 0
    return ", ".join(map(str, ids[:_NAMED])) + (", …" if rows > _NAMED else "")


def _pair(row: Json) -> str:
    old, new = row.get("old_model"), row.get("new_model")
    return str(old) if old == new else f"{old} → {new}"


def _slice(row: Json) -> str:
    return "all" if row.get("slice") is None else str(row["slice"] or "no slice")


def _metric(found: Json) -> Callable[[Json], str]:
    return lambda row: metric_name(str(row.get("metric")), found.get("positive"))


def _figure(side: str) -> Callable[[Json], str]:
    def cell(row: Json) -> str:
        value = row.get(side)
        return formats.fixed(value, 4) if _is_loss(row) else formats.percent(value)

    return cell


def _good(side: str) -> Callable[[Json], float | None]:
    """The figure as it is shown, more the better."""

    def figure(row: Json) -> float | None:
        value = formats.number(row.get(side))
        return None if value is None else round(-value if _is_loss(row) else value, 4)

    return figure


def _difference(row: Json) -> str:
    scale, decimals = (1, 4) if _is_loss(row) else (100, 2)
    return formats.signed_interval(row.get("difference"), row, scale, decimals)


def _is_loss(row: Json) -> bool:
    return row.get("metric") == "log_loss"
