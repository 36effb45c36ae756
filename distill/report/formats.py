"""Figures as the tables show them: percent with two decimals, intervals with one, a dash for what is missing."""

from __future__ import annotations

from typing import Any

from distill.core.finite import finite

MISSING = "–"


def number(value: Any) -> float | None:
    """A finite float from a figure, or from the `value` of a figure with an interval; None for anything else."""
    return finite(value.get("value") if isinstance(value, dict) else value)


def bounds(value: Any) -> tuple[float, float] | None:
    """The interval of a figure: from `{"low", "high"}` or from a pair."""
    pair = [value.get("low"), value.get("high")] if isinstance(value, dict) else value
    if not isinstance(pair, list | tuple) or len(pair) != 2:
        return None
    low, high = number(pair[0]), number(pair[1])
    return None if low is None or high is None else (low, high)


def percent(value: Any, decimals: int = 2) -> str:
    """A share in percent without the sign: 0.7616 is "76.16", and what rounds to zero has no minus."""
    share = number(value)
    return MISSING if share is None else f"{100 * share:z.{decimals}f}"


def fixed(value: Any, decimals: int) -> str:
    """A figure as it is with so many decimals: "0.6123"."""
    figure = number(value)
    return MISSING if figure is None else f"{figure:.{decimals}f}"


def percent_interval(value: Any, interval: Any = None, decimals: int = 2) -> str:
    """A share with its interval in percent: "76.16 (74.9–77.4)"; without the bracket where no interval is known."""
    pair = bounds(value if interval is None else interval)
    text = percent(value, decimals)
    return text if pair is None or text == MISSING else f"{text} ({100 * pair[0]:z.1f}–{100 * pair[1]:z.1f})"


def metric_interval(metric: object, value: Any, decimals: int = 2) -> str:
    """A metric with its interval: shares in percent, log loss as it is: "0.6123 (0.580–0.650)"."""
    if metric != "log_loss":
        return percent_interval(value, decimals=decimals)
    centre, pair = number(value), bounds(value)
    if centre is None:
        return MISSING
    return f"{centre:.4f}" + (f" ({pair[0]:.3f}–{pair[1]:.3f})" if pair else "")


def signed_interval(value: Any, interval: Any, scale: float, decimals: int) -> str:
    """A difference with its interval, every figure with its sign: "+1.20 (−0.3…+2.7)"."""
    centre, pair = number(value), bounds(interval)
    if centre is None:
        return MISSING
    text = signed(centre * scale, decimals)
    if pair is None:
        return text
    return f"{text} ({signed_range(pair, scale, decimals - 1)})"


def signed_range(value: Any, scale: float, decimals: int) -> str:
    """The ends of a range, both with their sign: "−0.3…+2.7"."""
    pair = bounds(value)
    return MISSING if pair is None else "…".join(signed(bound * scale, decimals) for bound in pair)


def three_digits(value: Any) -> str:
    """A measurement with about three digits: "0.35", "14.2", "187"."""
    measured = number(value)
    return MISSING if measured is None else f"{measured:.{_decimals(measured)}f}"


def times(value: Any) -> str:
    """A ratio of speeds: "13.2×"."""
    ratio = number(value)
    return MISSING if ratio is None else f"{ratio:.{_decimals(ratio, most=1 if ratio >= 10 else 2)}f}×"


def times_interval(value: Any, interval: Any) -> str:
    """A ratio of speeds with its extremes: "13.2× (12.8–13.6)"."""
    pair, text = bounds(interval), times(value)
    return text if pair is None or text == MISSING else f"{text} ({times(pair[0])[:-1]}–{times(pair[1])[:-1]})"


def millions(value: Any) -> str:
    """A count of parameters: "22.7 M", "111 M", "850 K"."""
    count = number(value)
    if count is None:
        return MISSING
    unit, scale = ("M", 1e6) if count >= 1e6 else ("K", 1e3)
    return f"{count / scale:.{1 if count < 100 * scale else 0}f} {unit}"


def integer(value: Any) -> str:
    """A count with thin spaces between thousands: "12 000"."""
    count = number(value)
    return MISSING if count is None else f"{count:,.0f}".replace(",", "\u202f")


def plain(value: Any) -> str:
    """Any JSON value in few characters; a float with four significant digits and a minus sign, a list with commas."""
    if value is None:
        return MISSING
    if isinstance(value, list):
        return ", ".join(plain(item) for item in value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    figure = number(value)
    if figure is None:
        return MISSING if isinstance(value, float) else str(value)
    return f"{'−' if figure < 0 else ''}{abs(figure):.4g}" if isinstance(value, float) else str(value)


def p_value(value: Any) -> str:
    """A p-value with three decimals, "<0.001" below that."""
    p = number(value)
    return MISSING if p is None else "<0.001" if p < 0.001 else f"{p:.3f}"


def duration(value: Any) -> str:
    """Seconds as people say them: "0.4 s", "42 s", "3 min 05 s", "2 h 10 min"."""
    seconds = number(value)
    if seconds is None:
        return MISSING
    if seconds < 59.5:
        return f"{seconds:.{1 if seconds < 9.95 else 0}f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def verdict(value: Any) -> str:
    """The result of a check: "passed", "failed", or a dash where it was not measured."""
    return {True: "passed", False: "failed"}.get(value, MISSING) if isinstance(value, bool) else MISSING


def signed(value: float, decimals: int) -> str:
    """A difference with its sign: "+1.20", "−0.3"."""
    return f"{value:+.{decimals}f}".replace("-", "−")


def _decimals(value: float, most: int = 2) -> int:
    return min(most, 2 if abs(value) < 10 else 1 if abs(value) < 100 else 0)
