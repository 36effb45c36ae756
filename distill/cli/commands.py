"""What the verbs do."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.text import Text

from distill.cli.console import ConsoleReporter, TextConsole
from distill.core.errors import GateFailed, UserError, unknown_name
from distill.core.files import Json, write_text
from distill.core.output import as_json as json_text
from distill.core.output import clock, say
from distill.core.progress import reporting
from distill.core.sealed import read_sealed
from distill.pipeline.settings import Settings

if TYPE_CHECKING:
    from distill.pipeline.scale import Scaling

_LOG_WIDTH = 160


def run_until(until: str, settings: Settings, as_json: bool) -> None:
    """Make a run up to a verb, then print what it came to."""
    from distill.pipeline.preflight import require_students
    from distill.pipeline.seeds import execute_run

    require_students(settings, until)
    console = _console(as_json)
    try:
        report = execute_run(settings, ConsoleReporter(console), until)
        if report is None:
            return
        _print_outcome(until, settings, report, console)
    except GateFailed:
        if (settings.run / "report.json").exists():
            report = read_sealed(settings.run / "report.json")
            if until == "audit":
                _print_audit(settings, report, console)
            else:
                _print_tables(report, console)
            if as_json:
                _print_json(report)
        raise
    if as_json:
        _print_json(report)


def init_project(files: Sequence[Path], out: Path, force: bool) -> None:
    """Write a commented project file and show a record of each view."""
    from distill.core.guessing.starter import guess, preview, starter_yaml
    from distill.pipeline.tokenizer import default_tokenizer

    if out.exists() and not force:
        raise UserError("the project file is there already", where=str(out), do="choose another --out, or give --force")
    project = guess(list(files), out.parent, default_tokenizer(out.parent))
    shown = preview(project)  # also reads the file back before it is written
    write_text(out, starter_yaml(project))
    typed = _console(False)
    typed.print(Text(shown))
    typed.print(Text(f"wrote {out}: read its comments, then: distill audit --config {out}"))


def show_record(settings: Settings, record_id: str, view_name: str) -> None:
    """Print one record as a view renders and cuts it."""
    from distill.core.intake.show import describe, find_record
    from distill.core.manifest import require_whole
    from distill.core.run_folder import RECORDS
    from distill.core.view import View
    from distill.pipeline.seeds import first_run
    from distill.pipeline.tokenizer import first_tokenizer

    views = settings.project.views
    if view_name not in views:
        raise unknown_name("view", view_name, views, "--view")
    view = View(view_name, views[view_name], first_tokenizer(settings))
    records = first_run(settings).run / RECORDS
    require_whole(records)
    record = find_record(records, record_id)
    TextConsole().print(Text(describe(record, view)))


def pretrain_encoder(settings: Settings, checkpoint: str | None, as_json: bool) -> None:
    """Pre-train an encoder and print what it came to."""
    from distill.pipeline.pretrain import pretrain
    from distill.report.lines import curve_lines

    console = _console(as_json)
    curve = pretrain(settings, checkpoint, ConsoleReporter(console))
    if curve is None:
        return
    console.print(Text("\n".join(curve_lines(curve, settings.run / "pretrained"))))
    if as_json:
        _print_json(curve)


def select_rows(settings: Settings | None, run: Path | None, as_json: bool) -> None:
    """Select rows of a labelled pool and print what it came to. Args: run: show the selection of this run instead."""
    from distill.pipeline.selection import select, stored_selection
    from distill.report.selection_table import selection_sentence, selection_sheet
    from distill.report.tables import rich_table

    console = _console(as_json)
    found = select(settings, ConsoleReporter(console)) if settings else stored_selection(run or Path())
    console.print(Text(selection_sentence(found)))
    console.print(rich_table(selection_sheet(found)))
    if as_json:
        _print_json(found)


def scale_pool(settings: Settings, asked: Scaling, dry_run: bool, as_json: bool) -> None:
    """Train students on more and more rows of the pool and print what each step brought. Args: dry_run: only plan."""
    from distill.pipeline.scale import PAGE, scale
    from distill.pipeline.scale_outlook import scale_lines
    from distill.pipeline.seeds import first_run
    from distill.report.scale_table import scale_sentences, scale_sheet
    from distill.report.tables import rich_table

    if dry_run:
        _say_planned(lambda: scale_lines(settings, asked))
        return
    console = _console(as_json)
    found = scale(settings, asked, ConsoleReporter(console))
    for sentence in scale_sentences(found):
        console.print(Text(sentence))
    console.print(rich_table(scale_sheet(found), console.width))
    console.print(Text(f"page:   {first_run(settings).run / PAGE}"))
    if as_json:
        _print_json(found)


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


def sign_bundle(bundle: Path, key: Path) -> None:
    """Sign a bundle."""
    from export.sign import sign

    say(f"signed: {sign(bundle, key)}")


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


def print_report(run: Path, as_json: bool) -> None:
    """Print a run's tables and write its page again."""
    from distill.core.artifacts import require_whole_run
    from distill.core.hashes import HashCache
    from distill.core.run_folder import HASHES
    from distill.report.page import write_page

    report = _report(run)
    require_whole_run(run, HashCache(run / HASHES).sha256)
    console = _console(as_json)
    _print_tables(report, console)
    try:
        write_page(report, run / "report.html")
        console.print(Text(f"page: {run / 'report.html'}"))
    except UserError as error:  # the tables are what was asked for, of a folder that may be read only
        console.print(Text(f"the page stays as it was: {error}", style="yellow"))
    if as_json:
        _print_json(report)


