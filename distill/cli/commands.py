"""How the verbs print what they find."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from distill.cli.console import ConsoleReporter, TextConsole
from distill.core.errors import GateFailed
from distill.core.output import as_json as json_text
from distill.core.output import clock, say
from distill.core.progress import Reporter, reporting
from distill.pipeline.settings import Settings
from distill.report.finding import Finding
from distill.report.table_model import Sheet
from distill.report.tables import rich_table

_LOG_WIDTH = 160


def tell(find: Callable[[Reporter], Finding | None], as_json: bool) -> None:
    """Print what a command finds, while it works its progress. Args: find: given where progress is shown."""
    console = _console(as_json)
    found = find(ConsoleReporter(console))
    if found is not None:
        _print(found, console, as_json)


def tell_planned(lines: Callable[[], Sequence[str]]) -> None:
    """Print lines that take a while to make."""
    with reporting(ConsoleReporter(TextConsole(stderr=True))):
        found = lines()
    say("\n".join(found))


def run_until(until: str, settings: Settings, as_json: bool) -> None:
    """Make a run up to a verb, then print what it came to, also where a gate stops it."""
    from distill.pipeline.findings import made, stopped
    from distill.pipeline.preflight import require_students

    require_students(settings, until)
    try:
        tell(lambda reporter: made(settings, until, reporter), as_json)
    except GateFailed:
        tell(lambda _: stopped(settings, until), as_json)
        raise


def show_record(settings: Settings, record_id: str, view: str) -> None:
    """Print one record as a view renders and cuts it."""
    from distill.pipeline.first_look import shown_record

    TextConsole().print(Text(shown_record(settings, record_id, view)))


def list_presets(config: Path | None, as_json: bool) -> None:
    """Print every preset. Args: config: a project file, or the name of an embedded project."""
    from distill.pipeline.known_presets import known_presets

    found = known_presets(config)
    if as_json:
        _print_json(found.as_json())
    else:
        say("\n".join(found.lines()))


def verify_bundle(bundle: Path, key: Path | None, threads: int | None, as_json: bool) -> None:
    """Check a bundle, its signature too where a key is given, and print what was checked."""
    from export.checked_bundle import report_lines, verify

    if key is not None:
        from export.sign import require_signed

        require_signed(bundle, key)
    report = verify(bundle, threads)
    signed = [] if key is None else [f"signed by the holder of {key}"]
    say("\n".join([*signed, *report_lines(report)]), file=sys.stderr if as_json else sys.stdout)
    if as_json:
        _print_json(report)


def predict_records(
    bundle: Path, file: Path, out: Path | None, operating_point: str | None, precision: str | None, threads: int | None
) -> None:
    """Answer a file of records."""
    from export.predict_file import answers_file, predict_file

    target = out or answers_file(file)
    found = predict_file(bundle, file, target, operating_point, precision, threads)
    say(f"{found.rows} records answered in {target}")
    if found.rejects:
        rows = "1 row" if len(found.rejects) == 1 else f"{len(found.rejects)} rows"
        say(f"{rows} that cannot be read, with the reason, in {found.where}")


def print_status(run: Path, verify: bool, as_json: bool) -> None:
    """Print the stages of a run and whether one is at work. Args: verify: hash every file of the finished ones too."""
    from distill.core.artifacts import require_whole_run
    from distill.core.run_folder import read_run
    from distill.pipeline.seeds import all_stages

    stages = all_stages(run, read_run(run))
    if as_json:
        _print_json(stages)
    else:
        for stage in stages:
            say(f"{stage['status']:<8} {clock(stage['seconds']):>8}  {stage['name']}")
    if verify:
        artifacts, files = require_whole_run(run)
        say(f"{files} files of {artifacts} artifacts are as their steps left them", file=sys.stderr)


def _print(found: Finding, console: Console, as_json: bool) -> None:
    for part in found.parts:
        console.print(rich_table(part, console.width) if isinstance(part, Sheet) else _text(part))
    if as_json:
        _print_json(found.content)


def _text(part: str | Text) -> Text:
    return Text(part) if isinstance(part, str) else part


def _console(as_json: bool) -> Console:
    """Where people read: standard output, or standard error when JSON goes to standard output."""
    plain = not (sys.stderr if as_json else sys.stdout).isatty()
    width = _LOG_WIDTH if plain and "COLUMNS" not in os.environ else None
    return TextConsole(stderr=as_json, width=width)


def _print_json(value: Any) -> None:
    print(json_text(value, ascii_only="utf" not in (sys.stdout.encoding or "").lower()))
