"""What the verbs that take a bundle find, ready to be told."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from distill.core.errors import GateFailed, MissingExtra
from distill.core.flags import at_least_one
from distill.core.progress import Reporter, reporting
from distill.report.diff_table import diff_finding
from distill.report.finding import Finding, Lines
from distill.report.retune_table import retune_finding
from export.batch.predict import predict_files
from export.checked_bundle import report_lines, verify
from export.diff import diff
from export.diff_options import DiffOptions
from export.drift import lines
from export.drift_file import drift_file
from export.predict_options import PredictOptions
from export.retune_options import RetuneOptions
from export.sign import require_signed, sign


def verified(bundle: Path, key: Path | None, threads: int | None) -> Finding:
    """What was checked of a bundle. Args: key: whose signature it must have. Raises: as `verify`, `require_signed`."""
    at_least_one(threads=threads)
    if key is not None:
        require_signed(bundle, key)
    report = verify(bundle, threads)
    signed = [] if key is None else [f"signed by the holder of {key}"]
    return Finding(report, [Lines((*signed, *report_lines(report)))])


def drifted(checked: Finding, bundle: Path, file: Path, limit: float | None, threads: int | None) -> Finding:
    """A checked bundle, and how far a file's records have moved; failed where they have. Raises: as `drift_file`."""
    found = drift_file(bundle, file, limit, threads)
    failed = None
    if found["drifted"]:
        do = "look at the rows; `distill retune` moves thresholds to fresh labels, and a new run learns them"
        failed = GateFailed("the records have drifted", where=str(file), found=", ".join(found["drifted"]), do=do)
    return Finding({**checked.content, "drift": found}, [*checked.parts, "", Lines(lines(found))], failed=failed)


def signed(bundle: Path, key: Path) -> Finding:
    """A bundle's new signature. Raises: as `sign`."""
    return Finding(None, [Lines((f"signed: {sign(bundle, key)}",))])


def answered(bundle: Path, files: Sequence[str], options: PredictOptions, reporter: Reporter) -> Finding:
    """Where the answers to files of records are, how fast they came, and what could not be answered.

    Raises: as `predict_files`.
    """
    with reporting(reporter):
        found = predict_files(bundle, files, options)
    lines = [f"{_counted(found.rows, 'record')} answered in {found.out}"]
    if found.table is not None:
        lines = [f"{_counted(found.table.keys, 'key')} of {_counted(found.rows, 'record')} answered in {found.out}"]
        if found.table.conflicts:
            differ = f"{_counted(found.table.conflicts, 'key')} whose rows have different answers"
            lines.append(f"{differ}, which the column conflict marks, resolved by --conflicts {options.rule}")
    if found.rows_per_s is not None:
        lines.append(f"{found.rows_per_s:.0f} rows/s")
    if found.without_key:
        lines.append(f"{_counted(found.without_key, 'row')} with an empty key, left out")
    if found.rejects:
        lines.append(f"{_counted(found.rejects, 'row')} that cannot be read, with the reason, in {found.rejects_file}")
    return Finding(None, [Lines(lines)])


def retuned(bundle: Path, file: Path, options: RetuneOptions, reporter: Reporter) -> Finding:
    """A bundle with another temperature and other operating points, before and after. Raises: as `retune`."""
    try:
        from export.retune import retune  # runs a bundle's models
    except ModuleNotFoundError as error:
        raise MissingExtra(f"retuning a bundle ({error.name})", "cpu") from error
    with reporting(reporter):
        return retune_finding(retune(bundle, file, options))


def differing(old: Path, new: Path, file: Path, options: DiffOptions, reporter: Reporter) -> Finding:
    """What a new bundle answers otherwise than an old one; failed above the limit. Raises: as `diff`."""
    with reporting(reporter):
        return diff_finding(diff(old, new, file, options), options.format)


def _counted(number: int, what: str) -> str:
    return f"1 {what}" if number == 1 else f"{number} {what}s"
