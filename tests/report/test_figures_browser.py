"""The figures of the page as a reader sees and reads them, in headless Chromium."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.report.browser import ARROW_DOWN, ARROW_LEFT, browse, look, needs_browser, texts
from tests.report.conftest import BROKEN_AT, broken_diagnosis, write_broken
from tests.report.large import LARGE_LAST, LARGE_LAYERS, write_large
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


@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("dark", [False, True])
def test_every_figure_is_drawn_within_its_place(driver, large, width, dark):
    driver.get_log("browser")
    look(driver, large, width=width, dark=dark)

    titles = driver.execute_script(
        "return [...document.querySelectorAll('figure.chart figcaption')].map(each => each.firstChild.textContent)"
    )
    assert titles[-7:] == [
        "gradient rms per weight matrix",
        "output rms per module",
        "update over weights per weight matrix",
        "output of each layer, in order of execution",
        "gradient of each weight, in the same order",
        "exponents of the gradients' elements",
        f"exponents per parameter, step {LARGE_LAST}",
    ]
    outside = driver.execute_script("""
        return [...document.querySelectorAll('figure.chart svg')].flatMap(svg => {
          const room = svg.getBoundingClientRect();
          return [...svg.querySelectorAll('text, rect, circle')].filter(each => {
            const box = each.getBoundingClientRect();
            const beyond = box.left < room.left - 12 || box.right > room.right + 12 || box.bottom > room.bottom + 2;
            return box.width && beyond;
          }).map(each => each.outerHTML);
        });
    """)
    assert outside == []
    assert driver.get_log("browser") == []


def test_depth_has_both_steps_a_line_for_the_factor_and_other_quantities(driver, large):
    look(driver, large)

    assert len(texts(driver, "#depths .point.first")) == 2 * LARGE_LAYERS
    assert len(texts(driver, "#depths .point.late")) == 2 * LARGE_LAYERS
    paths = "[...document.querySelectorAll('#depths .fit')].map(each => each.getAttribute('d'))"
    lines = driver.execute_script(f"return {paths}")
    assert [line.count("L") for line in lines] == [LARGE_LAYERS - 1] * 4
    assert "multiplies the rms by 0.8" in texts(driver, "#depths .reading")[0]

    driver.execute_script("""
        const choice = document.querySelector('#depths select');
        choice.value = 'deviation';
        choice.dispatchEvent(new Event('change'));
    """)
    assert len(texts(driver, "#depths .fit")) == 2  # a factor is fitted to the rms alone


@pytest.mark.parametrize(
    ("figure", "key", "says"),
    [
        ("#charts > .chart", ARROW_DOWN, "layers.1.attention.c_proj.weight, step 975: 5.24e-12"),
        ("#depths .chart", ARROW_DOWN, "layers.1.attention.c_proj; step 0: rms 0.8, mean 0, std 0.8; step 975:"),
        ("#spreads .chart", ARROW_LEFT, "2⁻¹⁵ to 2⁻¹⁴ (subnormal in float16); step 0: "),
        ("#spreads .chart:last-child", ARROW_DOWN, "layers.1.attention.c_proj.weight: "),
    ],
)
def test_a_keyboard_reads_every_figure(driver, large, figure, key, says):
    look(driver, large)
    svg = driver.find_element("css selector", f"{figure} svg")

    driver.execute_script("arguments[0].focus()", svg)
    svg.send_keys(key)

    assert says in driver.find_element("css selector", f"{figure} .readout").text
    shown = "return arguments[0].querySelector('.tip').getAttribute('visibility')"
    assert driver.execute_script(shown, svg) == "visible"


def test_updates_outside_the_band_are_marked_beside_their_colour(driver, large):
    look(driver, large)

    for kind in ("below", "within", "above"):
        assert len(texts(driver, f".cell.{kind}")) > 1  # in the map, and in its legend
    marks = set(texts(driver, "#charts .in-cell"))
    assert {"▾", "▴"} <= marks


def test_zero_and_not_finite_have_signs_of_their_own(driver, page):
    look(driver, page)

    assert "×" in texts(driver, ".in-cell")
    legend = texts(driver, "#charts > .chart text")
    assert "not finite" in legend
    assert len(texts(driver, "#depths .point.late")) > 0  # the late step lies before the first NaN
    assert f"◆ step {BROKEN_AT - 1}" in texts(driver, "#depths .key.late")


def test_the_chain_is_drawn_in_order_with_its_arrows(driver, page):
    for width in (360, 1280):
        look(driver, page, width=width)

        boxes = driver.execute_script("""
            return [...document.querySelectorAll('.unfolding .box')].map(each => {
              const box = each.getBoundingClientRect();
              return [box.top, box.left, box.right];
            });
        """)
        assert len(boxes) == 4
        assert boxes == sorted(boxes)
        assert len({left for _, left, _ in boxes}) == 1  # each follows from the one before: straight down
        assert max(right for *_, right in boxes) <= width
        assert len(texts(driver, ".arrows line")) == 3


def test_without_a_script_the_story_and_the_readings_stay(driver, large):
    driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        driver.get(large.as_uri())
        told = driver.execute_cdp_cmd("Page.captureSnapshot", {"format": "mhtml"})["data"]
        seen = driver.find_element("css selector", "main").text
    finally:
        driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})

    assert told
    assert "multiplies the rms by 0.8" in seen
    assert "The gradients of all 9 parameters are NaN." in seen
