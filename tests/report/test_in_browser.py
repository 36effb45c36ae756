"""The page in a real browser: it sorts, filters and links, runs nothing foreign, and fits every screen."""

from __future__ import annotations

from pathlib import Path

import pytest

from distill.report.page import MOST_BYTES, write_page
from tests.report.large import PLANTED, large_report
from tests.report.sample import sample_report

CHROMIUM = Path("/usr/bin/chromium")
WIDTHS = (360, 800, 1400)

playwright = pytest.importorskip("playwright.sync_api")
pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no {CHROMIUM}")


@pytest.fixture(scope="module")
def browser():
    """Chromium without a window."""
    with playwright.sync_playwright() as made:
        chromium = made.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two pages: of a usual report and of a large one."""
    made = tmp_path_factory.mktemp("pages")
    report = sample_report()
    report["audit"]["warnings"].append(PLANTED)
    write_page(report, made / "report.html")
    write_page(large_report(), made / "large.html")
    return made


@pytest.fixture
def shown(browser, folder):
    """`shown(name, **context)` opens a page; at the end it has said nothing and asked for nothing."""
    contexts, said, asked = [], [], []

    def show(name="report.html", at="", **context):
        contexts.append(browser.new_context(**context))
        page = contexts[-1].new_page()
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(f"{(folder / name).as_uri()}{at}")
        return page

    yield show
    for context in contexts:
        context.close()
    assert said == [] and {url.partition("#")[0] for url in asked} <= {
        (folder / name).as_uri() for name in ("report.html", "large.html")
    }


def column(page, table, place):
    """The cells of a column as they stand."""
    return page.locator(f"#{table} tbody tr[id]:visible").evaluate_all(
        f"rows => rows.map(row => row.cells[{place}].innerText.split('\\n')[0])"
    )


def test_a_press_on_a_heading_sorts_and_the_third_brings_the_order_back(shown):
    page = shown()
    first = column(page, "latency-table", 8)
    button = page.locator("#latency-table thead th button", has_text="p50")
    head = button.locator("xpath=..")
    button.focus()
    page.keyboard.press("Enter")
    assert head.get_attribute("aria-sort") == "descending"
    assert column(page, "latency-table", 8) == sorted(first, key=float, reverse=True) != first
    button.click()
    assert column(page, "latency-table", 8) == sorted(first, key=float)
    button.click()
    assert column(page, "latency-table", 8) == first and head.get_attribute("aria-sort") == "none"
    names = column(page, "latency-table", 0)
    page.locator("#latency-table thead th button", has_text="Model").click()
    assert column(page, "latency-table", 0) == sorted(names) != names


def test_words_filter_the_rows_and_are_counted(shown):
    page = shown()
    field = page.get_by_role("searchbox", name="Find rows: Real length mix", exact=False)
    field.fill("card int8")
    assert column(page, "latency-table", 0) == ["8L_trunc@card.onnx-int8"]
    assert page.locator("label.find", has=field).locator("output").inner_text() == "1 of 7 rows"
    field.fill("")
    assert len(column(page, "latency-table", 0)) == 7


def test_a_link_opens_what_is_folded_and_marks_its_row(shown):
    page = shown(at="#environment")
    assert page.locator("#environment details").get_attribute("open") is None
    page.evaluate("location.hash = 'classes-table-3'")
    page.locator("#classes details[open] [id='classes-table-3']").wait_for()
    row = "quality-table-8L_trunc@card.onnx-int8"
    page.locator(f"[id='{row}'] th").click()
    assert page.evaluate("decodeURIComponent(location.hash)") == f"#{row}"


def test_the_keyboard_reaches_the_tables_first_link(shown):
    page = shown()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.getAttribute('href')") == "#main"
    page.keyboard.press("Enter")
    assert page.evaluate("location.hash") == "#main"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_screen_scrolls_sideways(shown, scheme):
    page = shown(color_scheme=scheme)
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor") != "rgb(255, 255, 255)"
    assert dark == (scheme == "dark")
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_all_of_it_is_there_without_the_script(shown):
    page = shown(java_script_enabled=False)
    text = page.locator("body").inner_text()
    assert "What do we lose?" in text and "8L_trunc@card.onnx-int8" in text
    assert page.locator("thead button, input").count() == 0
    assert page.locator("tbody tr").count() == shown().locator("tbody tr").count() > 100


def test_a_large_report_stays_small_has_every_row_beside_it_and_runs_no_text(shown, folder):
    assert (folder / "large.html").stat().st_size <= MOST_BYTES
    page = shown("large.html", viewport={"width": 360, "height": 800})
    assert page.title() == "Distillation report"
    page.locator("#slices-table th").first.hover()
    assert page.title() == "Distillation report" and page.locator("[onmouseover], main script").count() == 0
    link = page.locator("#classes .more a").first
    file = folder / link.get_attribute("href")
    assert file.read_text(encoding="utf-8-sig").count("класс ") == 500
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_printing_shows_what_is_folded_away(shown):
    page = shown(color_scheme="dark")
    folded = page.locator("#environment dl")
    assert not folded.is_visible()
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print")
    assert folded.is_visible() and not page.locator("nav").is_visible()
    assert not page.locator("label.find").first.is_visible()
    assert page.locator("body").evaluate("body => getComputedStyle(body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.locator("header").evaluate("header => getComputedStyle(header).backgroundColor") == "rgb(230, 245, 236)"
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    page.emulate_media(media="screen")
    assert not folded.is_visible()
