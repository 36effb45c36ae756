"""What the intervals of a report are over: which keys were drawn, and which have too few values for that."""

from __future__ import annotations

from distill.core.files import Json
from distill.core.halves import FEWEST_CLUSTERS
from distill.evaluation.calibrated_predictions import ALL
from distill.report import formats
from distill.report.contents import Report, dig, entries


def drawn_keys(report: Report) -> list[str]:
    """A sentence on the keys that are drawn, where there are several, and one on each that is not.

    Empty for older reports and for projects with one key or none.
    """
    keys = entries(report, "keys")
    drawn = [key for key in keys if ALL not in (key.get("left_out") or [])]
    found = [f"They draw {' and '.join(map(_named, drawn))}."] if len(drawn) > 1 else []
    return [*found, *(_left_out(key) for key in keys if key.get("left_out"))]


def _named(key: Json) -> str:
    return f"{key.get('name')} ({formats.integer(dig(key, 'values').get(ALL))} values)"


def _left_out(key: Json) -> str:
    tests = [str(test) for test in key.get("left_out") or []]
    where = "" if ALL in tests else f" in test {', '.join(f'“{test}”' for test in tests)}"
    counts = ", ".join(formats.integer(dig(key, "values").get(test)) for test in ([ALL] if ALL in tests else tests))
    few = f"{key.get('name')} has under {FEWEST_CLUSTERS} values{where} ({counts}) and is not drawn"
    return f"{few}: intervals are for these values alone."
