"""The best student within a bound on latency: sentences and tables, from the content of `budget.json`."""

from __future__ import annotations

from collections.abc import Iterator

from distill.core.files import Json
from distill.report import formats
from distill.report.contents import dig, entries
from distill.report.studies.figures import TEST, VALID, is_apart, named_metric, over_column, quality_column
from distill.report.table_model import Column, Sheet


def budget_sentences(found: Json) -> list[str]:
    """The best student, or that none holds; which others are as good; what was tried; how far the bound holds."""
    best = next((row for row in entries(found, "trained") if row.get("name") == found.get("best")), None)
    return [_head(found, best), *_alike(found, best), _tried(found), *_broken(found), _rules(found)]


def trained_sheet(found: Json) -> Sheet:
    """Every file of the students that were trained, the fastest first."""
    columns = [
        Column("File", lambda row: str(row.get("name")), kind="name"),
        Column(f"{_percentile(found)}, ms, other requests", lambda row: shown_ms(_held(found, row))),
        quality_column(found, VALID, best=True),
        over_column(found, VALID, "To the best"),
        quality_column(found, TEST),
        Column("On the front", lambda row: "yes" if row.get("front") else "", kind="text", spare=1),
        Column("Holds", lambda row: "yes" if row.get("holds") else "no", kind="text"),
    ]
    caption = (
        f"Percent and points with 95% intervals. Times are those of the trained files on requests that no candidate "
        f"was timed on; a file holds where {_percentile(found)} is within 110% of {_bound(found)}."
    )
    return Sheet(caption, columns, entries(found, "trained"), marked=lambda row: row.get("name") == found.get("best"))


def candidates_sheet(found: Json) -> Sheet:
    """Every candidate by rising work, with what was decided of it."""
    columns = [
        Column("Candidate", lambda row: str(row.get("name")), kind="name"),
        Column("p50, ms", lambda row: shown_ms(row.get("p50")), spare=1),
        Column("p99, ms", lambda row: shown_ms(row.get("p99"))),
        Column("What of it", lambda row: str(row.get("why")), kind="prose"),
    ]
    processes = formats.integer(found.get("processes"))
    caption = (
        f"Candidates with weights of no meaning, {processes} fresh processes each; int8 leaves in fp32 what the file "
        "of a trained student may have to."
    )
    return Sheet(caption, columns, entries(found, "candidates"))


def shown_ms(figure: object) -> str:
    """`1.23 (1.15–1.32)`; a dash where nothing was timed."""
    value, ends = formats.number(figure), formats.bounds(figure)
    if value is None:
        return formats.MISSING
    low_high = f" ({formats.three_digits(ends[0])}–{formats.three_digits(ends[1])})" if ends else ""
    return formats.three_digits(value) + low_high


def _head(found: Json, best: Json | None) -> str:
    if best is None:
        return f"No trained student stays within 110% of {_bound(found)} on other requests: nothing is named."
    metric = str(found.get("metric"))
    quality = formats.metric_interval(metric, dig(best, VALID, metric))
    test = formats.metric_interval(metric, dig(best, TEST, metric))
    head = (
        f"Best within {_bound(found)} ({_percentile(found)}): {best.get('candidate')}, {shown_ms(_held(found, best))}"
    )
    return f"{head} ms; {named_metric(found)} {quality} on validation, {test} on test."


def _alike(found: Json, best: Json | None) -> Iterator[str]:
    """Files that are not shown to be worse."""
    metric = str(found.get("metric"))
    others = [row for row in entries(found, "trained") if best is not None and row is not best and row.get("holds")]
    names = [str(row.get("name")) for row in others if not is_apart(dig(row, "over", VALID, metric))]
    if names:
        yield f"Not shown to be worse on validation, corrected for their number: {', '.join(names)}."


def _tried(found: Json) -> str:
    rows = entries(found, "candidates")
    timed, fit = [row for row in rows if "fits" in row], [row for row in rows if row.get("fits")]
    ruled = f", {len(rows) - len(timed)} ruled out by those that do less" if len(rows) > len(timed) else ""
    students = len({str(row.get("name")).partition("@")[0] for row in entries(found, "trained")})
    return (
        f"Of {len(rows)} candidates {len(timed)} were timed{ruled}; {len(fit)} fit, {students} students were trained."
    )


def _broken(found: Json) -> Iterator[str]:
    """The trained files that take longer than their candidates promised."""
    names = [f"{row.get('name')} {shown_ms(_held(found, row))} ms" for row in _broken_rows(found)]
    if names:
        yield f"Over 110% of the bound once trained, on other requests: {'; '.join(names)}."


def _broken_rows(found: Json) -> list[Json]:
    return [row for row in entries(found, "trained") if not row.get("holds")]


def _rules(found: Json) -> str:
    return (
        f"A candidate fits where the upper end of its {_percentile(found)} is within the bound; "
        f"at most {formats.integer(found.get('most_trained'))} students are trained. "
        "Validation chose; test was read after that."
    )


def _held(found: Json, row: Json) -> Json:
    return dig(row, "held_out", _percentile(found))


def _percentile(found: Json) -> str:
    return str(found.get("percentile"))


def _bound(found: Json) -> str:
    return f"{formats.number(found.get('ms')) or 0:g} ms"
