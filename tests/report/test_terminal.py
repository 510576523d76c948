"""What a reader sees on a terminal."""

from __future__ import annotations

import io

from tests.records import RecordBuilder
from tests.report.conftest import write_healthy
from wellposed.diagnosis import Diagnosis
from wellposed.findings import Series
from wellposed.record import Record
from wellposed.report import make_story
from wellposed.report.bars import picture
from wellposed.report.terminal import print_report, render


def shown(runs, **options):
    return render(make_story(runs), **options)


def test_the_verdict_is_the_first_line(broken):
    assert shown(broken).splitlines()[0] == "✗ unstable-function at train.py:15 in forward, step 12"


def test_a_root_is_told_with_its_line_numbers_consequences_and_fix(broken):
    text = shown(broken)

    assert "▶    15 │ return squared.sqrt()" in text
    assert "14 │ squared = difference.pow(2).sum(dim=-1)" in text
    assert "smallest input of sqrt    0         limit 1e-12" in text
    assert text.index("The gradients of all 9") < text.index("The update writes NaN") < text.index("The loss is NaN")
    assert "return (squared + 1e-12).sqrt()" in text
    assert "proved by a re-run" in text
    assert "layers.0.weight ██ " in text
    assert "epsilon-vanishes train.py:21" in text


def test_the_last_lines_are_commands_to_copy(broken):
    path = broken[0][0].path

    lines = shown(broken).splitlines()

    assert any(line.startswith(f"wellposed report --format html {path}") for line in lines[-4:])
    assert any(line.startswith("wellposed explain sqrt-at-zero") for line in lines[-4:])


def test_a_healthy_run_says_so_and_what_was_checked(healthy):
    lines = shown(healthy).splitlines()

    assert lines[0] == "✓ healthy: nothing wrong in 3 steps"
    assert "3 steps, 48,211 operators watched; 9.1 s, 0.8 s of it recording" in lines[1]
    assert len([line for line in lines if line]) <= 3


def test_a_killed_program_is_told_from_what_was_recorded(tmp_path):
    path = write_healthy(tmp_path / "killed.wellposed", exit_code=None, operations=0, wall_seconds=None)

    text = shown([(Record(path), Diagnosis(()))])

    assert "1 operator watched" in text
    assert "still running, or was" in text


def test_an_empty_record_is_not_called_healthy(tmp_path):
    with RecordBuilder(tmp_path / "empty.wellposed", operations=0):
        pass

    assert "nothing to judge" in shown([(Record(tmp_path / "empty.wellposed"), Diagnosis(()))]).splitlines()[0]


def test_it_fits_eighty_columns(broken):
    text = shown(broken, width=80)
    told = text[: text.index("wellposed report")]

    assert max(map(len, told.splitlines())) <= 80


def test_narrow_terminals_are_served(broken):
    assert "sqrt-at-zero" in shown(broken, width=30)


def test_colour_only_where_it_is_wanted(broken):
    assert "\x1b[" not in shown(broken)
    assert "\x1b[" in shown(broken, colour=True)


def test_a_pipe_gets_plain_text(broken):
    stream = io.StringIO()
    print_report(broken, stream)
    assert "\x1b" not in stream.getvalue()


def test_an_ascii_terminal_gets_ascii(broken):
    buffer = io.BytesIO()
    stream = io.TextIOWrapper(buffer, encoding="ascii", write_through=True)
    print_report(broken, stream)

    text = buffer.getvalue().decode("ascii")
    assert text.startswith("x unstable-function")
    assert "##" in text


def test_ranks_are_named(ranks):
    assert shown(ranks).splitlines()[0].endswith("step 12, ranks 0, 1")


def test_bars_are_thinned_but_keep_the_extremes_and_the_strange():
    values = [1.0] * 100
    values[37], values[61], values[83] = 1e-9, 1e9, float("nan")
    drawn = picture(Series("rms", tuple(map(str, range(100))), tuple(values), logarithmic=True), 12)

    labels = {bar.label for bar in drawn.bars}
    assert {"0", "99", "37", "61", "83"} <= labels
    assert len(drawn.bars) == 12
    assert "12 of 100 shown" in drawn.note
    assert all(0 <= bar.fraction <= 1 for bar in drawn.bars)
    assert [bar.label for bar in drawn.bars if bar.strange] == ["83"]


def test_layers_that_agree_have_bars_that_agree():
    drawn = picture(Series("rms", ("a", "b"), (1.0, 1.3), logarithmic=True), 12)

    assert abs(drawn.bars[0].fraction - drawn.bars[1].fraction) < 0.1


def test_bars_of_nothing_do_no_harm():
    for values in [(0.0, 0.0), (float("nan"),), (-1.0, 2.0)]:
        for logarithmic in (False, True):
            drawn = picture(Series("x", tuple("abc"[: len(values)]), values, logarithmic=logarithmic), 5)
            assert all(0 <= bar.fraction <= 1 for bar in drawn.bars)
