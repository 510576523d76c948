"""The page of two runs as a reader sees it, in headless Chromium with no network."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.report.comparing import SOURCE, every_format, write_run
from tests.report.test_html_browser import driver as driver
from tests.report.test_html_browser import pytestmark as pytestmark


@pytest.fixture(scope="module")
def page(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("page")
    a = write_run(folder / "works.wellposed")
    losses = [2.0, 40.0, 800.0, float("nan"), float("nan"), float("nan")]
    edited = SOURCE.replace("lr=0.1", "lr=0.3, " + "a_long_word_without_a_break" * 6)
    b = write_run(
        folder / f"{'fails' * 20}.wellposed", lr=0.3, rms=1.5, extra=True, losses=losses, source=edited,
        root="AnExtraordinarilyLongNameOfAClassThatNobodyWouldEverWriteDown",
    )  # fmt: skip
    (folder / "both.html").write_text(every_format(a, b)[1], encoding="utf-8")
    return folder / "both.html"


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (390, True), (320, False)])
def test_the_page_fits_and_is_drawn(driver, page, width, dark):
    scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": scheme})
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    driver.get_log("browser")
    driver.get(page.as_uri())

    assert driver.execute_script("return document.documentElement.scrollWidth") <= width
    paths = driver.execute_script(
        "return [...document.querySelectorAll('.pair path')].map(p => [p.getBoundingClientRect().width,"
        " getComputedStyle(p).stroke])"
    )
    assert len(paths) == 4
    assert all(drawn > 0 for drawn, _ in paths)
    assert len({colour for _, colour in paths}) == 2
    background = driver.execute_script("return getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, re.findall(r"\d+", background)[:3])) < 200) == dark
    assert driver.get_log("browser") == []
