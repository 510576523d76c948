"""The epsilons in the reports: quiet where all are sound, escaped, and complete in page and JSON."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

from tests.records import RecordBuilder, statistics
from wellposed.diagnosis import diagnose
from wellposed.record import Record
from wellposed.report.epsilons import epsilons_of, section
from wellposed.report.html import to_html
from wellposed.report.json_contract import to_json, to_json_text
from wellposed.report.merge import Runs
from wellposed.report.story import make_story
from wellposed.report.terminal import render

EVIL = "<script>alert(1)</script>\x1b[31m"


def _runs(folder: Path, *scales: float, file: str = "train.py", module: str = "", eps: float = 1e-6) -> Runs:
    """A program with a denominator for each scale, guarded by `eps`."""
    with RecordBuilder(folder / "a.wellposed") as record:
        record.step(0, loss=1.0)
        for line, scale in enumerate(scales, 1):
            values = statistics(
                minimum=0.5 * scale, maximum=2 * scale, mean=scale, smallest_nonzero=0.5 * scale, root_mean_square=scale
            )
            where = {"file": file, "line": line, "module": module}
            above = record.operation("aten.relu.default", output=statistics(), **where)
            below = record.operation("aten.abs.default", output=values, **where)
            kept = record.operation("aten.add.Tensor", output=values, inputs=[below], arguments={"other": eps}, **where)
            record.operation("aten.div.Tensor", output=statistics(), inputs=[above, kept], **where)
    # Operands are named as the schema of a division has them.
    with sqlite3.connect(folder / "a.wellposed") as database:
        database.execute("UPDATE operand SET name = 'other' WHERE name = 'in1'")
        database.execute(
            "UPDATE operand SET count = made.count, zero = made.zero, nan = 0, positive_infinity = 0, "
            "negative_infinity = 0, subnormal = 0, minimum = made.minimum, maximum = made.maximum, "
            "smallest_nonzero = made.smallest_nonzero, mean = made.mean, "
            "standard_deviation = made.standard_deviation, root_mean_square = made.root_mean_square "
            "FROM operand AS made WHERE operand.producer = made.operation AND made.is_output = 1"
        )
    database.close()
    record_read = Record(folder / "a.wellposed")
    return [(record_read, diagnose(record_read))]


def _above_the_commands(runs: Runs) -> str:
    """The report without its last lines, which name files."""
    return render(make_story(runs)).split("\n\nwellposed ")[0]


def test_a_program_whose_epsilons_are_sound_gets_one_line(tmp_path: Path) -> None:
    runs = _runs(tmp_path, 1.0, 2.0)
    text = _above_the_commands(runs)
    assert text.count("epsilon") == 1 and "2 epsilons, all sound" in text


def test_what_is_not_sound_is_told_and_no_more_than_five(tmp_path: Path) -> None:
    runs = _runs(tmp_path, 1.0, *[1e-7] * 7)
    text = " ".join(render(make_story(runs)).split())
    assert "8 epsilons, 1 sound" in text
    assert text.count("too large denominator train.py:") == 5 and "and 2 more, in the page" in text
    page = to_html(runs)
    assert page.count('<th scope="row">too large</th>') == 7 and page.count('<th scope="row">sound</th>') == 1


def test_without_epsilons_nothing_is_said(tmp_path: Path) -> None:
    runs = _runs(tmp_path)
    assert "epsilon" not in _above_the_commands(runs)
    assert "Epsilons" not in to_html(runs)
    assert to_json(runs)["epsilons"] == []


def test_the_verdict_of_a_run_is_not_touched(tmp_path: Path) -> None:
    """`oversized-epsilon` has its own, higher, threshold."""
    runs = _runs(tmp_path, 4e-6)
    assert to_json(runs)["verdict"] == "healthy"
    assert [each["verdict"] for each in to_json(runs)["epsilons"]] == ["too large"]


def test_hostile_names_are_escaped(tmp_path: Path) -> None:
    runs = _runs(tmp_path, 1e-7, file=f"{EVIL}.py", module=EVIL)
    page = to_html(runs)
    assert "&lt;script&gt;alert(1)" in page and "<script>alert(1)" not in page
    text = render(make_story(runs))
    assert "too large" in text and "\x1b" not in text + page


@pytest.mark.parametrize("epsilon", [float("nan"), float("inf"), -1e-6, 5e-324, 0.0])
def test_strange_epsilons_are_no_trouble(tmp_path: Path, epsilon: float) -> None:
    runs = _runs(tmp_path, 1.0, 1e-300, 0.0, eps=epsilon)
    json.loads(to_json_text(runs))
    to_html(runs)
    render(make_story(runs))


def test_the_json_has_every_field_and_is_strict(tmp_path: Path) -> None:
    runs = _runs(tmp_path, 1e-7)
    (found,) = json.loads(to_json_text(runs), parse_constant=lambda name: pytest.fail(name))["epsilons"]
    assert found["where"]["file"] == "train.py" and found["where"]["line"] == 1
    assert (found["use"], found["value"], found["clamps"], found["dtype"]) == ("quotient", 1e-6, False, "float32")
    assert (found["forward"], found["backward"]) == (pytest.approx(1e6), pytest.approx(1e12))
    # ε / (v + ε) = 10 / 11
    assert found["bias"] == pytest.approx(10 / 11, rel=1e-6)
    assert found["dominated"] == 1.0 and found["absorbed"] == 0.0
    assert set(found["recommended"]) == {"low", "high", "reason"}


def test_layers_of_one_line_are_one_row(tmp_path: Path) -> None:
    record = _runs(tmp_path, 1.0, 1.0)[0][0]
    found = epsilons_of(record)
    told = section([*found, found[0]])
    assert told is not None and told.total == 3
    assert sorted(row.times for row in told.rows) == [1, 2]
