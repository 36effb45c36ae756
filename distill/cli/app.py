"""`distill`: the verbs. Each one resolves its options and calls one function; heavy imports wait until then."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from distill.core.errors import DistillError

if TYPE_CHECKING:
    from distill.pipeline.settings import Settings

app = typer.Typer(
    help="Large text classifiers into small ones that production can afford, with measurements of what was kept.",
    no_args_is_help=False,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

ConfigOption = Annotated[
    Path | None, typer.Option("--config", help="Project file, or demo, demo-full, base-check, base; without it, demo.")
]
TeacherOption = Annotated[list[str] | None, typer.Option("--teacher", help="Name, preset or finished folder; repeats.")]
StudentOption = Annotated[list[str] | None, typer.Option("--student", help="Name or preset; repeats.")]
CheckpointOption = Annotated[str | None, typer.Option(help="Encoder the teacher starts from: folder or hub id.")]
OutOption = Annotated[Path | None, typer.Option("--out", help="Run folder; by default runs/<name of the config>.")]
SetOption = Annotated[list[str] | None, typer.Option("--set", help="Any field of the config: a.b=c; repeats.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document last.")]
RunArgument = Annotated[Path, typer.Argument(help="A run folder.")]


@app.callback(invoke_without_command=True)
def run(
    context: typer.Context,
    teacher: TeacherOption = None,
    student: StudentOption = None,
    config: ConfigOption = None,
    checkpoint: CheckpointOption = None,
    out: OutOption = None,
    set_: SetOption = None,
    json_: JsonOption = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the plan and its time; make nothing.")] = False,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """Everything: audit, teacher, soft labels, students, evaluation, export, latency, bundle, report."""
    if context.invoked_subcommand:
        return
    if version:
        from distill.pipeline.execute import versions

        typer.echo(versions()["distill"])
        return
    if not any((teacher, student, config, dry_run)):
        typer.echo(context.get_help())
        return
    if dry_run:
        _dry_run(config, out, teacher, student, checkpoint, set_)
    else:
        _work("report", config, out, teacher, student, checkpoint, set_, json_)


@app.command()
def init(
    files: Annotated[list[Path], typer.Argument(help="Data files of your project.")],
    out: Annotated[Path, typer.Option("--out", help="The project file to write.")] = Path("distill.yaml"),
    force: Annotated[bool, typer.Option("--force", help="Replace an existing project file.")] = False,
) -> None:
    """Guess a project file from data files, and show a record as each view reads it."""
    from distill.cli.commands import init_project

    init_project(files, out, force)


@app.command()
def show(
    record_id: Annotated[str, typer.Argument(metavar="ID", help="Id of a record.")],
    view: Annotated[str, typer.Option(help="The view to read it by.")] = "card",
    teacher: TeacherOption = None,
    config: ConfigOption = None,
    checkpoint: CheckpointOption = None,
    out: OutOption = None,
    set_: SetOption = None,
) -> None:
    """One record as a model reads it: text, tokens, what was cut."""
    from distill.cli.commands import show_record

    show_record(_settings(config, out, teacher, None, checkpoint, set_), record_id, view)


def _verb(name: str, until: str, summary: str) -> None:
    """A command that makes the run up to its own steps."""

    def command(
        teacher: TeacherOption = None,
        student: StudentOption = None,
        config: ConfigOption = None,
        checkpoint: CheckpointOption = None,
        out: OutOption = None,
        set_: SetOption = None,
        json_: JsonOption = False,
    ) -> None:
        _work(until, config, out, teacher, student, checkpoint, set_, json_)

    command.__doc__ = summary
    app.command(name)(command)


@app.command()
def pretrain(
    config: ConfigOption = None,
    checkpoint: Annotated[str | None, typer.Option(help="Encoder to go on from: name, folder or hub id.")] = None,
    out: OutOption = None,
    set_: SetOption = None,
    json_: JsonOption = False,
) -> None:
    """Pre-train an encoder on the project's texts, or adapt one to them; teachers may start from it."""
    from distill.cli.commands import pretrain_encoder

    pretrain_encoder(_settings(config, out, None, None, None, set_), checkpoint, json_)


_verb("audit", "audit", "Read the data: row ledger, duplicates, junk, balance, leaks, lengths.")
_verb("teach", "teach", "Up to the fine-tuned teachers.")


@app.command()
def label(
    import_: Annotated[
        Path | None, typer.Option("--import", help="Logits made elsewhere: rows of id and logits.")
    ] = None,
    teacher: TeacherOption = None,
    config: ConfigOption = None,
    checkpoint: CheckpointOption = None,
    out: OutOption = None,
    set_: SetOption = None,
    json_: JsonOption = False,
) -> None:
    """Up to the soft labels of train and pool rows."""
    _work("label", config, out, teacher, None, checkpoint, set_, json_, labels=import_)


