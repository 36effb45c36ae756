"""A section of one's own on the page, and the order of all."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

from distill.report.page import page
from distill.report.section import SECTIONS, all_sections
from tests.report.sample import sample_report

ORDER = (
    "quality trade-off gates majority twins labels training comparisons seeds tests classes slices points latency "
    "parity lengths audit stages environment"
).split()
WEATHER = '''
"""A section that a user might add."""

from distill.report.markup import element, escape
from distill.report.section import Section


class Weather(Section):
    """The weather while the run was made."""

    name, title, position = "weather", "Weather & wind", 35

    def body(self, report):
        """One sentence; empty without any weather."""
        return element("p", escape(report["weather"])) if "weather" in report else ""
'''


def load(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec and spec.loader
    spec.loader.exec_module(importlib.util.module_from_spec(spec))


@pytest.fixture(autouse=True)
def sections_as_before():
    all_sections()
    before = dict(SECTIONS)
    yield
    SECTIONS.clear()
    SECTIONS.update(before)


def test_sections_keep_their_order():
    assert [section.name for section in all_sections()] == ORDER
    places = [section.position for section in all_sections()]
    assert len(set(places)) == len(places)


def test_one_class_in_one_file_is_a_section_of_the_page(tmp_path):
    before = page(sample_report())
    load(tmp_path / "weather.py", WEATHER)
    assert page(sample_report()) == before
    text = page(sample_report() | {"weather": "rain <heavy>"})
    section = '<section id="weather"><h2>Weather &amp; wind</h2><p>rain &lt;heavy&gt;</p></section>'
    assert section in text and '<a href="#weather">Weather &amp; wind</a>' in text
    assert text.index('id="gates"') < text.index('id="weather"') < text.index('id="majority"')
    assert "weather" not in sys.modules


def test_a_name_is_taken_once(tmp_path):
    with pytest.raises(ValueError, match="a section 'gates' already"):
        load(tmp_path / "again.py", WEATHER.replace('"weather", ', '"gates", '))
