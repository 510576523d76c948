"""The gradients' powers of two beside what float16 can hold."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.records import RecordBuilder
from wellposed.record import Record
from wellposed.report.exponents import exponent_figures, in_float16, total
from wellposed.report.text import percent


def recorded(path, rows, steps=(0, 9), names=("a.weight", "b.weight"), **values):
    """Rows of (step, position of the parameter, lowest exponent, counts, zeros)."""
    with RecordBuilder(path) as record:
        parameters = [record.parameter(name) for name in names]
        for each in steps:
            record.step(each, **values)
        stored = [(step, parameters[p], low, str(list(counts)), zero) for step, p, low, counts, zero in rows]
        record.writer.add("exponents", stored)
    return Record(path)


def test_counts_are_summed_over_parameters_at_the_first_and_the_last_step(tmp_path):
    rows = [(0, 0, -3, [1, 2], 0), (0, 1, -2, [4], 1), (4, 0, 0, [8], 0), (9, 0, -30, [3], 1), (9, 1, -15, [4], 0)]
    found = exponent_figures(recorded(tmp_path / "a.wellposed", rows))

    first, last = found["histograms"]
    assert (first["step"], first["lowest"], first["shares"], first["zero"]) == (0, -3, [0.125, 0.75], 0.125)
    assert (last["step"], last["lowest"]) == (9, -30)
    assert found["readings"] == [
        "Step 0: of 7 elements that are not zero, all are within float16's normal range. 12 % are exactly zero.",
        "Step 9: of 7 elements that are not zero, float16 would make 43 % zero (below 2⁻²⁵) and 57 % subnormal "
        "(below 2⁻¹⁴). 12 % are exactly zero.",
    ]


def test_the_limits_of_float16_are_exact():
    counts = Counter({-26: 1, -25: 1, -15: 1, -14: 1, 15: 1, 16: 1})
    shares = in_float16(counts)

    # 2**-26 and below round to zero, 2**-25 up to the smallest subnormal; 2**-14 is normal; 2**16 is too large.
    assert (shares.zero, shares.subnormal, shares.too_large) == pytest.approx((1 / 6, 2 / 6, 1 / 6))
    assert in_float16(Counter()).zero == 0


def test_a_loss_scale_moves_the_gradients_up(tmp_path):
    record = recorded(tmp_path / "a.wellposed", [(0, 0, -30, [10], 0)], steps=(0,), scale=65536.0)

    assert exponent_figures(record)["readings"][1] == (
        "With this step's loss scale of 65,536: all are within float16's normal range."
    )


def test_the_map_has_the_share_of_each_parameter_in_each_power_of_two(tmp_path):
    rows = [(0, 0, -3, [1, 3], 0), (0, 1, -1, [1], 1)]
    found = exponent_figures(recorded(tmp_path / "a.wellposed", rows))["map"]

    assert (found["rows"], found["lowest"]) == (["a.weight", "b.weight"], -3)
    assert found["cells"] == [[0.25, 0.75, 0], [0, 0, 0.5]]
    assert found["zero"] == [0, 0.5]


def test_steps_with_broken_gradients_are_left_out(tmp_path):
    with RecordBuilder(tmp_path / "a.wellposed") as record:
        weight = record.parameter("a.weight")
        for step in (0, 5, 9):
            record.step(step, gradient_nonfinite=int(step == 9))
        record.writer.add("exponents", [(step, weight, -3, "[5]", 0) for step in (0, 5, 9)])

    found = exponent_figures(Record(tmp_path / "a.wellposed"))

    assert [each["step"] for each in found["histograms"]] == [0, 5]
    assert found["map"] is None  # one parameter needs none


def test_gradients_of_zeros_alone_are_told(tmp_path):
    found = exponent_figures(recorded(tmp_path / "a.wellposed", [(0, 0, 0, [], 7), (0, 1, 0, [], 7)]))

    assert found["readings"] == ["Step 0: all 14 elements looked at are exactly zero."]
    assert (found["histograms"][0]["shares"], found["map"]) == ([], None)


def test_no_exponents_no_figure(tmp_path):
    assert exponent_figures(recorded(tmp_path / "a.wellposed", [])) is None
    assert exponent_figures(recorded(tmp_path / "b.wellposed", [(0, 0, 0, [], 0)])) is None


def test_counts_and_exponents_that_no_tensor_has_do_no_harm(tmp_path):
    rows = [(0, 0, 2**62, [1], -5), (0, 1, -160, [10**300] * 3000, 2**62)]
    found = exponent_figures(recorded(tmp_path / "a.wellposed", rows))

    assert len(found["histograms"][0]["shares"]) == 321
    assert len(found["map"]["cells"][0]) == 321
    assert total([])[1] == 0


def test_shares_are_written_as_people_read_them():
    shares = [0.0, 1e-9, 0.032, 0.474, 0.996, 1 - 1e-9, 1.0]
    assert [percent(each) for each in shares] == ["0 %", "< 0.1 %", "3.2 %", "47 %", "99.6 %", "> 99.9 %", "100 %"]
