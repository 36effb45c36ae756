"""report.html: everything in report.json on one page that needs no network, no script and no other file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from distill.core.files import write_text
from distill.report import (
    breakdowns,
    choice,
    curves,
    floor,
    formats,
    plots,
    run_tables,
    seed_ranges,
    table_model,
    training,
    twins,
    verdict,
)
from distill.report.markup import details, element, escape, notes, table
from distill.report.table_model import Report, dig

_STYLE = Path(__file__).with_name("style.css")


def page(report: Report) -> str:
    """The page as HTML. Sections that the report lacks are left out."""
    shown = [(name, title, body) for name, title, render in _SECTIONS if (body := render(report))]
    links = element(
        "nav", "".join(element("a", escape(title), href=f"#{name}") for name, title, _ in shown), aria_label="Sections"
    )
    sections = "".join(element("section", element("h2", escape(title)) + body, id=name) for name, title, body in shown)
    head = f"<title>{escape(_title(report))}</title><style>{_STYLE.read_text(encoding='utf-8')}</style>"
    body = f"<body>{_header(report)}{links}<main>{sections}</main></body>"
    return f'<!doctype html>\n<html lang="en"><head>{_META}{head}</head>{body}</html>\n'


def write_page(report: Report, path: Path) -> None:
    """Write the page to `path`, atomically. Raises: UserError when it cannot be written."""
    write_text(path, page(report))


# Names in a report come from user data: even one that got past escaping could load and run nothing.
_META = (
    '<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
    '<meta name="color-scheme" content="light dark"><meta name="format-detection" content="telephone=no, email=no">'
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
)


def _title(report: Report) -> str:
    name = dig(report, "task").get("name")
    return "Distillation report" if name is None else f"Distillation report: {name}"


def _header(report: Report) -> str:
    state = verdict.state(report)
    badge = element("span", {"passed": "Passed", "failed": "Failed", "open": "Open"}[state], class_="badge")
    first, *others = verdict.sentences(report)
    lines = element("p", badge + escape(first), class_="headline") + notes(others, class_="verdict")
    return element("header", element("h1", escape(_title(report))) + lines + _facts(report), class_=state)


def _facts(report: Report) -> str:
    task = dig(report, "task")
    tests = report.get("tests") if isinstance(report.get("tests"), list) else []
    facts = {
        "Classes": ", ".join(table_model.label_names(report)),
        "Positive class": table_model.positive_label(report) or "",
        "Rows": _row_counts(task.get("rows")),
        "Tests": ", ".join(str(test) for test in tests or []),
    }
    return _pairs([(name, text) for name, text in facts.items() if text], class_="facts")


def _row_counts(rows: Any) -> str:
    if isinstance(rows, dict):
        return ", ".join(f"{name} {formats.integer(count)}" for name, count in rows.items())
    return "" if formats.number(rows) is None else formats.integer(rows)


def _pairs(items: list[tuple[str, str]], class_: str = "") -> str:
    rows = "".join(element("div", element("dt", escape(name)) + element("dd", escape(text))) for name, text in items)
    return element("dl", rows, class_=class_) if items else ""


def _quality(report: Report) -> str:
    best = verdict.headline_model(report)
    return table(table_model.quality_sheet(report, marked=None if best is None else best.name))


def _labels(report: Report) -> str:
    sentence = choice.choice_sentence(report)
    if not sentence:
        return ""
    pairs = details("Differences between the candidates", table(choice.choice_pairs_sheet(report)))
    warnings = notes([*choice.worse_classes(report), *choice.better_twins(report)], class_="warnings")
    twins = table(choice.asked_twins_sheet(report))
    return element("p", escape(sentence)) + warnings + table(choice.choice_sheet(report)) + pairs + twins


def _training(report: Report) -> str:
    drawn = "".join(_training_figure(fit) for fit in table_model.entries(report, "training_history"))
    return table(training.training_sheet(report)) + (element("div", drawn, class_="figures") if drawn else "")


def _training_figure(fit: dict[str, Any]) -> str:
    drawing, seed = curves.loss_curve(fit), f", seed {fit['seed']}" if "seed" in fit else ""
    note = f"{fit.get('model')}{seed}: {fit.get('reason')}"
    return element("figure", drawing + element("figcaption", escape(note))) if drawing else ""


def _trade_off(report: Report) -> str:
    points, axis = plots.measured_points(report), plots.quality_name(report)
    if not points:
        return ""
    # A drawing scaled down to a phone has letters nobody can read: each width gets its own, and the style shows one.
    wide = element("div", plots.scatter(points, axis), class_="wide")
    narrow = element("div", plots.scatter(points, axis, width=370, height=440), class_="narrow")
    note = "Up and to the left is better. Bars are 95% intervals; the dashed line is the best teacher’s quality."
    return element("figure", plots.legend(points) + wide + narrow + element("figcaption", escape(note)))


def _tests(report: Report) -> str:
    tests = report.get("tests")
    return (
        "".join(table(table_model.per_test_sheet(report, str(test))) for test in tests)
        if isinstance(tests, list)
        else ""
    )


def _points(report: Report) -> str:
    return "" if table_model.positive_label(report) is None else table(breakdowns.points_sheet(report))


def _classes(report: Report) -> str:
    if not table_model.label_names(report):
        return ""
    return table(breakdowns.class_sheet(report)) + details(
        "Precision and recall", table(breakdowns.class_detail_sheet(report))
    )


def _lengths(report: Report) -> str:
    histograms, tokens = dig(report, "audit", "histograms"), dig(report, "audit", "tokens")
    drawn = "".join(_length_figure(str(view), dig(histograms, view), dig(tokens, view)) for view in histograms)
    return element("div", drawn, class_="figures") + table(run_tables.quantile_sheet(report)) if drawn or tokens else ""


def _length_figure(view: str, bins: dict[str, Any], splits: dict[str, Any]) -> str:
    edges, counts = bins.get("edges") or [], bins.get("counts") or []
    split = "train" if "train" in splits else next(iter(splits), "")
    quantiles = {name: formats.number(dig(splits, split).get(key)) for name, key in (("median", "q50"), ("95%", "q95"))}
    marks = {name: value for name, value in quantiles.items() if value is not None}
    drawing = plots.histogram(edges, counts, f"Tokens per example in view {view}", marks)
    note = f"View {view}" + (f"; marked: median and 95% quantile of {split}" if marks else "")
    return element("figure", drawing + element("figcaption", escape(note))) if drawing else ""


def _audit(report: Report) -> str:
    warnings = dig(report, "audit").get("warnings")
    listed = notes([str(item) for item in warnings], class_="warnings") if isinstance(warnings, list) else ""
    return listed + table(run_tables.ledger_sheet(report)) + table(run_tables.leak_sheet(report))


def _environment(report: Report) -> str:
    return details(
        "Versions, hardware and settings", _pairs(run_tables.environment_items(report), class_="environment")
    )


def _of(sheet: Callable[[Report], table_model.Sheet]) -> Callable[[Report], str]:
    return lambda report: table(sheet(report))


_SECTIONS: list[tuple[str, str, Callable[[Report], str]]] = [
    ("quality", "Quality and speed", _quality),
    ("trade-off", "Quality against latency", _trade_off),
    ("gates", "Gates", _of(run_tables.gate_sheet)),
    ("majority", "Against the majority answer", _of(floor.majority_sheet)),
    ("twins", "Gold-only twins", _of(twins.twin_sheet)),
    ("labels", "Labels", _labels),
    ("training", "Training", _training),
    ("comparisons", "Comparisons", _of(table_model.comparison_sheet)),
    ("seeds", "Over the seeds", _of(seed_ranges.spread_sheet)),
    ("tests", "Each test", _tests),
    ("classes", "Each class", _classes),
    ("slices", "Each slice", _of(breakdowns.slice_sheet)),
    ("points", "Operating points", _points),
    ("latency", "Latency", _of(run_tables.latency_sheet)),
    ("parity", "Parity of exports", _of(run_tables.parity_sheet)),
    ("lengths", "Token lengths", _lengths),
    ("audit", "Data audit", _audit),
    ("stages", "Stages", _of(run_tables.stage_sheet)),
    ("environment", "Environment", _environment),
]
