"""`distill`: the verbs. Each one resolves its options and calls one function; heavy imports wait until then."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from distill.cli.commands import run_until, tell, tell_planned
from distill.cli.options import JsonOption, Options, takes_options
from distill.cli.studies import STUDIES
from distill.core.errors import UserError
from distill.core.flags import Flag
from distill.core.output import say
from distill.pipeline.sampling.options import SampleOptions
from export.diff_options import DiffOptions
from export.predict_options import PredictOptions
from export.retune_options import RetuneOptions

app = typer.Typer(
    help="Large text classifiers into small ones that production can afford, with measurements of what was kept.",
    no_args_is_help=False,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

RunArgument = Annotated[Path, typer.Argument(help="A run folder.")]
BundleArgument = Annotated[Path, typer.Argument(help="A bundle folder.")]
LabelledArgument = Annotated[Path, typer.Argument(help="Labelled records: JSONL, CSV, TSV or Parquet.")]
ThreadsOption = Annotated[int | None, typer.Option(help="Processor threads.")]


@app.callback(invoke_without_command=True)
@takes_options()
def run(
    options: Options,
    context: typer.Context,
    json_: JsonOption = False,
    dry_run: Annotated[bool, Flag("Print the plan, its time and its disk; make nothing.")] = False,
    version: Annotated[bool, Flag("Print the version.")] = False,
) -> None:
    """Everything: audit, teacher, soft labels, students, evaluation, export, latency, bundle, report."""
    if version:
        from distill.pipeline.execute import versions

        typer.echo(versions()["distill"])
        raise typer.Exit
    if context.invoked_subcommand:
        return _require_none_before(context.invoked_subcommand, context)
    if dry_run:
        from distill.pipeline.plan_lines import planned

        settings = options.settings()
        tell_planned(lambda: planned(settings), json_)
    elif any((options.teacher, options.student, options.config)):
        _work("report", options, json_)
    else:
        typer.echo(context.get_help())


@app.command()
def init(
    files: Annotated[list[Path], typer.Argument(help="Data files of your project.")],
    out: Annotated[Path, typer.Option("--out", help="The project file to write.")] = Path("distill.yaml"),
    force: Annotated[bool, typer.Option("--force", help="Replace an existing project file.")] = False,
) -> None:
    """Guess a project file from data files, and show a record as each view reads it."""
    from distill.pipeline.first_look import init_project

    tell(lambda _: init_project(files, out, force))


@app.command()
@takes_options("teacher", "config", "checkpoint", "out", "set_")
def show(
    options: Options,
    record_id: Annotated[str, typer.Argument(metavar="ID", help="Id of a record.")],
    view: Annotated[str, typer.Option(help="The view to read it by.")] = "card",
) -> None:
    """One record as a model reads it: text, tokens, what was cut."""
    from distill.pipeline.findings import shown

    tell(lambda _: shown(options.settings(until="audit"), record_id, view))


@app.command()
@takes_options("config", "checkpoint", "out", "set_")
def pretrain(options: Options, json_: JsonOption = False) -> None:
    """Pre-train an encoder on the project's texts, or adapt one to them; teachers may start from it."""
    from dataclasses import replace

    from distill.pipeline.findings import pretrained

    settings = replace(options, checkpoint=None).settings()
    tell(lambda reporter: pretrained(settings, options.checkpoint, reporter), json_)


def _verb(name: str, until: str, summary: str) -> None:
    """A command that makes the run up to its own steps."""

    def command(options: Options, json_: JsonOption = False) -> None:
        _work(until, options, json_)

    command.__doc__ = summary
    app.command(name)(takes_options()(command))


@app.command()
@takes_options()
def audit(
    options: Options,
    against: Annotated[Path | None, Flag("Folder of an earlier run or of records: what has changed since.")] = None,
    clean: Annotated[Path | None, Flag("Folder for what is left of the pool: one Parquet file per source.")] = None,
    json_: JsonOption = False,
) -> None:
    """Read the data: row ledger, duplicates, junk, balance, leaks, lengths."""
    from distill.core.config import setting

    chosen = [setting("data.against", str(against.resolve()))] if against else []
    run_until("audit", options.settings(sets=chosen, until="audit"), json_, clean)


_verb("teach", "teach", "Up to the fine-tuned teachers.")


@app.command()
@takes_options("teacher", "config", "checkpoint", "out", "engine", "backend", "set_")
def label(
    options: Options,
    import_: Annotated[Path | None, Flag("Logits made elsewhere: rows of id and logits.")] = None,
    verify: Annotated[Path | None, Flag("Check the labels of this run folder; score a sample again.")] = None,
    json_: JsonOption = False,
) -> None:
    """Up to the soft labels of train and pool rows; imported ones need no teacher and train none."""
    if verify is None:
        return run_until("label", options.settings(import_, until="label"), json_)
    from distill.pipeline.label_check import verified

    if import_ or options != Options():
        raise UserError("a check needs no options", where="distill label --verify", do="give a run folder alone")
    tell(lambda reporter: verified(verify, reporter), json_)


