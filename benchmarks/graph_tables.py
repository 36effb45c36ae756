"""The tables of what graphs cost, in Markdown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.figures import Figure
from benchmarks.graph_forms import BEFORE, EXACT, SHIPPED
from benchmarks.graph_start import PARTS
from benchmarks.study_tables import table

Figures = Mapping[str, Any]
_ABOUT = (
    "Batch 1, from record to logits, tokenisation included, all forms in one process in {rounds} rounds of {measured} "
    "requests each. *Speed*: median over rounds of the ratio to the int8 file as ONNX Runtime's quantiser leaves it, "
    "with its 95% interval. *Floor*: the same products alone (with weights in int8 or, for fp32, in fp32, in attention "
    "in fp32, the last layer for [CLS]); the column is the time over that of the floor of its numbers. Machine: {cpu}, "
    "{cores} cores, {flags}, at a load of {load}; ONNX Runtime {runtime}."
)
_START = (
    "From `import runtime` to the first answer, all cores, in milliseconds: the first start on a machine, which "
    "replays all golden records, and the median of later ones, with the least."
)
GRAPHS: dict[str, Figure] = {
    # Of the shipped int8 file at a shape, tokens and threads, against `ratio` (before), `vs_floor` or `vs_optimum`.
    "speed": lambda result, *where: _interval(_row(result, SHIPPED, *where[:3])[where[3]]),
    "over_floor": lambda result, *where: f"{1 / _row(result, SHIPPED, *where)['vs_floor']['value']:.2f}",
    "over_floor_before": lambda result, *where: f"{1 / _row(result, BEFORE, *where)['vs_floor']['value']:.2f}",
    "fp32_over_floor": lambda result, *where: f"{1 / _row(result, EXACT, *where)['vs_floor']['value']:.2f}",
    "start": lambda result, artifact, which: f"{_start(result, artifact, which)['ms']['total']:.0f} ms",
    "least": lambda result, artifact, which: f"{_start(result, artifact, which)['least_ms']:.0f} ms",
}


def markdown_graphs(result: Figures) -> str:
    """A page with every form at every setting, and the start."""
    machine, settings = result["environment"], result["settings"]
    about = _ABOUT.format(
        **{name: settings[name] for name in ("rounds", "measured")},
        cpu=machine["cpu"],
        cores=machine["cores"],
        flags=", ".join(machine["cpu_flags"]),
        load=machine["load_1min"],
        runtime=machine["versions"]["onnxruntime"],
    )
    parts = [f"# {result['title']}", about]
    settings_seen = list(dict.fromkeys((row["shape"], row["tokens"], row["threads"]) for row in result["rows"]))
    for shape, tokens, threads in settings_seen:
        rows = [
            row for row in result["rows"] if (row["shape"], row["tokens"], row["threads"]) == (shape, tokens, threads)
        ]
        parts += [f"## {shape}, {tokens} tokens, {threads} thread{'s' * (threads > 1)}", _forms(rows)]
    return "\n\n".join([*parts, "## The start", _START, markdown_starts(result)]) + "\n"


def markdown_shipped(result: Figures) -> str:
    """The main table: the file that ships against the one before, and both against the floor."""
    head = ["Shape", "Tokens", "Threads", "Before, ms", "Shipped, ms", "Speed", "Before / floor", "Shipped / floor"]
    rows = []
    for before in (row for row in result["rows"] if row["form"] == BEFORE):
        where = ("shape", "tokens", "threads")
        shipped = next(
            row for row in result["rows"] if row["form"] == SHIPPED and all(row[key] == before[key] for key in where)
        )
        times = [f"{row['median_ms']:.2f}" for row in (before, shipped)]
        over = [f"{1 / row['vs_floor']['value']:.2f}" for row in (before, shipped)]
        rows.append([*(str(before[key]) for key in where), *times, _interval(shipped["ratio"]), *over])
    return table(head, rows)


def markdown_starts(result: Figures) -> str:
    """One row for each artifact's first start and its later ones."""
    head = ["File", "Start", *(part.capitalize() for part in PARTS), "Least"]
    rows = [
        [one["artifact"], one["start"], *(f"{one['ms'].get(part, 0):.0f}" for part in PARTS), f"{one['least_ms']:.0f}"]
        for one in result["starts"]
    ]
    return table(head, rows)


def _forms(rows: list[Figures]) -> str:
    cells = [
        [
            row["form"],
            *(f"{row[key]:.2f}" for key in ("median_ms", "least_ms")),
            _interval(row["ratio"]),
            f"{1 / row['vs_floor']['value']:.2f}",
        ]
        for row in rows
    ]
    return table(["Form", "Median, ms", "Least, ms", "Speed", "Time / floor"], cells)


def _interval(found: Figures) -> str:
    return f"{found['value']:.2f}× ({found['low']:.2f}–{found['high']:.2f})"


def _row(result: Figures, form: str, *where: str) -> Figures:
    keys = ("shape", "tokens", "threads")
    found: Figures = next(
        row for row in result["rows"] if (row["form"], *(str(row[key]) for key in keys)) == (form, *where)
    )
    return found


def _start(result: Figures, artifact: str, which: str) -> Figures:
    found: Figures = next(one for one in result["starts"] if (one["artifact"], one["start"]) == (artifact, which))
    return found
