"""A report as a decision record in Markdown: claim, catch, decision, evidence. The page says the same."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from distill.core.output import for_markdown
from distill.report import (
    breakdown_tables,
    confusion_table,
    factors_table,
    gap_table,
    judged_labels,
    layouts_table,
    lineage_table,
    quality_tables,
    run_tables,
    verdict,
)
from distill.report.contents import Report, dig
from distill.report.disagreement_tables import disagreement_sentence, disagreements_of
from distill.report.questions import answers
from distill.report.scale_table import scale_sheet
from distill.report.scaling import SCALING
from distill.report.tables import chapter

_STATES = {"passed": "every gate passed", "failed": "failed", "open": "open: not everything was measured"}
_CLAIM = ("What do we lose?", "What do we gain?")
_CATCH = ("Where?", "Is it noise?")
_DECISION = ("What is to be decided?",)


def decision_record(report: Report, run: str) -> str:
    """The record. Args: run: the folder of the run, as the user names it."""
    name = dig(report, "task").get("name")
    first, *others = verdict.sentences(report)
    parts = [
        f"# Decision record{f': {for_markdown(name)}' if name else ''}",
        f"Status: {_STATES[verdict.state(report)]}. Run: {for_markdown(run)}.",
        *_part("Claim", [first, *_told(report, _CLAIM)]),
        *_part("Catch", [*_told(report, _CATCH), *others, *map(disagreement_sentence, disagreements_of(report))]),
        *_part("Decision", list(_told(report, _DECISION))),
        *_evidence(report),
    ]
    return "\n\n".join(parts) + "\n"


def _told(report: Report, questions: Sequence[str]) -> Iterator[str]:
    for one in answers(report):
        if one.question in questions:
            yield from one.sentences if one.choices else [one.text]


def _part(title: str, sentences: Sequence[str]) -> list[str]:
    lines = [f"- {for_markdown(sentence)}" for sentence in sentences if sentence]
    return [f"## {title}", "\n".join(lines)] if lines else []


def _evidence(report: Report) -> list[str]:
    """The tables that the sentences are of, and where the figures were measured."""
    tables = {
        "Quality and speed": [quality_tables.quality_sheet(report)],
        "Gates": [run_tables.gate_sheet(report)],
        "Comparisons": [quality_tables.comparison_sheet(report), gap_table.gap_sheet(report)],
        "Each class": [breakdown_tables.class_sheet(report), breakdown_tables.chances_sheet(report)],
        "Confused classes": [confusion_table.confusion_sheet(report)],
        "Each slice": [breakdown_tables.slice_sheet(report)],
        "Operating points": [breakdown_tables.points_sheet(report)],
        "More rows of the pool": [scale_sheet(dig(report, SCALING))] if SCALING in report else [],
        "Labels judged blind": judged_labels.judged_sheets(report),
        "Latency": [
            run_tables.latency_sheet(report),
            factors_table.factors_sheet(report),
            layouts_table.layouts_sheet(report),
        ],
        "Parity of exports": [run_tables.parity_sheet(report)],
        "Rows": [run_tables.ledger_sheet(report), run_tables.quantile_sheet(report)],
        "Lineage": [lineage_table.lineage_sheet(entry) for entry in lineage_table.lineages_of(report)],
    }
    found = [part for title, sheets in tables.items() for part in chapter(title, sheets, level=3)]
    items = run_tables.environment_items(report)
    told = "; ".join(f"{for_markdown(name)} {for_markdown(value)}" for name, value in items)
    found += [f"Environment: {told}."] if told else []
    return ["## Evidence", *found] if found else []
