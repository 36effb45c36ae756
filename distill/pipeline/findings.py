"""What the verbs that work on a run find, ready to be told."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rich.text import Text

from distill.core.artifacts import require_whole_run
from distill.core.errors import UserError, unknown_name
from distill.core.files import Json, write_text
from distill.core.hashes import HashCache
from distill.core.intake.clean_pool import write_clean_pools
from distill.core.output import clock
from distill.core.progress import Reporter
from distill.core.run_folder import HASHES, RECORDS, REPORT, read_run
from distill.core.sealed import read_sealed
from distill.pipeline.experiment import Experiment
from distill.pipeline.first_look import shown_record
from distill.pipeline.known_presets import known_presets
from distill.pipeline.preflight import few_rows, interval_warning
from distill.pipeline.pretrain import pretrain
from distill.pipeline.scale import PAGE, Scaling, scale
from distill.pipeline.seeds import all_stages, execute_run, first_run
from distill.pipeline.selection import select, stored_selection
from distill.pipeline.settings import Settings
from distill.report.against_table import against_sheet
from distill.report.audit_lines import audit_lines
from distill.report.contents import gates_of
from distill.report.decision_record import decision_record
from distill.report.failed_gates import validation_warnings
from distill.report.finding import Finding, Lines, Part, report_parts
from distill.report.judged_labels import with_judged_labels
from distill.report.junk_table import junk_sheet
from distill.report.lines import curve_lines
from distill.report.outcome import with_outcome_now
from distill.report.overlap_table import overlap_sheet
from distill.report.page import write_page
from distill.report.scale_table import scale_sentences, scale_sheet
from distill.report.scaling import with_scaling
from distill.report.selection_table import selection_sentence, selection_sheet

RECORD = "md"
FORMS = ("tables", RECORD)


def made(settings: Settings, until: str, reporter: Reporter, clean: Path | None = None) -> Finding | None:
    """Make a run up to a verb; None in processes that only help the first one.

    Args: clean: after an audit, folder for what is left of the pool.
    Raises: as `execute_run`, and UserError where that folder cannot be written.
    """
    report = execute_run(settings, reporter, until)
    if report is None:
        return None
    if until == "audit":
        return Finding(report, [*_audit_parts(settings, report), *_cleaned(settings, clean)])
    first, parts = first_run(settings).run, report_parts(report)
    shipped = dict.fromkeys(spec.name for spec, _ in Experiment(settings).shipped())
    if until == "report" and shipped:
        parts.append("bundle: " + ", ".join(str(first / "bundles" / name) for name in shipped))
    return Finding(report, [*parts, f"page:   {settings.run / 'report.html'}"])


def stopped(settings: Settings, until: str) -> Finding | None:
    """What a run had found when a gate stopped it; None where it was before any report."""
    path = settings.run / REPORT
    if not path.exists():
        return None
    report = read_sealed(path)
    return Finding(report, _audit_parts(settings, report) if until == "audit" else report_parts(report))


def reported(run: Path, form: str = "tables", out: Path | None = None) -> Finding:
    """The tables of a run, whose page is written again, or its decision record.

    Args: form: of `FORMS`. out: the file of the record; None: it is printed.
    Raises: UserError where there is no report or it is damaged, and for an unknown form.
    """
    if form not in FORMS:
        raise unknown_name("format", form, FORMS, "--format")
    if out is not None and form != RECORD:
        raise UserError("a file without --format md", where="--out", found=out, do="add --format md")
    if not (run / REPORT).exists():
        raise UserError("no report here", where=str(run), do="give the folder of a run, for example runs/demo")
    report = with_outcome_now(read_sealed(run / REPORT), run)
    report = with_scaling(with_judged_labels(report, run), run)
    require_whole_run(run, HashCache(run / HASHES).sha256)
    if form == RECORD:
        return _recorded(report, run, out)
    return Finding(report, [*report_parts(report), _page_again(run, report)])


def _recorded(report: Json, run: Path, out: Path | None) -> Finding:
    text = decision_record(report, str(run))
    if out is None:
        return Finding(report, [Lines(text.rstrip("\n").split("\n"))], listing=True)
    write_text(out, text)
    return Finding(report, [f"decision record: {out}"])


def selected(settings: Settings | None, run: Path, reporter: Reporter) -> Finding:
    """Select rows of a labelled pool. Args: settings: None: what the finished `run` has selected."""
    found = select(settings, reporter) if settings else stored_selection(run)
    return Finding(found, [selection_sentence(found), selection_sheet(found)])


def scaled(settings: Settings, asked: Scaling, reporter: Reporter) -> Finding:
    """Students on more and more rows of the pool. Raises: as `scale`."""
    found = scale(settings, asked, reporter)
    page = f"page:   {settings.run / PAGE}"
    return Finding(found, [*scale_sentences(found), scale_sheet(found), page])


def pretrained(settings: Settings, checkpoint: str | None, reporter: Reporter) -> Finding | None:
    """A pre-trained encoder; None in processes that only help the first one. Raises: as `pretrain`."""
    curve = pretrain(settings, checkpoint, reporter)
    if curve is None:
        return None
    return Finding(curve, ["\n".join(curve_lines(curve, settings.run / "pretrained"))])


def shown(settings: Settings, record_id: str, view: str) -> Finding:
    """One record as a view renders and cuts it. Raises: as `shown_record`."""
    return Finding(None, [shown_record(settings, record_id, view)])


def listed(config: Path | None) -> Finding:
    """Every preset. Args: config: a project file, or the name of an embedded project. Raises: as `known_presets`."""
    found = known_presets(config)
    return Finding(found.as_json(), [Lines(found.lines())], listing=True)


def stages(run: Path) -> Finding:
    """The stages of a run, and whether one is at work. Raises: as `read_run`."""
    found = all_stages(run, read_run(run))
    lines = Lines(f"{one['status']:<8} {clock(one['seconds']):>8}  {one['name']}" for one in found)
    return Finding(found, [lines], listing=True)


def _audit_parts(settings: Settings, report: Json) -> list[Part]:
    most = {name: view.max_tokens for name, view in settings.project.views.items()}
    told = [*report["audit"]["warnings"], *validation_warnings(gates_of(report))]
    first = Experiment(first_run(settings))
    told += [warning] if (warning := interval_warning(first)) else []
    told += few_rows(first, report["audit"])
    warnings = [Text(f"warning: {one}", style="yellow") for one in told]
    where = f"audit: {first_run(settings).run / 'audit.json'}"
    sheets = [sheet for sheet in (junk_sheet(report), overlap_sheet(report), against_sheet(report)) if sheet.rows]
    return [*audit_lines(report["audit"], most), *sheets, *warnings, where]


def _cleaned(settings: Settings, clean: Path | None) -> Iterator[str]:
    if clean is None:
        return
    written = write_clean_pools(settings.project, first_run(settings).run / RECORDS, clean)
    for name, rows in written.items():
        yield f"clean: {clean / name}.parquet, {rows} rows of pool.{name}"


def _page_again(run: Path, report: Json) -> Part:
    try:
        write_page(report, run / "report.html")
    except UserError as error:  # the tables are what was asked for, of a folder that may be read only
        return Text(f"the page stays as it was: {error}", style="yellow")
    return f"page: {run / 'report.html'}"
