"""The options of `distill bench` that ask for a budget, as settings of the project."""

from __future__ import annotations

from distill.core.errors import UserError


def as_setting(ms: float | None, percentile: str | None) -> list[str]:
    """What the options set, as for `--set`."""
    asked = [] if ms is None else [f"budget.ms={ms}"]
    return [*asked, *([] if percentile is None else [f"budget.percentile={percentile}"])]


def require_budget(percentile: str | None, dry_run: bool) -> None:
    """Check that nothing was asked that only a budget has. Raises: UserError naming the option."""
    option = "--percentile" if percentile is not None else "--dry-run" if dry_run else None
    if option is not None:
        raise UserError("an option of a budget, and no bound is given", where=option, do="give --latency-budget MS")
