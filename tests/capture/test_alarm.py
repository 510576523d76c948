"""When a loss or a gradient norm is suspicious against its own history."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wellposed.capture.alarm import JUMP, WARM_UP, Alarm


def _warm(value: float = 1.0, count: int = WARM_UP) -> Alarm:
    alarm = Alarm()
    for _ in range(count):
        assert not alarm.suspicious(value)
    return alarm


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_suspicious_from_the_first_value_on(value):
    assert Alarm().suspicious(value)
    assert _warm().suspicious(value)


@given(st.floats(1e-30, 1e30), st.floats(1.05, 1e4))
def test_a_jump_is_suspicious_and_what_stays_below_is_not(level, beyond):
    assert _warm(level).suspicious(level * JUMP * beyond)
    assert not _warm(level).suspicious(level * JUMP / beyond)


def test_a_signal_without_a_history_may_jump():
    assert not _warm(1.0, WARM_UP - 1).suspicious(1e6)


@given(st.lists(st.floats(0.5, 2.0), min_size=1, max_size=200))
def test_a_signal_that_only_wavers_is_never_suspicious(values):
    alarm = Alarm()
    assert not any(alarm.suspicious(value) for value in values)


def test_slow_growth_over_many_orders_of_magnitude_is_not_suspicious():
    alarm = Alarm()
    assert not any(alarm.suspicious(1.1**step) for step in range(500))


@given(st.floats(1e-6, 1e6), st.floats(1e-6, 1e6), st.lists(st.floats(-100.0, 0.0), max_size=30))
def test_values_that_are_not_positive_leave_the_history_alone(level, next_value, between):
    plain, interrupted = _warm(level), _warm(level)
    assert not any(interrupted.suspicious(value) for value in between)
    assert plain.suspicious(next_value) == interrupted.suspicious(next_value)


def test_a_new_level_becomes_the_history():
    alarm = _warm(1.0)
    assert alarm.suspicious(100.0)
    flags = [alarm.suspicious(100.0) for _ in range(40)]
    assert not any(flags[20:])


def test_what_is_not_finite_does_not_spoil_the_history():
    alarm = _warm(1.0)
    alarm.suspicious(math.nan)
    assert not alarm.suspicious(1.0)
    assert alarm.suspicious(JUMP * 2)
