"""report.html: everything in report.json on one page that needs no network, no script and no other file."""

from __future__ import annotations

from pathlib import Path

from distill.core.files import write_text
from distill.core.output import for_html
from distill.report import formats, verdict
from distill.report.caveats import listed
from distill.report.contents import Report, dig, label_names, positive_label, tests_of
from distill.report.markup import element, notes, pairs
from distill.report.section import all_sections

_NAMED_CLASSES = 6
_STYLE = Path(__file__).with_name("style.css")


def page(report: Report) -> str:
    """The page as HTML. Sections that the report lacks are left out."""
    shown = [(section, body) for section in all_sections() if (body := section.body(report))]
    anchors = "".join(element("a", for_html(section.title), href=f"#{section.name}") for section, _ in shown)
    links = element("nav", anchors, aria_label="Sections")
    sections = "".join(
        element("section", element("h2", for_html(section.title)) + body, id=section.name) for section, body in shown
    )
    return document(_title(report), f"{_header(report)}{links}<main>{sections}</main>")


def document(title: str, body: str) -> str:
    """A whole page in the report's style. Args: body: finished HTML."""
    head = f"<title>{for_html(title)}</title><style>{_STYLE.read_text(encoding='utf-8')}</style>"
    return f'<!doctype html>\n<html lang="en"><head>{_META}{head}</head><body>{body}</body></html>\n'


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
    lines = element("p", badge + for_html(first), class_="headline") + notes(others, class_="verdict")
    return element("header", element("h1", for_html(_title(report))) + lines + _facts(report), class_=state)


def _facts(report: Report) -> str:
    task = dig(report, "task")
    facts = {
        "Classes": _classes(label_names(report)),
        "Positive class": positive_label(report) or "",
        "Rows": _row_counts(task.get("rows")),
        "Tests": ", ".join(tests_of(report)),
    }
    return pairs([(name, text) for name, text in facts.items() if text], class_="facts")


def _classes(names: list[str]) -> str:
    return listed(names) if len(names) <= _NAMED_CLASSES else f"{len(names)}: {listed(names, _NAMED_CLASSES)}"


def _row_counts(rows: object) -> str:
    if isinstance(rows, dict):
        return ", ".join(f"{name} {formats.integer(count)}" for name, count in rows.items())
    return "" if formats.number(rows) is None else formats.integer(rows)
