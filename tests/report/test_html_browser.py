"""The page as a reader sees it, in headless Chromium with no network."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.report.browser import ARROW_LEFT, browse, look, needs_browser, texts
from tests.report.conftest import broken_diagnosis, write_broken
from tests.report.large import write_large
from tests.report.test_escaping import write_nasty
from wellposed.record import Record
from wellposed.report.html import to_html

pytestmark = [pytest.mark.slow, needs_browser]
driver = pytest.fixture(scope="module")(browse)


@pytest.fixture(scope="module")
def page(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("page")
    with Record(write_broken(folder / "train.wellposed")) as record:
        (folder / "train.html").write_text(to_html([(record, broken_diagnosis())]), encoding="utf-8")
    return folder / "train.html"


@pytest.fixture(scope="module")
def large(tmp_path_factory) -> Path:
    """A network of 48 layers with long names over a thousand steps."""
    folder = tmp_path_factory.mktemp("large")
    with Record(write_large(folder / "large.wellposed")) as record:
        (folder / "large.html").write_text(to_html([(record, broken_diagnosis())]), encoding="utf-8")
    return folder / "large.html"


def test_a_reader_sees_the_verdict_the_line_and_the_fix(driver, page):
    look(driver, page)

    assert driver.find_element("css selector", "h1").text == "unstable-function at train.py:15 in forward, step 12"
    assert texts(driver, ".finding .listing .marked code") == ["return squared.sqrt()"]
    assert "return (squared + 1e-12).sqrt()" in texts(driver, ".remedy pre")
    measured = driver.find_element("css selector", ".measured").text
    assert "smallest input of sqrt" in measured
    assert "limit 1e-12" in measured
    chain = driver.find_element("css selector", ".unfolding").text
    assert chain.index("gradients of all 9") < chain.index("The loss is NaN")


def test_the_line_in_the_source_is_highlighted_with_its_finding(driver, page):
    look(driver, page)

    line = driver.find_element("css selector", "#source [data-at='train.py:15']")
    other = driver.find_element("css selector", "#source [data-at='train.py:14']")
    assert "sqrt-at-zero" in line.text
    assert line.value_of_css_property("background-color") != other.value_of_css_property("background-color")


def test_curves_are_drawn_with_a_gap_and_a_mark_at_the_first_nan(driver, page):
    look(driver, page)

    assert texts(driver, ".chart figcaption")[0] == "loss"
    assert "NaN from step 13" in texts(driver, ".broken-text")
    assert "NaN from step 12" in texts(driver, ".broken-text")
    path = driver.execute_script("return document.querySelector('.curve').getAttribute('d')")
    assert path.count("M") == 1
    assert path.count("L") == 12
    assert len(texts(driver, ".cell-broken")) > 9


def test_a_click_on_a_heading_sorts_and_another_turns_round(driver, page):
    look(driver, page)
    heading = next(h for h in driver.find_elements("css selector", ".operations th button") if h.text == "rms")
    column = "return [...document.querySelectorAll('.operations tbody tr')].map(row => row.cells[10].textContent)"

    heading.click()
    up = [float(value) for value in driver.execute_script(column) if value != "–"]
    assert up == sorted(up)
    assert (
        driver.execute_script("return document.querySelector('th[aria-sort]').getAttribute('aria-sort')") == "ascending"
    )

    heading.click()
    down = [float(value) for value in driver.execute_script(column) if value != "–"]
    assert down == sorted(down, reverse=True)
    assert down[0] == 3.0


def test_the_table_is_filtered_by_words_and_by_trouble(driver, page):
    look(driver, page)

    driver.find_element("css selector", ".controls input[type=search]").send_keys("sqrt train.py:15")
    rows = texts(driver, ".operations tbody tr")
    assert rows
    assert all("aten.sqrt.default" in row for row in rows)

    driver.find_element("css selector", ".controls input[type=checkbox]").click()
    assert 0 < len(texts(driver, ".operations tbody tr")) < len(rows)


def test_a_keyboard_reads_the_values(driver, page):
    look(driver, page)
    chart = driver.find_element("css selector", ".chart svg")

    driver.execute_script("arguments[0].focus()", chart)
    chart.send_keys(ARROW_LEFT)

    assert texts(driver, ".readout")[0] == "step 38: not finite"


def test_nothing_is_asked_of_the_network_and_nothing_goes_wrong(driver, page):
    driver.get_log("performance")
    driver.get_log("browser")

    look(driver, page)

    assert driver.get_log("browser") == []
    asked = [entry["message"] for entry in driver.get_log("performance") if 'requestWillBeSent"' in entry["message"]]
    assert len(asked) == 1
    assert page.as_uri() in asked[0]


@pytest.mark.parametrize("width", [320, 360, 390, 768])
def test_a_narrow_screen_does_not_scroll_sideways(driver, page, large, width):
    for each in (page, large):
        look(driver, each, width=width)

        assert driver.execute_script("return document.documentElement.scrollWidth") <= width


def test_dark_mode_is_dark(driver, page):
    def brightness(dark: bool) -> int:
        look(driver, page, dark=dark)
        colour = driver.execute_script("return getComputedStyle(document.body).backgroundColor")
        return sum(int(part) for part in colour.removeprefix("rgb(").removesuffix(")").split(","))

    assert brightness(dark=True) < 150 < 600 < brightness(dark=False)


def test_markup_in_names_is_text(driver, tmp_path):
    text = "</script><img src=x onerror=document.title='broken'>"
    nasty = tmp_path / "nasty.html"
    nasty.write_text(to_html(write_nasty(tmp_path / "nasty.wellposed", text)), encoding="utf-8")
    driver.get_log("browser")

    look(driver, nasty)

    assert "broken" not in driver.title.split(" · ")[0]
    assert driver.find_elements("css selector", "img") == []
    assert text in texts(driver, ".operations tbody tr")[0]
    assert driver.get_log("browser") == []
