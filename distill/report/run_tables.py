"""The tables of a report that are not about quality: latency, parity, gates, data ledger, token lengths, stages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from distill.core.files import Json
from distill.evaluation.entries import LatencyRow, Parity
from distill.report import formats
from distill.report.contents import Report, dig, entries, gates_of, latency_of, parity_of
from distill.report.latency_lines import warnings
from distill.report.table_model import Column, Sheet

QUANTILES = ("q10", "q25", "q50", "q75", "q90", "q95", "q99", "max")


def latency_sheet(report: Report) -> Sheet:
    """Every latency measurement with its conditions."""
    request, speed = "Request, ms", "Speed-up"
    columns = [
        Column("Model", _text("model"), kind="name"),
        Column("View", _text("view"), kind="text", spare=9),
        Column("Runtime", _text("runtime"), kind="text", spare=4),
        Column("Precision", _text("precision"), kind="text", spare=5),
        Column("Threads", _text("threads"), spare=8),
        Column("Batch", _text("batch"), spare=7),
        Column("Tokens", _text("tokens"), spare=6),
        Column("Samples", lambda row: formats.integer(row.samples), spare=12),
        Column("p50", _measured("p50_ms"), request, "p50, ms"),
        Column("p95", _measured("p95_ms"), request, "p95, ms", spare=3),
        Column("p99", _measured("p99_ms"), request, "p99, ms", spare=2),
        Column("tokenising", _measured("tokenise_ms"), request, "Tokenising, ms", spare=11),
        Column("Rows per s", _measured("throughput_per_s"), spare=10),
        Column("over PyTorch teacher", _speedup, speed, "Speed-up"),
        Column(
            "over fastest teacher",
            lambda row: formats.times_interval(row.speedup_vs_best_teacher, [row.best_low, row.best_high]),
            speed,
            "Over fastest teacher",
            spare=1,
        ),
        *_conditions(latency_of(report)),
    ]
    caption = "Real length mix, tokenisation included, equal threads; p99 only where there are enough requests."
    left_out = dig(report, "environment", "bench", "left_out").items()
    told = warnings(latency_of(report), dig(report, "environment", "bench"))
    caption += "".join(f" {sentence}" for sentence in told)
    caption += "".join(f" Not timed: {name}, {reason}." for name, reason in left_out)
    return Sheet(caption, columns, latency_of(report))


def _conditions(rows: Sequence[LatencyRow]) -> list[Column]:
    """What processes were like; of older reports, which do not say, nothing."""
    found = [
        Column("Processes", _text("processes"), spare=13),
        Column("Weights", _text("weights"), kind="text", spare=14),
        Column("Disturbed, %", lambda row: formats.percent(row.disturbed, 0), spare=15),
        Column("First answer, ms", _measured("start_ms"), spare=16),
        Column("Memory, MiB", _measured("memory_mib"), spare=17),
        Column("File, MiB", _measured("file_mib"), spare=18),
    ]
    return [column for column in found if any(column.cell(row) != formats.MISSING for row in rows)]


def parity_sheet(report: Report) -> Sheet:
    """How far each exported file is from the PyTorch model."""
    columns = [
        Column("Model", _text("name"), kind="name"),
        Column("Target", _text("target"), kind="name"),
        Column("Largest logit difference", lambda row: _scientific(row.max_abs_diff)),
        Column("Label flips", _flips),
        Column("Rows", lambda row: formats.integer(row.rows)),
        Column("Result", lambda row: formats.verdict(row.passed), kind="text"),
    ]
    return Sheet("Exported files against PyTorch on the same rows.", columns, parity_of(report))


def gate_sheet(report: Report) -> Sheet:
    """What the config requires and what was measured."""
    columns = [
        Column("Gate", _text("name"), kind="name"),
        Column("Required", lambda row: formats.plain(row.required)),
        Column("Measured", lambda row: formats.plain(row.measured)),
        Column("Result", lambda row: formats.verdict(row.passed), kind="text"),
    ]
    rows = gates_of(report)
    if any(row.why for row in rows):
        columns.append(Column("Why", _text("why"), kind="prose"))
    return Sheet("Failed gates leave no bundle.", columns, rows)


def ledger_sheet(report: Report) -> Sheet:
    """Every row that was read: kept, or dropped with its reason, in all and by source."""
    ledger = dig(report, "audit", "rows")
    dropped, sources = dig(ledger, "dropped"), dig(ledger, "by_source")
    rows = [
        ("read", ("read",)),
        *((f"dropped: {reason}", ("dropped", reason)) for reason in dropped),
        ("kept", ("kept",)),
    ]
    columns = [
        Column("Rows", lambda row: str(row[0]), kind="text"),
        Column("Count", _count(ledger)),
        Column("Share of read, %", lambda row: _share(_at(ledger, row[1]), ledger.get("read"))),
        *(Column(str(source), _count(dig(sources, source)), "By source") for source in sources),
    ]
    return Sheet(_ledger_caption(ledger, dropped), columns, rows if ledger else [])


def quantile_sheet(report: Report) -> Sheet:
    """Token lengths of each split in each view."""
    tokens = dig(report, "audit", "tokens")
    rows = [(view, split, dig(tokens, view, split)) for view in tokens for split in dig(tokens, view)]
    columns = [
        Column("Split", lambda row: str(row[1]), kind="text"),
        *(Column(q, _quantile(q)) for q in QUANTILES if any(q in row[2] for row in rows)),
    ]
    return Sheet("Quantiles of tokens per example in each view.", columns, rows, lambda row: f"View {row[0]}")


def leak_sheet(report: Report) -> Sheet:
    """What the audit found in more than one split; columns are the keys that the audit wrote."""
    rows = entries(dig(report, "audit"), "leaks")
    keys = list(dict.fromkeys(key for row in rows for key in row))
    return Sheet("Found in more than one split.", [Column(str(key), _key(key), kind="text") for key in keys], rows)


def stage_sheet(report: Report) -> Sheet:
    """The steps of the run in order, with their time."""
    rows = entries(report, "stages")
    total = sum(formats.number(row.get("seconds")) or 0.0 for row in rows)
    columns = [
        Column("Stage", _key("name"), kind="text"),
        Column("Status", _key("status"), kind="text"),
        Column("Time", lambda row: formats.duration(row.get("seconds"))),
    ]
    return Sheet(f"{formats.duration(total)} in all.", columns, rows)


def environment_items(report: Report) -> list[tuple[str, str]]:
    """The environment as flat pairs, nested names joined with dots."""
    return _flatten("", dig(report, "environment"))


def _flatten(prefix: str, value: Any) -> list[tuple[str, str]]:
    if isinstance(value, dict):
        names = {key: f"{prefix}.{key}" if prefix else str(key) for key in value}
        return [item for key, inner in value.items() for item in _flatten(names[key], inner)]
    return [(prefix, formats.plain(value))]


def _text(name: str) -> Callable[[object], str]:
    """A cell of a typed entry. Args: name: of its field."""
    return lambda row: formats.plain(getattr(row, name))


def _key(key: str) -> Callable[[Json], str]:
    return lambda row: formats.plain(row.get(key))


def _measured(name: str) -> Callable[[LatencyRow], str]:
    return lambda row: formats.three_digits(getattr(row, name))


def _speedup(row: LatencyRow) -> str:
    return formats.times_interval(row.speedup_vs_teacher, [row.speedup_low, row.speedup_high])


def _quantile(name: str) -> Callable[[tuple[str, str, Json]], str]:
    return lambda row: formats.integer(row[2].get(name))


def _count(ledger: Json) -> Callable[[tuple[str, tuple[str, ...]]], str]:
    return lambda row: formats.integer(_at(ledger, row[1]))


def _at(ledger: Json, path: tuple[str, ...]) -> Any:
    return dig(ledger, *path[:-1]).get(path[-1])


def _scientific(value: Any) -> str:
    figure = formats.number(value)
    return formats.MISSING if figure is None else f"{figure:.1e}" if figure < 0.01 else f"{figure:.3f}"


def _flips(row: Parity) -> str:
    flips, rows = row.label_flips, formats.number(row.rows)
    if isinstance(flips, float):
        return f"{formats.percent(flips)}%"
    return formats.integer(flips) if not flips or not rows else f"{formats.integer(flips)} ({100 * flips / rows:.2f}%)"


def _share(count: Any, read: Any) -> str:
    part, whole = formats.number(count), formats.number(read)
    return formats.MISSING if part is None or not whole else formats.percent(part / whole)


def _ledger_caption(ledger: Json, dropped: Json) -> str:
    parts = [formats.number(value) for value in (ledger.get("read"), ledger.get("kept"), *dropped.values())]
    if None in parts:
        return "Rows read, dropped and kept."
    read, *rest = (part or 0.0 for part in parts)
    lost = read - sum(rest)
    return (
        "read = kept + dropped." if not lost else f"Does not add up: {formats.integer(lost)} rows are unaccounted for."
    )