_verb("train", "train", "Up to the trained students and their gold-only baselines.")
_verb("evaluate", "evaluate", "Up to the quality figures of every model and exported file.")
_verb("export", "export", "Up to the exported files and their parity checks.")
_verb("bench", "bench", "Up to the latency measurements.")
_verb("bundle", "bundle", "Up to the bundles; stops when a gate fails.")


@app.command()
def verify(
    bundle: Annotated[Path, typer.Argument(help="A bundle folder.")],
    threads: Annotated[int | None, typer.Option(help="Processor threads.")] = None,
    json_: JsonOption = False,
) -> None:
    """Check a bundle: hashes, token ids, logits."""
    from distill.cli.commands import verify_bundle

    verify_bundle(bundle, threads, json_)


@app.command()
def predict(
    bundle: Annotated[Path, typer.Argument(help="A bundle folder.")],
    file: Annotated[Path, typer.Argument(help="Records: JSONL, CSV, TSV or Parquet.")],
    out: Annotated[Path | None, typer.Option("--out", help="Where the answers go; by default beside the file.")] = None,
    operating_point: Annotated[
        str | None, typer.Option(help="Name of an operating point of the positive class.")
    ] = None,
    precision: Annotated[
        str | None, typer.Option(help="fp32, the default, or another one that the bundle holds: int8.")
    ] = None,
    threads: Annotated[int | None, typer.Option(help="Processor threads.")] = None,
) -> None:
    """Label a file of records with a bundle."""
    from distill.cli.commands import predict_records

    predict_records(bundle, file, out, operating_point, precision, threads)


@app.command()
def report(run: RunArgument, json_: JsonOption = False) -> None:
    """Print the tables of a run and write its page again."""
    from distill.cli.commands import print_report

    print_report(run, json_)


@app.command()
def compare(
    run: RunArgument,
    a: Annotated[str, typer.Argument(help="A model, as named in the report: 8L_trunc@card.")],
    b: Annotated[str, typer.Argument(help="Another one.")],
    by: Annotated[str | None, typer.Option("--by", help="slice: accuracy in each slice instead.")] = None,
    json_: JsonOption = False,
) -> None:
    """The paired difference of two models of a run, on the same test rows."""
    from distill.cli.commands import compare_models, compare_slices

    if by is None:
        compare_models(run, a, b, json_)
    else:
        compare_slices(run, a, b, by, json_)


@app.command()
def presets(config: ConfigOption = None, json_: JsonOption = False) -> None:
    """List the teachers, students and export targets of the toolkit, and with --config those of your project."""
    from distill.cli.commands import list_presets

    list_presets(config, json_)


@app.command()
def status(run: RunArgument, json_: JsonOption = False) -> None:
    """How far a run is."""
    from distill.cli.commands import print_status

    print_status(run, json_)


def main() -> None:
    """The entry point: user mistakes end with 2, failed gates with 3, an interrupt with 130; none with a traceback."""
    # A run never reaches for the network by itself; only a hub id that the user names does.
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
    try:
        app()
    except DistillError as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        typer.echo("interrupted: start again to go on from here", err=True)
        sys.exit(130)


def _work(
    until: str,
    config: Path | None,
    out: Path | None,
    teacher: list[str] | None,
    student: list[str] | None,
    checkpoint: str | None,
    sets: list[str] | None,
    as_json: bool,
    labels: Path | None = None,
) -> None:
    from distill.cli.commands import run_until

    run_until(until, _settings(config, out, teacher, student, checkpoint, sets, labels), as_json)


def _dry_run(
    config: Path | None,
    out: Path | None,
    teacher: list[str] | None,
    student: list[str] | None,
    checkpoint: str | None,
    sets: list[str] | None,
) -> None:
    from distill.cli.commands import print_plan

    print_plan(_settings(config, out, teacher, student, checkpoint, sets))


def _project_file(name: str, run: Path) -> Path:
    """The file of that name, or else the embedded project, kept below the run folder.

    Raises: UserError for a name that is neither and does not look like a path.
    """
    from rich.console import Console

    from distill.cli.console import ConsoleReporter
    from distill.core.progress import reporting
    from distill.demo.keeping import keep
    from distill.demo.projects import PROJECTS

    path = Path(name)
    if path.is_file() or (name not in PROJECTS and (path.suffix or len(path.parts) > 1)):
        return path
    with reporting(ConsoleReporter(Console(stderr=True))):
        return keep(run / "project", name)


def _settings(
    config: Path | None,
    out: Path | None,
    teacher: list[str] | None,
    student: list[str] | None,
    checkpoint: str | None,
    sets: list[str] | None,
    labels: Path | None = None,
) -> Settings:
    from distill.pipeline.settings import resolve_settings

    name = str(config or "demo")
    run = out or Path("runs") / Path(name).stem
    sets = [*(sets or []), *([f"teachers.{(teacher or ['base'])[0]}.labels={labels.resolve()}"] if labels else [])]
    return resolve_settings(
        _project_file(name, run),
        run,
        teachers=teacher or (),
        students=student or (),
        checkpoint=checkpoint,
        sets=sets,
    )