def compare_models(run: Path, a: str, b: str, as_json: bool) -> None:
    """Print the paired differences of two models."""
    from distill.evaluation.compare import compare
    from distill.report.lines import comparison_lines

    found = compare(run, a, b)
    console = _console(as_json)
    for line in comparison_lines(found):
        console.print(Text(line))
    if as_json:
        _print_json(found)


def compare_slices(run: Path, a: str, b: str, by: str, as_json: bool) -> None:
    """Print the accuracies of two models in each slice."""
    from distill.evaluation.compare import compare_by
    from distill.report.breakdown_tables import slice_rows_sheet
    from distill.report.tables import rich_table

    found = compare_by(run, a, b, by)
    _console(as_json).print(rich_table(slice_rows_sheet(found)))
    if as_json:
        _print_json(found)


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


def print_plan(settings: Settings) -> None:
    """Print every step of a run, whether it is done, the rows and bytes that it works on, and what it will take."""
    from distill.pipeline.outlook import outlook
    from distill.pipeline.plan_lines import plan_lines

    _say_planned(lambda: plan_lines(outlook(settings), settings.run))


def _say_planned(lines: Callable[[], Sequence[str]]) -> None:
    """Print lines that take a while to make."""
    with reporting(ConsoleReporter(TextConsole(stderr=True))):
        found = lines()
    say("\n".join(found))


def _print_audit(settings: Settings, report: Json, console: Console) -> None:
    from distill.pipeline.seeds import first_run
    from distill.report.audit_lines import audit_lines

    for line in audit_lines(report["audit"], {name: view.max_tokens for name, view in settings.project.views.items()}):
        console.print(Text(line))
    for warning in report["audit"]["warnings"]:
        console.print(Text(f"warning: {warning}", style="yellow"))
    console.print(Text(f"audit: {first_run(settings).run / 'audit.json'}"))


def _print_outcome(until: str, settings: Settings, report: Json, console: Console) -> None:
    from distill.pipeline.experiment import Experiment
    from distill.pipeline.seeds import first_run

    run, first = settings.run, first_run(settings).run
    if until == "audit":
        _print_audit(settings, report, console)
        return
    _print_tables(report, console)
    shipped = dict.fromkeys(spec.name for spec, _ in Experiment(settings).shipped())
    if until == "report" and shipped:
        bundles = ", ".join(str(first / "bundles" / name) for name in shipped)
        console.print(Text(f"bundle: {bundles}"))
    console.print(Text(f"page:   {run / 'report.html'}"))


def _print_tables(report: Json, console: Console) -> None:
    from distill.report.tables import latency_table, quality_table
    from distill.report.verdict import sentences

    first, *others = sentences(report)
    console.print(Text(first, style="bold"))
    for sentence in others:
        console.print(Text(f"- {sentence}"))
    console.print()
    if report["models"]:
        console.print(quality_table(report, console.width))
    if report["latency"]:
        console.print()
        console.print(latency_table(report, console.width))


def _report(run: Path) -> Json:
    if not (run / "report.json").exists():
        raise UserError("no report here", where=str(run), do="give the folder of a run, for example runs/demo")
    return read_sealed(run / "report.json")


def _console(as_json: bool) -> Console:
    """Where people read: standard output, or standard error when JSON goes to standard output."""
    plain = not (sys.stderr if as_json else sys.stdout).isatty()
    width = _LOG_WIDTH if plain and "COLUMNS" not in os.environ else None
    return TextConsole(stderr=as_json, width=width)


def _print_json(value: Any) -> None:
    print(json_text(value, ascii_only="utf" not in (sys.stdout.encoding or "").lower()))
