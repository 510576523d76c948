"""How certain a finding is and what followed from it, as both reports tell them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.report.conftest import broken_diagnosis, write_broken
from wellposed.diagnosis import Diagnosis
from wellposed.findings import Finding, Location
from wellposed.record import Record
from wellposed.report import make_story
from wellposed.report.html import to_html
from wellposed.report.terminal import render
from wellposed.report.text import gist

SETTLED = "The same run with `xavier_normal_` in place of this line: the loss falls."


@pytest.fixture
def record(tmp_path):
    with Record(write_broken(tmp_path / "train.wellposed")) as opened:
        yield opened


def long_chain() -> Diagnosis:
    """A large initialisation, and what comes of it."""

    def finding(number, rule, message, step, line, **others):
        role = "consequence" if number > 1 else "root"
        where = Location("train.py", line, "forward")
        return Finding(rule, f"N30{number}", "bad-init", "error", where, message, step, role, id=number, **others)

    return Diagnosis(
        (
            finding(
                1,
                "large-weights",
                "The weights start 20 times too large.",
                0,
                10,
                confidence="likely",
                settled_by=SETTLED,
            ),
            finding(2, "saturated", "97 % of the outputs of `tanh` are saturated.", 0, 13, caused_by=(1,)),
            finding(3, "vanishing", "The gradient falls to 1e-9 in the first layer.", 0, 13, caused_by=(2,)),
            finding(4, "flat-loss", "The loss stays flat.", 30, 27, caused_by=(3,), confidence="possible"),
        )
    )


def test_doubt_is_told_with_what_would_settle_it(record):
    runs = [(record, long_chain())]
    text, page = render(make_story(runs)), to_html(runs)

    assert "error · likely · step 0" in text
    assert "Likely, not certain. What would settle it: The same run with" in text
    assert "<b>Likely, not certain.</b> What would settle it: The same run with <code>xavier_normal_</code>" in page
    assert "possible" in text[text.index("The loss stays flat") :]


def test_what_is_certain_needs_no_word(broken):
    text, page = render(make_story(broken)), to_html(broken)

    assert "not certain" not in text
    assert "not certain" not in page
    assert "badge doubtful" not in page[page.index("<body") :]


def test_what_would_settle_a_certain_finding_is_not_told(record):
    root = replace(broken_diagnosis().roots[0], settled_by="Something.")

    assert "Something." not in render(make_story([(record, Diagnosis((root,)))]))


def test_the_terminal_tells_a_chain_in_one_line_and_then_in_order(record):
    text = render(make_story([(record, long_chain())]), width=100)

    assert "large-weights (step 0) → saturated → vanishing → flat-loss (step 30)" in text
    assert text.index("97 % of") < text.index("The gradient falls") < text.index("The loss stays flat")


def test_the_page_draws_the_chain_without_a_script(record):
    page = to_html([(record, long_chain())])
    chain = page[page.index('<ol class="unfolding">') : page.index("</ol>", page.index('<ol class="unfolding">'))]

    assert chain.count('<div class="box">') == 4
    assert chain.count('y2="20"') == 3  # an arrow straight down to each
    assert "97 % of the outputs of <code>tanh</code> are saturated." in chain
    assert "train.py:13 in forward" in chain
    assert chain.index("step 0") < chain.index("step 30")


def test_many_consequences_are_all_in_the_page(record):
    root = broken_diagnosis().roots[0]
    others = [
        replace(broken_diagnosis().findings[1], id=n, message=f"Consequence {n} of many.", caused_by=(1,))
        for n in range(2, 32)
    ]
    page = to_html([(record, Diagnosis((root, *others)))])

    assert page.count('<div class="box">') == 12
    assert "<summary>19 more</summary>" in page
    assert all(f"Consequence {n} of many." in page for n in range(2, 32))


def test_a_message_is_shortened_where_a_clause_ends():
    assert gist("Short.", 20) == "Short."
    assert gist("The layer's output is large: it has an rms of 19.8 here", 40) == "The layer's output is large …"
    assert gist("word " * 20, 22) == "word word word word …"
    assert gist("x" * 50, 20) == "x" * 20 + " …"
    assert gist("call `torch.nn.init.xavier_normal_(weight)` first", 30).count("`") % 2 == 0
