"""The spread of single requests: p50, p95 and p99 of each model on one logarithmic axis."""

from __future__ import annotations

from distill.core.output import for_html
from distill.evaluation.entries import LatencyRow
from distill.report import formats, scales
from distill.report.contents import Report, latency_of, models_of
from distill.report.markup import element
from distill.report.plots import MARKS
from distill.report.rows_plot import Line, bar, dot, inner, rows_plot

_QUANTILES = ("p50_ms", "p95_ms", "p99_ms")
_NOTE = "One record at a time, the fastest first: the dot is p50, the thick line leads to p95, the thin one to p99."


def figure(report: Report, width: int = 560) -> str:
    """The drawing with its caption; nothing where no request was timed."""
    rows = sorted((row for row in latency_of(report) if row.single and _known(row)), key=lambda row: _known(row)[0])
    if not rows:
        return ""
    ends = scales.log_range([ms for row in rows for ms in _known(row)])
    x = scales.logarithmic(*ends, *inner(width))
    roles = {model.name: model.role for model in models_of(report)}
    lines = [_line(row, str(roles.get(str(row.model)) or row.role), x) for row in rows]
    drawn = rows_plot(lines, (x, scales.log_ticks(*ends), "ms a request"), "Latency of single requests", width)
    return element("figure", drawn + element("figcaption", for_html(_NOTE)))


def _known(row: LatencyRow) -> list[float]:
    """Those of the quantiles that were measured, as far as there is none missing before."""
    found = []
    for name in _QUANTILES:
        value = formats.number(getattr(row, name))
        if value is None or value <= 0:
            break
        found.append(value)
    return found


def _line(row: LatencyRow, role: str, x: scales.Scale) -> Line:
    known, role = [x(ms) for ms in _known(row)], role if role in MARKS else "student"
    bars = [bar(start, end, name) for start, end, name in zip(known, known[1:], ("thick", "thin"), strict=False)]
    told = ", ".join(
        f"{name[:-3]} {formats.three_digits(ms)} ms" for name, ms in zip(_QUANTILES, _known(row), strict=False)
    )
    kept = f"{row.model} · {row.runtime} {row.precision}: {told}"
    return Line(kept, element("g", "".join(bars) + dot(known[0], ""), class_=f"point {role}"), kept)
