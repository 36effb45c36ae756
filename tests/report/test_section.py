"""A section of one's own on the page, and the order of all."""

from __future__ import annotations

import re
import sys

import pytest

from distill.report import sections
from distill.report.page import page
from distill.report.section import all_sections
from tests.report.sample import sample_report

ORDER = (
    "quality trade-off fall-through gates majority twins out-of-fold labels cascades starts selection vocabularies "
    "training scaling comparisons gap seeds validation-order tests joined classes precision-recall "
    "reliability calibration confusions confusion-matrix disagreements judged-labels "
    "slices class-thresholds points latency parity lengths audit stages lineage environment"
).split()
WEATHER = '''
"""A section that a user might add."""

from distill.core.output import for_html
from distill.report.markup import element
from distill.report.section import Section


class Weather(Section):
    """The weather while the run was made."""

    name, title, position = "weather", "Weather & wind", 35

    def body(self, report):
        """One sentence; empty without any weather."""
        return element("p", for_html(report["weather"])) if "weather" in report else ""
'''


@pytest.fixture
def add(tmp_path, monkeypatch):
    """`add(name, text)` puts one more file into the package of sections."""
    monkeypatch.setattr(sections, "__path__", [*sections.__path__, str(tmp_path)])

    def write(name, text):
        (tmp_path / f"{name}.py").write_text(text, encoding="utf-8")

    yield write
    for name in [name for name in sys.modules if name.startswith("distill.report.sections.")]:
        if not hasattr(sys.modules[name], "__file__") or str(tmp_path) in str(sys.modules[name].__file__):
            del sys.modules[name]


def test_sections_keep_their_order():
    assert [section.name for section in all_sections()] == ORDER
    places = [section.position for section in all_sections()]
    assert len(set(places)) == len(places)


def test_one_class_in_one_file_is_a_section_of_the_page(add):
    before = page(sample_report())
    add("weather", WEATHER)
    assert page(sample_report()) == before
    text = page(sample_report() | {"weather": "rain <heavy>"})
    section = re.findall(r'<section id="weather"><h2>Weather &amp; wind .*?</h2>(.*?)</section>', text)
    assert section == ["<p>rain &lt;heavy&gt;</p>"] and '<a href="#weather">Weather &amp; wind</a>' in text
    assert text.index('id="gates"') < text.index('id="weather"') < text.index('id="majority"')


def test_a_name_is_taken_once(add):
    add("again", WEATHER.replace('"weather", ', '"gates", '))
    with pytest.raises(ValueError, match="two sections of the report are named 'gates'"):
        all_sections()
