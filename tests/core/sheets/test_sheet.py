"""Sheets: what spreadsheets make of them, and that every cell comes back."""

import codecs
import csv

import pytest

from distill.core.errors import UserError
from distill.core.sheets.sheet import columns_of, escaped, read_sheet, shown_text, unescaped, write_sheet, write_table

TEXTS = ["=1+1", "+7 495", "-5", "@me", "'=1", "'", "ёж; «a, b»", 'say "no"', "a\tb", "", "it's"]


def _write(path, texts=TEXTS, **options):
    rows = [{"id": f"р{number}", "text": text} for number, text in enumerate(texts)]
    write_sheet(path, ["id", "text", "label", "note"], rows, **options)
    return path


def test_no_cell_is_a_formula_and_every_cell_comes_back(tmp_path):
    path = _write(tmp_path / "a.csv")
    assert path.read_bytes().startswith(codecs.BOM_UTF8)
    with path.open(encoding="utf-8-sig", newline="") as file:
        cells = [cell for row in csv.reader(file) for cell in row]
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t"))]
    assert [row.cells["text"] for row in read_sheet(path)] == TEXTS
    assert all(unescaped(escaped(text)) == text for text in TEXTS)


VALUES = ["4601234500001", "00123", "65.50", " 10-11", ".5", "(5)", "$1,5", "5 мая", "Mar 5", "SEPT1", "май-20", "TRUE"]
WORDS = ["word 5", "March of the penguins", "true story", "doc-12", "р5", "№ 5"]


def test_no_cell_of_a_sheet_is_a_number_or_a_date_and_a_table_of_figures_has_them(tmp_path):
    path = _write(tmp_path / "a.csv", [*VALUES, *WORDS])
    with path.open(encoding="utf-8-sig", newline="") as file:
        cells = [row["text"] for row in csv.DictReader(file)]
    assert cells == [*(f"'{text}" for text in VALUES), *WORDS]
    assert [row.cells["text"] for row in read_sheet(path)] == [*VALUES, *WORDS]
    write_table(path, ["id", "label"], [{"id": "65.5", "label": "=1"}])
    assert path.read_text(encoding="utf-8-sig").split() == ["id,label", "65.5,'=1"]


@pytest.mark.parametrize(("encoding", "delimiter"), [("utf-8-sig", ";"), ("utf-16", "\t"), ("utf-8", ",")])
def test_what_spreadsheets_save_is_read(encoding, delimiter, tmp_path):
    path = tmp_path / "a.csv"
    with path.open("w", encoding=encoding, newline="") as file:
        csv.writer(file, delimiter=delimiter).writerows([["id", "текст", "label"], ["р1", "a;b,c\nd", "да"]])
    (row,) = read_sheet(path)
    assert (row.number, row.id, row.cells) == (2, "р1", {"id": "р1", "текст": "a;b,c\nd", "label": "да"})


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("id,label\nр1,да\n".encode("cp1251"), "another encoding"),
        (b"PK\x03\x04\xff\xfe", "another encoding"),
        (b"name,label\na,b\n", "no column id"),
        (b"id,name\na,b\n", "no column label"),
        (b"id,label\n", "no rows"),
        (b"id,label\na,b,c\n", "a broken row"),
        (b'id,label\na,"b\n', "never closed"),
        (b"id,id,label\na,b,c\n", "duplicate column"),
        (b"", "no column"),
    ],
)
def test_what_is_no_sheet_is_refused(data, message, tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(data)
    with pytest.raises(UserError, match=message) as caught:
        read_sheet(path)
    assert str(path) in str(caught.value)


def test_a_sheet_that_is_there_stays_unless_forced(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("filled in", encoding="utf-8")
    with pytest.raises(UserError, match="--force"):
        _write(path)
    assert path.read_text(encoding="utf-8") == "filled in"
    assert len(read_sheet(_write(path, force=True))) == len(TEXTS)
    with pytest.raises(UserError, match="sheet not found"):
        read_sheet(tmp_path / "gone.csv")


def test_long_texts_fit_a_cell_and_fields_never_take_a_column_of_the_sheet():
    assert len(shown_text("a" * 50_000)) < 32_767 and shown_text("a") == "a"
    assert columns_of(["page.title", "label"]) == {"page.title": "page.title", "label": "label (text)"}
