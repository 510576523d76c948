"""Amplification, bias and ranges against closed forms in 50 digits."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

mpmath = pytest.importorskip("mpmath")

from wellposed.advice.distribution import distribution_of_values  # noqa: E402
from wellposed.advice.effects import (  # noqa: E402
    backward_amplification,
    bias,
    forward_amplification,
    held_at,
    recommended,
)
from wellposed.advice.epsilon import Use  # noqa: E402
from wellposed.rules.numerics.limits import FORMATS, rounded  # noqa: E402

mpmath.mp.dps = 50

_RESULTS = {
    "quotient": lambda v: 1 / v,
    "update": lambda v: 1 / v,
    "root quotient": lambda v: 1 / mpmath.sqrt(v),
    "root": mpmath.sqrt,
    "logarithm": mpmath.log,
}
_magnitudes = st.floats(1e-30, 1e10)


@pytest.mark.parametrize("use", _RESULTS)
@given(epsilon=_magnitudes, quantity=_magnitudes, clamps=st.booleans())
def test_the_bias_is_the_change_of_the_result(use: Use, epsilon: float, quantity: float, clamps: bool) -> None:
    v, e = mpmath.mpf(quantity), mpmath.mpf(epsilon)
    plain, guarded = _RESULTS[use](v), _RESULTS[use](max(v, e) if clamps else v + e)
    change = abs(guarded - plain)
    # A quotient and its inverse differ by the same factor; the bias is that of the smaller of the two.
    expected = change if use == "logarithm" else change / max(abs(plain), abs(guarded))
    found = bias(use, epsilon, quantity, clamps=clamps)
    assert found is not None
    assert found == pytest.approx(float(expected), rel=1e-12)


@pytest.mark.parametrize(
    ("use", "epsilon", "forward", "backward"),
    [
        ("root quotient", "1e-5", "mpf(10)**2.5", "mpf(10)**7.5"),
        ("root quotient", "1e-12", "mpf(10)**6", "mpf(10)**18"),
        ("quotient", "1e-8", "mpf(10)**8", "mpf(10)**16"),
        ("logarithm", "1e-7", "log(mpf(10)**7)", "mpf(10)**7"),
        ("root", "1e-12", None, "mpf(10)**6/2"),
        ("update", "1e-8", "mpf(10)**8", None),
    ],
)
def test_amplification_in_closed_form(use: Use, epsilon: str, forward: str | None, backward: str | None) -> None:
    for found, expected in (
        (forward_amplification(use, float(epsilon)), forward),
        (backward_amplification(use, float(epsilon)), backward),
    ):
        if expected is None:
            assert found is None
        else:
            exact = eval(expected, {"mpf": mpmath.mpf, "log": mpmath.log})
            assert found == pytest.approx(float(exact), rel=1e-12)


@pytest.mark.parametrize("use", ["quotient", "root quotient", "root", "logarithm"])
@given(held=st.floats(1e-6, 1e3))
def test_the_derivative_is_bounded_by_the_backward_amplification(use: Use, held: float) -> None:
    exact = abs(mpmath.diff(_RESULTS[use], mpmath.mpf(held)))
    found = backward_amplification(use, held)
    assert found is not None and found * (1 + 1e-12) >= exact
    # No more than the factor two that PyTorch multiplies by afterwards.
    assert found <= 2 * exact * (1 + 1e-9)


def test_nothing_is_amplified_without_end_where_nothing_is_held() -> None:
    assert forward_amplification("quotient", 0.0) == math.inf
    assert backward_amplification("root quotient", 1e-300) == math.inf
    assert forward_amplification("root quotient", 5e-324) == pytest.approx(4.4989137945431964e161)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
@pytest.mark.parametrize("use", ["quotient", "root quotient", "logarithm", "root"])
def test_the_low_end_of_the_range_is_where_the_dtype_begins_to_hold_the_amplification(use: Use, dtype: str) -> None:
    found = recommended(use, None, dtype=dtype, forward_dtype=dtype, backward_dtype=dtype, literal_power=True)
    assert found.low is not None and found.high is None
    assert rounded(found.low * 1.01, dtype) >= FORMATS[dtype].smallest_normal
    factor = {"quotient": -1.0, "root quotient": -1.5, "logarithm": -1.0, "root": -0.5}[use]
    low = mpmath.mpf(found.low)
    assert (low * 1.01) ** factor <= FORMATS[dtype].largest
    bound_by_dtype = found.low == FORMATS[dtype].smallest_normal
    assert bound_by_dtype or (low * 0.99) ** factor > FORMATS[dtype].largest


@pytest.mark.parametrize("use", ["quotient", "root quotient", "update"])
def test_the_high_end_of_the_range_changes_the_result_by_one_percent(use: Use) -> None:
    spread = distribution_of_values([0.25] * 9, 9, 0, negative=False)
    found = recommended(use, spread, dtype="float32", forward_dtype="float32", backward_dtype="float32")
    assert found.high is not None
    assert bias(use, found.high, 0.25, clamps=False) == pytest.approx(0.01, rel=0.02)


def test_zeros_raise_the_low_end() -> None:
    """u² of what is ordinary, inside a root: its zeros are amplified 1/u times as much at most."""
    with_zeros = distribution_of_values([0.0, 1.0, 1.0], 3, 1, negative=False)
    found = recommended("root quotient", with_zeros, dtype="float32", forward_dtype="float32", backward_dtype="float32")
    assert found.low == pytest.approx(2.0**-48)


def test_no_range_is_told_where_none_serves() -> None:
    spread = distribution_of_values([1e-4] * 3, 3, 0, negative=False)
    found = recommended(
        "root quotient", spread, dtype="float16", forward_dtype="float16", backward_dtype="float16", literal_power=True
    )
    assert (found.low, found.high) == (None, None)
    assert "use float32" in found.reason


@given(quantity=st.floats(0, 1e5), epsilon=st.floats(0, 1e5))
def test_a_clamp_holds_the_larger_and_a_sum_both(quantity: float, epsilon: float) -> None:
    assert held_at(quantity, epsilon, clamps=True) == max(quantity, epsilon)
    assert held_at(quantity, epsilon, clamps=False) == quantity + epsilon
