"""Names and messages are somebody else's text: they are shown, never obeyed."""

from __future__ import annotations

import html
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.records import RecordBuilder, statistics
from tests.report.large import write_large
from wellposed.diagnosis import Diagnosis
from wellposed.findings import Evidence, Finding, Fix, Location, Series
from wellposed.record import Record
from wellposed.report import make_story, to_json_text
from wellposed.report.html import to_html
from wellposed.report.terminal import render

NASTY = (
    "<script>alert(1)</script>",
    "</script><img src=x onerror=alert(1)>",
    "<!--<script>",
    "[red]alarm[/red]",
    "[/]",
    ":bomb:",
    "\x1b[31mred\x1b]0;title\x07",
    "\x9b31m",
    "a\r\nb",
    "\u2028line\u2029paragraph",
    "\u202egnihtyna",
    "{{ 7 * 7 }}{% raw %}",
    '" onmouseover="alert(1)',
    "'; alert(1); '",
    "&lt;b&gt;",
    "\ud800",
)


def write_nasty(path: Path, text: str) -> list[tuple[Record, Diagnosis]]:
    stored = text.encode("utf-8", "backslashreplace").decode()
    with RecordBuilder(path, argv=[stored, stored], error=stored, exit_code=1) as record:
        record.source(stored, f"first\n{stored}\nlast\n")
        record.step(0, loss=1.0)
        record.operation(stored, file=stored, line=2, module=stored, dtype=stored, output=statistics())
        for n in range(4):
            record.operation("aten.mm.default", module=f"{stored}{n}", output=statistics())
            parameter = record.parameter(f"{stored}{n}")
            record.gradient(0, parameter, statistics())
            record.writer.add("exponents", [(0, parameter, -3, "[1]", 1)])
    finding = Finding(
        rule="a-rule", code="N999", cause="bad-data", severity="error",
        where=Location(text, 2, text, text, text, "forward", text), message=text, step=0, id=1, operations=(1,),
        confidence="likely", settled_by=text,
        evidence=(Evidence(text, text, text), Evidence(text, 1.0, text, 2.0)),
        fixes=(Fix(text, text), Fix(text, f"x = {text!r}")),
        series=(Series(text, (text, "b"), (1.0, 2.0), text),),
    )  # fmt: skip
    followed = [
        Finding(text, text, "bad-data", "error", finding.where, text * n, n, "consequence", id=n, caused_by=(n - 1,))
        for n in (2, 3)
    ]
    again = Finding("b-rule", "N998", "bad-data", "note", finding.where, text, role="advice", id=4, settled_by=text)
    return [(Record(path), Diagnosis((finding, *followed, again)))]


class Elements(HTMLParser):
    """Collects the elements and attributes that a page really has."""

    def __init__(self, page: str):
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.attributes: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attrs}


@pytest.mark.parametrize("text", NASTY)
def test_the_page_holds_only_our_own_elements(tmp_path, text):
    page = to_html(write_nasty(tmp_path / "nasty.wellposed", text))
    elements = Elements(page)

    assert elements.tags.count("script") == 2
    assert "img" not in elements.tags
    assert not {name for name in elements.attributes if name.startswith("on")}
    assert page.count("</script>") == 2


@pytest.mark.parametrize("text", NASTY)
def test_the_island_is_json_that_holds_the_names(tmp_path, text):
    page = to_html(write_nasty(tmp_path / "nasty.wellposed", text))
    island = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL).group(1)

    assert not set(island) & set("<>&'\u2028\u2029")
    assert json.loads(island)[0]["operations"]["words"]


@pytest.mark.parametrize("text", NASTY)
def test_no_control_character_reaches_page_or_terminal(tmp_path, text):
    runs = write_nasty(tmp_path / "nasty.wellposed", text)

    for shown in (to_html(runs), render(make_story(runs)), render(make_story(runs), width=40)):
        assert [c for c in shown if not c.isprintable() and c != "\n"] == []


def test_rich_markup_is_shown_as_written(tmp_path):
    text = render(make_story(write_nasty(tmp_path / "nasty.wellposed", "[red]alarm[/red]")))

    assert text.splitlines()[0] == "✗ bad-data at [red]alarm[/red]:2 in [red]alarm[/red], step 0"


def test_html_is_shown_as_written(tmp_path):
    page = to_html(write_nasty(tmp_path / "nasty.wellposed", "<b>&amp;"))

    assert html.escape("<b>&amp;") in page


@pytest.mark.parametrize("text", NASTY)
def test_json_carries_the_text_unchanged(tmp_path, text):
    told = json.loads(to_json_text(write_nasty(tmp_path / "nasty.wellposed", text)))

    assert told["findings"][0]["message"] == text
    assert told["findings"][0]["where"]["file"] == text


def test_the_page_asks_nothing_of_the_network(broken):
    page = to_html(broken)

    assert not re.search(r"""(?:src|href)\s*=\s*["']?\s*(?:https?:)?//""", page)
    assert not re.search(r"@import|url\(", page)
    # The one address in it is SVG's name space, which nobody fetches.
    assert set(re.findall(r"https?://[^\s\"'<]+", page)) <= {"http://www.w3.org/2000/svg"}
    assert "default-src 'none'" in html.unescape(page)


def test_an_ordinary_page_is_small(broken):
    assert len(to_html(broken).encode()) < 100_000


def test_the_page_of_a_large_network_and_a_long_run_is_small(tmp_path):
    with Record(write_large(tmp_path / "large.wellposed")) as record:
        assert len(to_html([(record, Diagnosis(()))]).encode()) < 300_000