@app.command()
@takes_options()
def select(
    options: Options,
    run: Annotated[Path | None, typer.Argument(help="Show the selection of this run folder.")] = None,
    json_: JsonOption = False,
) -> None:
    """Choose rows of the labelled pool for training, as the section `select` says: classes, entropy, slices, keys."""
    from distill.pipeline.findings import selected

    if run and options != Options():
        raise UserError("a run folder needs no options", where="distill select", found=run, do="give either of the two")
    settings = None if run else options.settings(until="select")
    tell(lambda reporter: selected(settings, run or Path(), reporter), json_)


_verb("train", "train", "Up to the trained students and their gold-only twins.")


@app.command()
@takes_options()
def scale(
    options: Options,
    factors: Annotated[str, Flag("Pool rows per gold row, rising.")] = "1,4,16",
    seeds: Annotated[str | None, Flag("Training seeds of every point: 1,2,3.")] = None,
    price_per_hour: Annotated[float | None, Flag("Price of an hour, for the cost of a point.")] = None,
    dry_run: Annotated[bool, Flag("Print the points and their time; make nothing.")] = False,
    json_: JsonOption = False,
) -> None:
    """Quality at more and more rows of the pool, from one label store: what each step brings, takes and costs."""
    from distill.pipeline.findings import scaled
    from distill.pipeline.scale import Scaling
    from distill.pipeline.scale_outlook import scale_lines

    settings, asked = options.settings(), Scaling.of(factors, seeds, price_per_hour)
    if dry_run:
        tell_planned(lambda: scale_lines(settings, asked), json_)
    else:
        tell(lambda reporter: scaled(settings, asked, reporter), json_)


@app.command()
@takes_options()
def evaluate(
    options: Options,
    view: Annotated[list[str] | None, Flag("Read finished models through this view too; repeats.")] = None,
    model: Annotated[list[str] | None, Flag("With --view: this model; repeats. Else all.")] = None,
    json_: JsonOption = False,
) -> None:
    """Up to the quality figures of every model and exported file; with --view nothing is trained."""
    from distill.pipeline.finished import require_models
    from distill.pipeline.remeasure import as_setting

    settings = options.settings(sets=as_setting(view or (), model or ()))
    if view:
        require_models(settings)
    run_until("evaluate", settings, json_)


for _name, _study in STUDIES.items():
    app.command(_name)(_study)

_verb("export", "export", "Up to the exported files and their parity checks.")


@app.command()
@takes_options()
def bench(
    options: Options,
    latency_budget: Annotated[float | None, Flag("Look for the best student within so many ms a request.")] = None,
    percentile: Annotated[str | None, Flag("With a budget: p99, the default, or p50.")] = None,
    dry_run: Annotated[bool, Flag("With a budget: print the candidates and their time; make nothing.")] = False,
    json_: JsonOption = False,
) -> None:
    """Up to the latency measurements; with --latency-budget candidates are timed and the best that fits is trained."""
    from distill.pipeline.budget.asked import as_setting, require_budget
    from distill.pipeline.budget.outlook import budget_lines
    from distill.pipeline.budget.search import best_within

    settings = options.settings(sets=as_setting(latency_budget, percentile), until="bench")
    if settings.project.budget.ms is None:
        require_budget(percentile, dry_run)
        run_until("bench", settings, json_)
    elif dry_run:
        tell_planned(lambda: budget_lines(settings), json_)
    else:
        tell(lambda reporter: best_within(settings, reporter), json_)


_verb("bundle", "bundle", "Up to the bundles; stops when a gate fails.")


@app.command()
def verify(
    bundle: BundleArgument,
    key: Annotated[
        Path | None, typer.Option("--key", help="Public key, PEM: refuse what its holder did not sign.")
    ] = None,
    drift: Annotated[
        Path | None,
        typer.Option(help="Records: exit with 3 where they are unlike those it was measured on."),
    ] = None,
    limit: Annotated[float | None, typer.Option(help="Least index of --drift that counts; 0.1 by default.")] = None,
    threads: ThreadsOption = None,
    json_: JsonOption = False,
) -> None:
    """Check a bundle: files, token ids, logits, answers; --key: who made it; --drift: whether records have moved."""
    from distill.pipeline.bundle_findings import drifted, verified

    if drift is None and limit is not None:
        raise UserError("a limit without --drift", where="--limit", do="add --drift FILE")
    checked = verified(bundle, key, threads)
    tell(lambda _: drifted(checked, bundle, drift, limit, threads) if drift else checked, json_)


