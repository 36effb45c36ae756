"""report.html: everything in report.json on one page that needs no network and no other file, nor its script."""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256
from pathlib import Path

from distill.core.files import remove, write_text
from distill.core.output import for_html
from distill.core.sheets.sheet import write_table
from distill.report import formats, verdict
from distill.report.caveats import listed
from distill.report.contents import Report, dig, label_names, positive_label, tests_of
from distill.report.markup import element, notes, pairs
from distill.report.page_tables import PageTables, page_of
from distill.report.questions import Answer, answers
from distill.report.section import Section, all_sections
from distill.report.table_model import Sheet

MOST_BYTES = 1_200_000
"""What a page may weigh: e-mail takes it, and a browser opens it at once."""
_ROWS = (200, 100, 50, 25, 10)  # of a table, until the page is within that
_NAMED_CLASSES = 6
_STYLE, _SCRIPT = (Path(__file__).with_name(name) for name in ("style.css", "script.js"))


def page(report: Report) -> str:
    """The page as HTML. Sections that the report lacks are left out, and rows of a table after its first 200."""
    return _page(report, "report")[0]


def write_page(report: Report, path: Path) -> None:
    """Write the page to `path`, atomically, and tables that are too long for it as CSV into the folder beside it.

    Raises: UserError when it cannot be written.
    """
    folder = path.with_name(f"{path.stem}-tables")
    text, cut = _page(report, path.stem)
    for name, sheet in cut.items():
        write_table(folder / f"{name}.csv", _heads(sheet), list(map(dict, _cells(sheet))))
    write_text(path, text)
    if not cut:
        remove(folder)


def document(title: str, body: str) -> str:
    """A whole page in the report's style, with its script. Args: body: finished HTML, with a `main` of that id."""
    style, script = (file.read_text(encoding="utf-8") for file in (_STYLE, _SCRIPT))
    head = f"{_meta(style, script)}<title>{for_html(title)}</title><style>{style}</style>"
    skip = element("a", "Skip to the tables", href="#main", class_="skip")
    body = f"<body>{skip}{body}<script>{script}</script></body>"
    return f'<!doctype html>\n<html lang="en"><head>{head}</head>{body}</html>\n'


def _page(report: Report, stem: str) -> tuple[str, dict[str, Sheet]]:
    """The page, and the tables that are not on it whole. Args: stem: of its file."""
    for most in _ROWS:
        tables = PageTables(most, files=f"{stem}-tables")
        with page_of(tables):
            text = _whole(report, tables)
        if len(text.encode()) <= MOST_BYTES:
            break
    return text, tables.cut


def _whole(report: Report, tables: PageTables) -> str:
    shown = []
    for section in all_sections():
        tables.section = section.name
        if body := section.body(report):
            shown.append((section, body))
    names = {section.name: section.title for section, _ in shown}
    anchors = "".join(element("a", for_html(title), href=f"#{name}") for name, title in names.items())
    links = element("nav", anchors, aria_label="Sections")
    sections = "".join(_section(section, body) for section, body in shown)
    return document(_title(report), f"{_header(report, names)}{links}{element('main', sections, id='main')}")


def _section(section: Section, body: str) -> str:
    link = element("a", "#", href=f"#{section.name}", class_="anchor", aria_label=f"Link to “{section.title}”")
    return element("section", element("h2", f"{for_html(section.title)} {link}") + body, id=section.name)


def _heads(sheet: Sheet) -> list[str]:
    return [column.alone or f"{column.group} {column.name}".strip() for column in sheet.columns]


def _cells(sheet: Sheet) -> list[list[tuple[str, str]]]:
    return [
        [(head, column.cell(row)) for head, column in zip(_heads(sheet), sheet.columns, strict=True)]
        for row in sheet.rows
    ]


def _meta(style: str, script: str) -> str:
    """Names in a report come from user data: even one that got past escaping could load and run nothing."""
    policy = (
        f"default-src 'none'; base-uri 'none'; form-action 'none'; style-src {_hash(style)}; script-src {_hash(script)}"
    )
    return (
        '<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark"><meta name="format-detection" content="telephone=no, email=no">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
    )


def _hash(text: str) -> str:
    """A text as a policy names it. Source: W3C Content Security Policy Level 3, section 2.3.1, hash-source."""
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"


def _title(report: Report) -> str:
    name = dig(report, "task").get("name")
    return "Distillation report" if name is None else f"Distillation report: {name}"


def _header(report: Report, sections: dict[str, str]) -> str:
    state = verdict.state(report)
    badge = element("span", {"passed": "Passed", "failed": "Failed", "open": "Open"}[state], class_="badge")
    first, *others = verdict.sentences(report)
    claim, beside, controls = first.partition("; ")
    told = for_html(claim + beside) + element("span", for_html(controls), class_="beside" if controls else "")
    asked = "".join(_answer(one, sections) for one in answers(report))
    lines = element("p", badge + told, class_="headline")
    lines += element("dl", asked, class_="questions") if asked else ""
    known = element("h2", "To know before deciding") + notes(others, class_="verdict") if others else ""
    return element("header", element("h1", for_html(_title(report))) + lines + known + _facts(report), class_=state)


def _answer(one: Answer, sections: dict[str, str]) -> str:
    """A question, its answer and links to those sections of its evidence that are on the page."""
    links = ", ".join(
        element("a", for_html(sections[name]), href=f"#{name}") for name in one.evidence if name in sections
    )
    several = len(one.sentences) > 1 and one.choices
    text = notes(list(one.sentences)) if several else for_html(one.text)
    text += f" {element('span', links, class_='evidence')}" if links else ""
    return element("div", element("dt", for_html(one.question)) + element("dd", text))


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
