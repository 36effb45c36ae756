"""Gold labels that a judge has read blind: the second verdict beside the first, as the run's sheets came back."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from distill.core.errors import UserError
from distill.core.files import Json, read_json
from distill.core.run_folder import RESULT_FILE, SAMPLES
from distill.report import formats
from distill.report.contents import Report, dig, entries
from distill.report.sample_lines import shown_kappa, shown_share
from distill.report.table_model import Column, Sheet

JUDGED = "judged_labels"
"""Key of report.json: what the sheets of `distill sample --for audit` said, as many as came back."""
_KEYS = {"teacher", "rows", "test_rows", "agreement", "kappa", "wrong", "kinds", "models"}


def with_judged_labels(report: Report, run: Path) -> Report:
    """The report with what came back of sheets over as many test rows as it has; without those of rows that are gone.

    They come back after a run has ended, so that its report.json does not have them.
    """
    rows = sum(count for split, count in dig(report, "task", "rows").items() if split.partition(".")[0] == "test")
    read = (_read(path) for path in sorted(run.glob(f"{SAMPLES}/*/{RESULT_FILE}")))
    found = [one for one in read if _KEYS <= one.keys() and one["test_rows"] == rows]
    return {**report, JUDGED: found} if found else report


def judged_sentences(report: Report) -> list[str]:
    """For each sheet how many labels are wrong, and where; empty without one."""
    return [_sentence(one) for one in entries(report, JUDGED)]


def judged_sheets(report: Report) -> list[Sheet]:
    """A table for each sheet: every model on gold labels, on judged ones in their place, and as the judge estimates."""
    return [_sheet(one) for one in entries(report, JUDGED)]


def _read(path: Path) -> Json:
    try:
        content = read_json(path)
    except (UserError, OSError, ValueError):  # a page is not refused for a file beside it that can be made again
        return {}
    return content if isinstance(content, dict) else {}


def _sentence(found: Json) -> str:
    kinds = found["kinds"]
    parts = [
        f"{kinds[kind]['wrong']} of {kinds[kind]['rows']} {name}"
        for kind, name in (("suspect", "suspected labels"), ("control", "others"))
    ]
    return (
        f"A judge who saw neither labels nor answers read {found['rows']} test rows, half of them suspected of a wrong "
        f"label by {found['teacher']}: {' and '.join(parts)} are wrong, {shown_share(found['wrong'])} of all "
        f"{formats.integer(found['test_rows'])} test rows; kappa with the gold labels {shown_kappa(found['kappa'])}."
    )


def _sheet(found: Json) -> Sheet:
    caption = (
        "On gold labels, and with the judged labels in their place. Those are mostly of rows that "
        f"{found['teacher']} is against, which favours models like it; what the judge estimates does not, each row "
        "counts there as often as it stands for others (95% intervals of Wilson)."
    )
    models: Sequence[Json] = found["models"]
    columns = [
        Column("Model", lambda one: one["model"], kind="name"),
        Column("gold", lambda one: formats.percent(one["accuracy"]["gold"]), "Accuracy, %", "Accuracy, gold"),
        Column("judged", lambda one: formats.percent(one["accuracy"]["judged"]), "Accuracy, %", "Accuracy, judged"),
        Column("estimated", lambda one: shown_share(one["estimated_accuracy"]), "Accuracy, %", "Accuracy, estimated"),
        Column("gold", lambda one: formats.percent(one["f1_macro"]["gold"]), "Macro F1, %", "Macro F1, gold"),
        Column("judged", lambda one: formats.percent(one["f1_macro"]["judged"]), "Macro F1, %", "Macro F1, judged"),
    ]
    return Sheet(caption, columns, models)
