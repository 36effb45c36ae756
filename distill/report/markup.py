"""Small functions that return HTML; every text passes through `for_html`."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import groupby

from distill.core.output import for_html
from distill.report import formats
from distill.report.figure_columns import DELTA
from distill.report.page_tables import PageTables, page_tables
from distill.report.table_model import Column, Sheet

# Where a long name such as 8L_trunc@card.onnx-int8 may go on to a second line.
_BREAKS = re.compile(r"(@|&gt;|\w(?=\.))")
_WITH_MORE = re.compile(rf"(?P<figure>\S+)(?: (?P<interval>\(.+\)))?(?: (?P<delta>{DELTA}.+))?")


def element(tag: str, body: str, **attributes: object) -> str:
    """An element around finished HTML.

    Args: attributes: a trailing `_` of a name is dropped, other `_` become `-`; None and "" leave the attribute out.
    """
    pairs = (
        (name.rstrip("_").replace("_", "-"), value) for name, value in attributes.items() if value not in (None, "")
    )
    listed = "".join(f' {name}="{for_html(value)}"' for name, value in pairs)
    return f"<{tag}{listed}>{body}</{tag}>"


def table(sheet: Sheet) -> str:
    """A captioned table in a frame that scrolls sideways; nothing for a sheet without rows.

    On a page it has an anchor, and so has each of its rows; of a long one the first rows are there, and a link to all.
    """
    if not sheet.rows:
        return ""
    tables = page_tables() or PageTables()
    anchor = tables.anchor()
    shown, more = sheet.rows[: tables.most], ""
    if len(shown) < len(sheet.rows):
        tables.cut[anchor] = sheet
        more = _all_rows(sheet, len(shown), f"{tables.files}/{anchor}.csv")
    link = element("a", "#", href=f"#{anchor}", class_="anchor", aria_label="Link to this table")
    caption = element("caption", element("span", f"{for_html(sheet.caption)} {link}"))
    best, sections = sheet.best(), groupby(shown, sheet.section or (lambda _: ""))
    rows = _Rows(sheet, best, tables, anchor)
    body = "".join(rows.section(heading, list(part)) for heading, part in sections)
    frame = element("table", caption + element("thead", _head(sheet)) + body)
    return element("div", frame, class_="table", id=anchor, role="region", aria_label=sheet.caption, tabindex=0) + more


def _all_rows(sheet: Sheet, shown: int, file: str) -> str:
    link = element("a", "all of them", href=file)
    counts = f"{formats.integer(shown)} of {formats.integer(len(sheet.rows))} rows are here"
    return element("p", f"{counts}; {link} are in {element('code', for_html(file))}.", class_="more")


def details(summary: str, body: str, opened: bool = False) -> str:
    """A block that opens on a click; nothing around nothing."""
    mark = " open" if opened else ""
    return f"<details{mark}><summary>{for_html(summary)}</summary>{body}</details>" if body else ""


def notes(items: list[str], class_: str = "") -> str:
    """A bulleted list of texts; nothing without items."""
    return element("ul", "".join(element("li", for_html(item)) for item in items), class_=class_) if items else ""


def pairs(items: list[tuple[str, str]], class_: str = "") -> str:
    """A list of names with what they are; nothing without items."""
    rows = "".join(
        element("div", element("dt", for_html(name)) + element("dd", for_html(text))) for name, text in items
    )
    return element("dl", rows, class_=class_) if items else ""


def _breakable(name: str) -> str:
    """A name, escaped, with the places where it may go on to a second line."""
    return _BREAKS.sub(r"\1<wbr>", for_html(name))


def _head(sheet: Sheet) -> str:
    names = "".join(element("th", _breakable(column.name), scope="col", class_=column.kind) for column in sheet.columns)
    if not any(column.group for column in sheet.columns):
        return element("tr", names)
    groups = [(group, len(list(columns))) for group, columns in groupby(sheet.columns, lambda column: column.group)]
    cells = (
        element("th", for_html(group), scope="colgroup", colspan=span) if group else f'<td colspan="{span}"></td>'
        for group, span in groups
    )
    return element("tr", "".join(cells), class_="groups") + element("tr", names)


@dataclass(frozen=True)
class _Rows:
    """The rows of one table. Attributes: best: whether a cell is the best one. anchor: of the table."""

    sheet: Sheet
    best: Callable[[Column, object], bool]
    tables: PageTables
    anchor: str

    def section(self, heading: str, rows: list[object]) -> str:
        """Neighbouring rows under one heading."""
        title = element("th", element("span", for_html(heading)), scope="rowgroup", colspan=len(self.sheet.columns))
        lines = element("tr", title, class_="section") if heading else ""
        return element("tbody", lines + "".join(map(self._row, rows)))

    def _row(self, row: object) -> str:
        first, *others = self.sheet.columns
        cells = element("th", _content(first, row), scope="row", class_=first.kind)
        for column in others:
            content = _content(column, row)
            cells += element(
                "td", element("strong", content) if self.best(column, row) else content, class_=column.kind
            )
        marked = "marked" if self.sheet.marked and self.sheet.marked(row) else None
        return element("tr", cells, id=self.tables.row_anchor(self.anchor, first.cell(row)), class_=marked)


def _content(column: Column, row: object) -> str:
    text = column.cell(row)
    if text == formats.MISSING:
        return '<span class="missing">–</span>'
    if text in ("passed", "failed"):
        return element("span", text, class_=text)
    if column.kind == "check":
        head, _, rest = text.partition(" ")
        mark = element("span", for_html(head), class_={"yes": "passed", "no": "failed"}.get(head))
        return mark + (f" <small>{for_html(rest)}</small>" if rest else "")
    if column.kind == "name":
        return element("code", _breakable(text))
    match = _WITH_MORE.fullmatch(text) if column.kind == "number" else None
    if match is None:
        return for_html(text)
    more = "".join(f" <small>{for_html(part)}</small>" for part in (match["interval"], match["delta"]) if part)
    return f"{for_html(match['figure'])}{more}"
