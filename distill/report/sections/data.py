"""The rows that were read: their lengths, and what the audit found."""

from __future__ import annotations

from distill.core.files import Json
from distill.core.output import for_html
from distill.report import formats, plots, run_tables
from distill.report.against_table import against_sheet
from distill.report.audit_lines import near_lines, rare_lines
from distill.report.contents import Report, dig
from distill.report.junk_table import junk_sheet
from distill.report.markup import element, notes, table
from distill.report.overlap_table import overlap_sheet
from distill.report.section import Section


class Lengths(Section):
    """How long the texts are."""

    name, title, position = "lengths", "Token lengths", 160

    def body(self, report: Report) -> str:
        """A histogram for each view, and the quantiles of each split."""
        histograms, tokens = dig(report, "audit", "histograms"), dig(report, "audit", "tokens")
        limits = {view: dig(report, "views", view).get("max_tokens") for view in histograms}
        drawn = "".join(
            _histogram(str(view), dig(histograms, view), dig(tokens, view), limits[view]) for view in histograms
        )
        if not drawn and not tokens:
            return ""
        return element("div", drawn, class_="figures") + table(run_tables.quantile_sheet(report))


class Audit(Section):
    """What was read, dropped and found in more than one split."""

    name, title, position = "audit", "Data audit", 170

    def body(self, report: Report) -> str:
        """The warnings, the ledger of rows and the leaks."""
        warnings = dig(report, "audit").get("warnings")
        listed = notes([str(item) for item in warnings], class_="warnings") if isinstance(warnings, list) else ""
        listed += notes([f"Rare classes: {line}" for line in rare_lines(dig(report, "audit"))])
        listed += notes([f"Near duplicates: {line}" for line in near_lines(dig(report, "audit"))])
        sheets = (
            run_tables.ledger_sheet(report),
            junk_sheet(report),
            overlap_sheet(report),
            run_tables.leak_sheet(report),
            against_sheet(report),
        )
        return listed + "".join(map(table, sheets))


def _histogram(view: str, bins: Json, splits: Json, limit: object) -> str:
    edges, counts = bins.get("edges") or [], bins.get("counts") or []
    split = "train" if "train" in splits else next(iter(splits), "")
    quantiles = {name: formats.number(dig(splits, split).get(key)) for name, key in (("median", "q50"), ("95%", "q95"))}
    marks = {name: value for name, value in {**quantiles, "max_tokens": formats.number(limit)}.items() if value}
    drawing = plots.histogram(edges, counts, f"Tokens per example in view {view}", marks)
    told = [f"median and 95% quantile of {split}"] if split else []
    told += ["max_tokens, from which on texts are cut"] if formats.number(limit) else []
    note = f"View {view}" + (f"; marked: {' and '.join(told)}" if told else "")
    return element("figure", drawing + element("figcaption", for_html(note))) if drawing else ""
