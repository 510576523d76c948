"""What is told of a quantity's distribution, against the values themselves."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.records import statistics
from wellposed.advice.distribution import (
    Distribution,
    distribution_of_values,
    merged,
    recorded_distribution,
    recovered_variances,
)

_values = st.lists(st.floats(0, 1e6), min_size=1, max_size=60)


def _of(values: list[float]) -> Distribution:
    return distribution_of_values(sorted(values), len(values), values.count(0.0), negative=False)


@given(_values)
def test_measured_extremes_and_quantiles_are_elements(values: list[float]) -> None:
    found = _of(values)
    assert (found.minimum, found.maximum) == (min(values), max(values))
    quantiles = [found.quantile(share / 10) for share in range(11)]
    assert quantiles == sorted(quantiles, key=lambda each: each or 0.0)
    assert all(each in values for each in quantiles)


@given(_values, st.floats(0, 1e6))
def test_a_share_is_counted(values: list[float], limit: float) -> None:
    share = _of(values).share_where(lambda each: each > limit)
    assert share == pytest.approx(sum(each > limit for each in values) / len(values))


@given(st.lists(_values, min_size=2, max_size=4))
def test_several_together_are_as_one(parts: list[list[float]]) -> None:
    """Every quantile of the whole lies within one step of what it is of all values together."""
    found, everything = merged([_of(each) for each in parts]), sorted(each for part in parts for each in part)
    assert found is not None and found.count == len(everything)
    assert (found.minimum, found.maximum) == (everything[0], everything[-1])
    step = 1 / max(map(len, parts)) + 1 / len(everything)
    for share in (0.1, 0.5, 0.9):
        value = found.quantile(share)
        below = sum(each < value for each in everything) / len(everything)
        up_to = sum(each <= value for each in everything) / len(everything)
        assert below - step <= share <= up_to + step


def test_of_a_record_a_share_is_told_only_where_the_extremes_agree() -> None:
    found = recorded_distribution(statistics(minimum=1.0, maximum=4.0, smallest_nonzero=1.0, mean=2.0))
    assert found is not None and not found.measured and found.quantile(0.5) is None
    assert found.share_where(lambda each: each > 0.5) == 1.0
    assert found.share_where(lambda each: each > 5.0) == 0.0
    assert found.share_where(lambda each: each > 2.0) is None


def test_zeros_do_not_count_in_what_is_typical() -> None:
    found = recorded_distribution(statistics(count=100, zero=75, minimum=0.0, maximum=2.0, mean=0.25))
    assert found is not None and found.typical == pytest.approx(1.0)
    assert _of([0.0, 0.0, 3.0]).typical == 3.0
    assert math.isnan(_of([0.0]).typical)


def test_nothing_is_told_of_what_is_not_finite() -> None:
    assert recorded_distribution(None) is None
    assert recorded_distribution(statistics(minimum=math.nan, maximum=math.nan)) is None


@given(st.floats(1e-3, 1e3), st.floats(1e-8, 1e-4))
def test_variances_are_recovered_from_the_inverse_root(variance: float, epsilon: float) -> None:
    inverse = (variance + epsilon) ** -0.5
    found = recovered_variances(statistics(minimum=inverse, maximum=inverse, mean=inverse), epsilon, 2.0**-23)
    assert found is not None
    assert found.typical == pytest.approx(variance, rel=1e-6)


def test_a_variance_within_the_rounding_of_the_sum_is_told_as_zero() -> None:
    """1/√(v + ε) in float32 knows ε = 1e-5 to about 1e-12: below that nothing can be said."""
    inverse = (1e-5 + 1e-13) ** -0.5
    found = recovered_variances(statistics(minimum=1.0, maximum=inverse, mean=1.1), 1e-5, 2.0**-23)
    assert found is not None and (found.minimum, found.zero) == (0.0, 1)
    assert recovered_variances(statistics(minimum=0.0, maximum=math.inf, infinite=1), 1e-5, 2.0**-23) is None
