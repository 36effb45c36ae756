"""The page of a study, which needs no network and no other file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from distill.core.files import write_text
from distill.core.output import for_html
from distill.report.markup import element, notes, table
from distill.report.page import document
from distill.report.page_tables import PageTables, page_of
from distill.report.table_model import Sheet


def write_study_page(
    title: str, sentences: Sequence[str], sheets: Sequence[Sheet], path: Path, drawn: str = ""
) -> None:
    """Write the page. Args: sentences: the first one is the headline. drawn: figures, as finished HTML.

    Raises: UserError when it cannot be written.
    """
    head, *others = sentences
    top = element("h1", for_html(title)) + element("p", for_html(head), class_="headline")
    with page_of(PageTables()):
        shown = element("section", drawn + "".join(map(table, sheets)))
    header = element("header", top + notes(others, class_="verdict"))
    write_text(path, document(title, header + element("main", shown, id="main")))