@app.command()
def sign(
    bundle: BundleArgument,
    key: Annotated[Path, typer.Option("--key", help="Ed25519 private key, PEM without a password.")],
) -> None:
    """Sign a bundle, for those who have the public key."""
    from distill.pipeline.bundle_findings import signed

    tell(lambda _: signed(bundle, key))


@app.command()
@takes_options(of=PredictOptions)
def predict(
    options: PredictOptions,
    bundle: BundleArgument,
    files: Annotated[list[str], typer.Argument(metavar="FILE…", help="Records: JSONL, CSV, TSV, Parquet; globs too.")],
) -> None:
    """Label files of records with a bundle; the same command after a kill goes on where it was."""
    from distill.pipeline.bundle_findings import answered

    tell(lambda reporter: answered(bundle, files, options, reporter))


@app.command()
@takes_options(of=RetuneOptions)
def retune(options: RetuneOptions, bundle: BundleArgument, file: LabelledArgument, json_: JsonOption = False) -> None:
    """A new bundle with temperature and operating points chosen on labelled rows; nothing is trained."""
    from distill.pipeline.bundle_findings import retuned

    tell(lambda reporter: retuned(bundle, file, options, reporter), json_)


@app.command()
@takes_options(of=DiffOptions)
def diff(
    options: DiffOptions,
    old: BundleArgument,
    new: BundleArgument,
    file: Annotated[Path, typer.Argument(help="Records, with or without labels: JSONL, CSV, TSV or Parquet.")],
) -> None:
    """What a new bundle answers otherwise than an old one on the rows of a file."""
    from distill.pipeline.bundle_findings import differing

    tell(lambda reporter: differing(old, new, file, options, reporter), options.format == "json")


@app.command()
def report(
    run: RunArgument,
    form: Annotated[str, typer.Option("--format", help="tables, or md: a decision record in Markdown.")] = "tables",
    out: Annotated[Path | None, typer.Option("--out", help="File of --format md; without it, it is printed.")] = None,
    json_: JsonOption = False,
) -> None:
    """Print the tables of a run and write its page again; with --format md claim, catch, decision and evidence."""
    from distill.pipeline.findings import reported

    tell(lambda _: reported(run, form, out), json_)


@app.command()
def compare(
    run: RunArgument,
    others: Annotated[
        list[str], typer.Argument(metavar="A B | RUN [A [B]] | RUN…", help="Two models, as in the report, or runs.")
    ],
    by: Annotated[str | None, typer.Option("--by", help="slice: accuracy in each slice instead.")] = None,
    page: Annotated[Path | None, typer.Option(help="Of runs: the page; by default compare.html in the last.")] = None,
    json_: JsonOption = False,
) -> None:
    """Two models of a run, or the models of runs, the oldest first: paired differences on the same test rows."""
    from distill.report.finding import compared

    tell(lambda _: compared(run, others, by, page), json_)


@app.command()
@takes_options(of=SampleOptions)
def sample(options: SampleOptions, run: RunArgument, json_: JsonOption = False) -> None:
    """Sheets of pool rows: to check labels by hand and read that back, or to send rows for labelling."""
    from distill.pipeline.sampling.command import sampled

    tell(lambda _: sampled(run, options), json_)


@app.command()
@takes_options("config")
def presets(options: Options, json_: JsonOption = False) -> None:
    """List the teachers, students and export targets of the toolkit, and with --config those of your project."""
    from distill.pipeline.findings import listed

    tell(lambda _: listed(options.config), json_)


@app.command()
def status(
    run: RunArgument,
    verify: Annotated[
        bool, typer.Option("--verify", help="Read every finished file again, and name changed ones.")
    ] = False,
    json_: JsonOption = False,
) -> None:
    """How far a run is."""
    from distill.core.artifacts import require_whole_run
    from distill.pipeline.findings import stages

    tell(lambda _: stages(run), json_)
    if verify:
        artifacts, files = require_whole_run(run)
        say(f"{files} files of {artifacts} artifacts are as their steps left them", file=sys.stderr)


def _require_none_before(verb: str, context: typer.Context) -> None:
    """Check that no option is given before a verb, which reads those after it. Raises: UserError naming them."""
    sources = {one.opts[0]: context.get_parameter_source(one.name or "") for one in context.command.params}
    names = " ".join(name for name, source in sources.items() if source and source.name == "COMMANDLINE")
    if names:
        do = f"write it as: distill {verb} {names} …, where that verb takes it"
        raise UserError("options come after the verb", where=f"distill {names} {verb}", do=do)


def _work(until: str, options: Options, as_json: bool) -> None:
    run_until(until, options.settings(until=until), as_json)
