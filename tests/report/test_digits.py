"""The report of a run in shadow: what it says for what was measured, in text and as JSON."""

from __future__ import annotations

import dataclasses
import json
import math

from wellposed.findings import Location
from wellposed.report.digits import MOST_ROWS, headline, place, render_digits, short
from wellposed.report.digits_json import digits_to_json, digits_to_json_text
from wellposed.shadow.result import (
    Attribution,
    Culprit,
    DigitsReport,
    Flip,
    OperatorDigits,
    OutputDigits,
    Significant,
    StableForm,
)

LINE = "var = (x**2).mean() - x.mean()**2"
SUBTRACTION = OperatorDigits(
    id=3,
    where=Location(file="train.py", line=41, function="variance", operator="aten.sub.Tensor", phase="forward"),
    text=LINE,
    dtype="float32",
    calls=1,
    elements=300,
    rounding=0.0,
    formula=2.3e-3,
    propagated=1.2e-2,
    amplification=5.7e4,
    cancelled_bits=21,
    digits_in=7.0,
    digits=Significant(normwise=0.1, worst=0.0, median=0.2, few=0.9),
    share=0.98,
    moves_output=True,
)
CULPRIT = Culprit(
    SUBTRACTION,
    "catastrophic-cancellation",
    f"`{LINE}`: 21 of 24 bits cancel.",
    (StableForm("subtract the mean first", "f(x)", 7.0),),
)
OUTPUT = OutputDigits("loss", "float32", 0.01, 0.0123456789, -0.002, Significant(0.1, 0.1, 0.1, 1.0))
GUILTY = DigitsReport((OUTPUT,), (SUBTRACTION,), (CULPRIT,), (), "float64", "torch 2.13.0 CPU", 120)
CLEAN = dataclasses.replace(GUILTY, culprits=(), operators=())


def test_the_culprit_its_line_and_the_stable_form_with_its_digits_are_told() -> None:
    told = render_digits(GUILTY, program="train.py")
    assert "1 line loses digits; loss has 0.1 of 7.2 digits left" in told
    assert "train.py:41 in variance" in told
    assert f"41 │ {LINE}" in told
    assert "subtract the mean first (7.0 of 7.2 digits on the same inputs)" in told
    assert "120 operators beside a shadow in float64, torch 2.13.0 CPU" in told


def test_without_a_culprit_nothing_is_accused() -> None:
    told = render_digits(CLEAN)
    assert told.startswith("✓ no formula loses digits that an output needs")
    assert "instead" not in told
    assert headline(dataclasses.replace(CLEAN, executed=0)) == "nothing ran that could be measured"


def test_the_limit_of_the_reference_is_said_where_it_was_reached_and_only_there() -> None:
    limited = dataclasses.replace(SUBTRACTION, limited=True)
    told = render_digits(
        dataclasses.replace(GUILTY, culprits=(Culprit(limited, "catastrophic-cancellation", "limited"),))
    )
    assert "limited by the reference" in told
    assert "limited by the reference" not in render_digits(GUILTY)


def test_a_long_table_is_cut_and_says_so_unless_all_is_wanted() -> None:
    many = dataclasses.replace(GUILTY, operators=(SUBTRACTION,) * (MOST_ROWS + 5))
    assert "and 5 more (--all shows them)" in render_digits(many)
    whole = render_digits(many, every=True)
    assert "more (--all" not in whole
    assert whole.count("7.0 → 0.1") == 1 + MOST_ROWS + 5


def test_parts_that_do_not_add_up_to_the_error_are_pointed_out() -> None:
    def told(residual: float) -> str:
        output = dataclasses.replace(OUTPUT, attribution=Attribution(5e-3, 5e-3 * (1 - residual), residual))
        return render_digits(dataclasses.replace(GUILTY, outputs=(output,)))

    assert "not first-order" in " ".join(told(0.4).split())
    assert "not first-order" not in " ".join(told(0.01).split())


def test_branches_that_went_another_way_and_operators_without_shadow_are_listed() -> None:
    flips = (Flip(Location(file="a.py", line=9), "if a < b:", 1.0, 1e-7),) * 7
    told = render_digits(dataclasses.replace(GUILTY, flips=flips, skipped=(("aten.svd", "no such kernel", 2),)))
    assert "a.py:9" in told
    assert "and 2 more" in told
    assert "no such kernel" in told


def test_hostile_text_is_shown_and_not_obeyed() -> None:
    evil = dataclasses.replace(SUBTRACTION, text="x = 1 \x1b[31m", where=Location(file="\x1b]0;x\x07.py", line=1))
    told = render_digits(
        dataclasses.replace(GUILTY, operators=(evil,), culprits=(Culprit(evil, "unstable-function", "bad \x1b[2J"),))
    )
    assert "\x1b" not in told
    assert "\x07" not in told


def test_lines_fit_the_width() -> None:
    assert max(map(len, render_digits(GUILTY, width=80).splitlines())) <= 80


def test_places_and_operators_are_named_as_people_name_them() -> None:
    assert place(Location(file="a.py", line=3, function="<module>")) == "a.py:3"
    assert place(Location(module="layers.3")) == "layers.3"
    assert place(Location()) == "?"
    assert short("aten.sub.Tensor") == "sub"
    assert short("numpy.sub.subtract") == "subtract"
    assert short(None) == "?"


def test_the_json_holds_every_number_by_its_name() -> None:
    found = json.loads(digits_to_json_text(GUILTY))
    assert found == digits_to_json(GUILTY)
    assert found["schema"] == "wellposed-digits/1"
    assert found["operators"][0]["cancelled_bits"] == 21
    assert found["culprits"][0]["forms"][0]["digits"] == 7.0
    assert found["culprits"][0]["operator"]["where"]["line"] == 41


def test_the_json_writes_numbers_that_are_none_as_strings() -> None:
    odd = dataclasses.replace(SUBTRACTION, formula=math.nan, propagated=math.inf)
    found = json.loads(digits_to_json_text(dataclasses.replace(GUILTY, operators=(odd,))))
    assert found["operators"][0]["formula"] == "nan"
    assert found["operators"][0]["propagated"] == "inf"
