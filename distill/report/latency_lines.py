"""What a reader has to know of latency rows before believing them: disturbance, intervals that stayed wide."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from distill.evaluation.entries import LatencyRow
from distill.report import formats

DISTURBED = 0.1
"""Share of disturbed requests from which on a row says so."""
_SHOWN = 6


def warnings(rows: Sequence[Mapping[str, Any] | LatencyRow], settings: Mapping[str, Any]) -> Iterator[str]:
    """Sentences; none where the machine was quiet and every ratio is known as well as was asked.

    Args: settings: those of the measurement, `within` and `minutes` among them; empty of older reports.
    """
    found = [row if isinstance(row, LatencyRow) else LatencyRow.from_json(row) for row in rows]
    yield from _noisy(found)
    yield from _wide(found, settings)


def half_width(row: LatencyRow) -> float | None:
    """Half the width of the interval of a row's speed-up, as a share of it; None without one."""
    value, low, high = row.speedup_vs_teacher, row.speedup_low, row.speedup_high
    return None if not value or low is None or high is None else (high - low) / (2 * value)


def is_disturbed(row: LatencyRow) -> bool:
    """Whether a row's requests were disturbed too often to be believed."""
    return (row.disturbed or 0.0) > DISTURBED


def _noisy(rows: Sequence[LatencyRow]) -> Iterator[str]:
    noisy = [row for row in rows if is_disturbed(row)]
    if noisy:
        why = sorted({reason for row in noisy for reason in row.disturbed_by})
        named = [f"{row.model} ({formats.percent(row.disturbed, 0)}%)" for row in noisy]
        loads = [row.load for row in noisy if row.load is not None]
        load = f", load up to {max(loads):.1f}" if loads else ""
        yield (
            f"The machine was busy with something else while these were timed (share of requests): {_listed(named)}; "
            f"{'; '.join(why) or 'unknown'}{load}. Speed-ups of such rows may be many times off: measure again alone."
        )


def _wide(rows: Sequence[LatencyRow], settings: Mapping[str, Any]) -> Iterator[str]:
    within, minutes = settings.get("within"), settings.get("minutes")
    if within is None:
        return
    wide = [(row, width) for row in rows if (width := half_width(row)) is not None and width > within]
    once = [row for row in rows if row.single and row.speedup_vs_teacher not in (None, 1.0) and row.speedup_low is None]
    if wide:
        named = [f"{row.model} ±{formats.percent(width, 0)}%" for row, width in wide]
        limit = f"in {minutes:g} minutes" if minutes else "with so few processes"
        yield f"Speed-ups are not known to ±{formats.percent(within, 0)}% {limit}: {_listed(named)}."
    if once:
        named = [str(row.model) for row in once]
        yield f"One process only, so that the speed-up has no interval: {_listed(named)}."


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
