"""A text with everything that terminals, pages and parsers obey is shown in each medium, and obeyed in none."""

from __future__ import annotations

import html
import json
import unicodedata
from html.parser import HTMLParser

import pytest

from distill.core.output import as_json, as_markdown_code, for_html, for_markdown, for_pbtxt, for_terminal

POISON = (
    "\x1b[2J\x1b]0;title\x07\x9b31m\u202egnp.exe\u2066\u200b\x00\x7f\r|`<img src=x onerror=alert(1)>\"'&"
    "[/][red]![x](http://e.x)``\\\u2028\ud800\n"
)


def steering(text):
    kinds = ("Cc", "Cf", "Cs", "Zl", "Zp")
    return [sign for sign in text if unicodedata.category(sign) in kinds and sign not in "\n\t"]


@pytest.mark.parametrize("medium", [for_terminal, for_html, for_markdown, as_markdown_code, for_pbtxt, as_json])
def test_nothing_that_steers_gets_through(medium):
    shown = medium(POISON)
    assert steering(shown) == [] and shown.encode()
    assert medium("наушники 3×5 — ёлка") == medium("наушники 3×5 — ёлка")


def test_every_sign_that_steers_is_shown_as_python_writes_it():
    assert for_terminal("a\x1b\x9b\u202e\U000e0041\ud800") == "a\\x1b\\x9b\\u202e\\U000e0041\\ud800"
    assert steering("".join(map(for_terminal, map(chr, range(0x110000))))) == ["\u200c", "\u200d"]


FAMILY, PERSIAN = "\U0001f469\u200d\U0001f467 \U0001f44d\U0001f3fd", "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645"


@pytest.mark.parametrize("text", ["Дрель-шуруповёрт, 18 В\n\t— «хит» №1 ½ °C", FAMILY, PERSIAN, "אוזניות", ""])
def test_texts_of_people_stay_as_they_are(text):
    assert for_terminal(text) == text and html.unescape(for_html(text)) == text


def test_html_of_it_is_one_text():
    class Reader(HTMLParser):
        found = ""

        def handle_starttag(self, tag, attributes):
            raise AssertionError(tag)

        def handle_data(self, data):
            self.found += data

    reader = Reader(convert_charrefs=True)
    reader.feed(for_html(POISON))
    reader.close()
    assert reader.found == for_terminal(POISON)


def test_a_markdown_cell_stays_one_cell_of_one_line():
    for cell in (for_markdown(POISON), as_markdown_code(POISON, cell=True)):
        assert "\n" not in cell and cell.count("|") == cell.count("\\|") == 1
    assert "<img" not in for_markdown(POISON) and "![x](" not in for_markdown(POISON)
    assert for_markdown("a < b, [x] 5 > 3") == "a < b, [x] 5 > 3"


def test_a_code_span_ends_with_its_own_fence():
    assert as_markdown_code("8L@card.onnx") == "`8L@card.onnx`"
    assert as_markdown_code("a`b``c") == "``` a`b``c ```"


def test_pbtxt_is_a_quoted_string_of_the_same_text():
    escaped = for_pbtxt('a"b\\c\nд')
    assert escaped == "a\\042b\\134c\\012д"


def test_json_reads_as_the_same_value():
    value = {"имя": POISON, "tag": "\U000e0041"}
    assert json.loads(as_json(value)) == value and json.loads(as_json(value, ascii_only=True)) == value
