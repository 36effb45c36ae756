"""What the verbs that take a bundle find, ready to be told."""

from __future__ import annotations

from pathlib import Path

from distill.core.errors import GateFailed
from distill.report.diff_table import diff_finding
from distill.report.finding import Finding, Lines
from distill.report.retune_table import retune_finding
from export.checked_bundle import drift, report_lines, verify
from export.diff import diff
from export.diff_options import DiffOptions
from export.predict_file import answers_file, predict_file
from export.predict_options import PredictOptions
from export.retune import retune
from export.retune_options import RetuneOptions
from export.sign import require_signed, sign


def verified(bundle: Path, key: Path | None, threads: int | None) -> Finding:
    """What was checked of a bundle. Args: key: whose signature it must have. Raises: as `verify`, `require_signed`."""
    if key is not None:
        require_signed(bundle, key)
    report = verify(bundle, threads)
    signed = [] if key is None else [f"signed by the holder of {key}"]
    return Finding(report, [Lines((*signed, *report_lines(report)))])


def drifted(checked: Finding, bundle: Path, file: Path, limit: float | None, threads: int | None) -> Finding:
    """A checked bundle, and how far the records of a file have moved; failed where they have. Raises: as `drift`."""
    found = drift(bundle, file, limit, threads)
    lines = Lines(found.pop("lines"))
    failed = None
    if found["drifted"]:
        do = "look at the rows; `distill retune` moves thresholds to fresh labels, and a new run learns them"
        failed = GateFailed("the records have drifted", where=str(file), found=", ".join(found["drifted"]), do=do)
    return Finding({**checked.content, "drift": found}, [*checked.parts, "", lines], failed=failed)


def signed(bundle: Path, key: Path) -> Finding:
    """A bundle's new signature. Raises: as `sign`."""
    return Finding(None, [Lines((f"signed: {sign(bundle, key)}",))])


def answered(bundle: Path, file: Path, options: PredictOptions) -> Finding:
    """Where the answers to a file of records are, and its rows that cannot be read. Raises: as `predict_file`."""
    out = options.out or answers_file(file)
    found = predict_file(bundle, file, out, options.operating_point, options.precision, options.threads)
    lines = [f"{found.rows} records answered in {out}"]
    if found.rejects:
        rows = "1 row" if len(found.rejects) == 1 else f"{len(found.rejects)} rows"
        lines.append(f"{rows} that cannot be read, with the reason, in {found.where}")
    return Finding(None, [Lines(lines)])


def retuned(bundle: Path, file: Path, options: RetuneOptions) -> Finding:
    """A bundle with another temperature and other operating points, before and after. Raises: as `retune`."""
    return retune_finding(retune(bundle, file, options))


def differing(old: Path, new: Path, file: Path, options: DiffOptions) -> Finding:
    """What a new bundle answers otherwise than an old one; failed above the limit. Raises: as `diff`."""
    return diff_finding(diff(old, new, file, options), options.format)
