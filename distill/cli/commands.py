"""How the verbs print what they find."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distill.core.errors import GateFailed, UserError
from distill.core.output import as_json as json_text
from distill.core.output import say
from distill.core.progress import Reporter, reporting

if TYPE_CHECKING:
    from rich.console import Console

    from distill.pipeline.settings import Settings
    from distill.report.finding import Finding

_LOG_WIDTH = 160


def tell(find: Callable[[Reporter], Finding | None], as_json: bool = False) -> None:
    """Print what a command finds, while it works its progress. Args: find: given where progress is shown.

    Raises: what the finding says has failed.
    """
    from distill.cli.console import ConsoleReporter

    console = _console(as_json)
    found = find(ConsoleReporter(console))
    if found is not None:
        _print(found, console, as_json)
        if found.failed is not None:
            raise found.failed


def tell_planned(lines: Callable[[], Sequence[str]], as_json: bool) -> None:
    """Print lines that take a while to make. Raises: UserError where JSON is asked for."""
    from distill.cli.console import ConsoleReporter

    if as_json:
        raise UserError("a plan is printed in lines, not as JSON", where="--dry-run --json", do="give one of the two")
    with reporting(ConsoleReporter(_console(as_json=True))):
        found = lines()
    say("\n".join(found))


def run_until(until: str, settings: Settings, as_json: bool, clean: Path | None = None) -> None:
    """Make a run up to a verb, then print what it came to, also where a gate stops it. Args: clean: as of `made`."""
    from distill.pipeline.findings import made, stopped
    from distill.pipeline.preflight import require_students

    require_students(settings, until)
    try:
        tell(lambda reporter: made(settings, until, reporter, clean), as_json)
    except GateFailed:
        tell(lambda _: stopped(settings, until), as_json)
        raise


def _print(found: Finding, console: Console, as_json: bool) -> None:
    from rich.text import Text

    from distill.report.finding import Lines
    from distill.report.table_model import Sheet
    from distill.report.tables import rich_tables

    for part in () if as_json and found.listing else found.parts:
        if isinstance(part, Sheet):
            console.print(rich_tables(part, console.width))
        elif isinstance(part, Lines):
            say("\n".join(part), file=console.file)
        else:
            console.print(Text(part) if isinstance(part, str) else part)
    if as_json:
        _print_json(found.content)


def _console(as_json: bool) -> Console:
    """Where people read: standard output, or standard error when JSON goes to standard output."""
    from distill.cli.console import TextConsole

    plain = not (sys.stderr if as_json else sys.stdout).isatty()
    width = _LOG_WIDTH if plain and "COLUMNS" not in os.environ else None
    return TextConsole(stderr=as_json, width=width)


def _print_json(value: Any) -> None:
    print(json_text(value, ascii_only="utf" not in (sys.stdout.encoding or "").lower()))
