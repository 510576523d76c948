"""The five cases whose errors are known, and the field's worked example, against float64 and exact numbers."""

from __future__ import annotations

import math
from collections.abc import Callable

import mpmath
import pytest
import torch

import wellposed
from wellposed.shadow.culprits import base_of
from wellposed.shadow.result import DIGITS_OF, DigitsReport, OperatorDigits


def _of(report: DigitsReport, *bases: str) -> OperatorDigits:
    found = [each for each in report.operators if base_of(each.where.operator) in bases]
    assert found, [each.where.operator for each in report.operators]
    return max(found, key=lambda each: each.formula)


def _others(report: DigitsReport, guilty: OperatorDigits) -> float:
    return max(each.formula for each in report.operators if each is not guilty)


def one_pass(x: torch.Tensor) -> torch.Tensor:
    return (x**2).mean() - x.mean() ** 2


def two_pass(x: torch.Tensor) -> torch.Tensor:
    return ((x - x.mean()) ** 2).mean()


def log_of_softmax(x: torch.Tensor) -> torch.Tensor:
    return -torch.log(torch.softmax(x, -1))[0]


def log_of_sigmoid(x: torch.Tensor) -> torch.Tensor:
    return torch.log(1 - torch.sigmoid(x))


def distance(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    return (a**2).sum() + (b**2).sum() - 2 * (a * b).sum()


def _explained(report: DigitsReport) -> None:
    for output in report.outputs:
        assert output.attribution is not None
        assert abs(output.attribution.residual) < 0.1


def test_variance_by_the_difference_of_two_means() -> None:
    torch.manual_seed(0)
    x = 300 + torch.randn(4096)
    report = wellposed.digits(one_pass, x)
    guilty = _of(report, "sub")
    assert guilty.rounding == 0  # Sterbenz: the subtraction itself is exact
    assert 1e-4 < guilty.formula < 1e-1
    assert _others(report, guilty) < 5e-7
    assert 1e4 < guilty.amplification < 1e6
    assert 15 < guilty.cancelled_bits < 18
    assert guilty.digits_in > 6.5
    _explained(report)
    (output,) = report.outputs
    exact = one_pass(x.double())
    assert output.reference == pytest.approx(float(exact), rel=1e-9)
    assert output.error == pytest.approx(float(one_pass(x).double() - exact), rel=1e-6)
    (culprit,) = report.culprits
    assert culprit.operator is guilty
    assert "of 24 bits cancel" in culprit.message and "the inputs were good to 7" in culprit.message


def test_logarithm_of_a_saturated_softmax() -> None:
    report = wellposed.digits(log_of_softmax, torch.tensor([16.0, 0.0, 3.0]).half())
    guilty = _of(report, "log")
    assert guilty.formula == pytest.approx(1.0, abs=0.01)  # log(1) = 0 in the place of −2.4e-6
    assert _others(report, guilty) < 0.01
    assert [each.operator for each in report.culprits] == [guilty]


def test_logarithm_of_one_minus_a_sigmoid() -> None:
    report = wellposed.digits(log_of_sigmoid, torch.tensor(7.5).half())
    guilty = _of(report, "rsub", "sub")
    assert guilty.rounding == 0
    assert 0.05 < guilty.formula < 0.5
    assert 1e3 < guilty.amplification < 1e4
    _explained(report)
    assert [each.operator for each in report.culprits] == [guilty]


def test_squared_distance_by_three_products() -> None:
    torch.manual_seed(0)
    a = torch.randn(1000)
    b = a + 1e-3 * torch.randn(1000)
    report = wellposed.digits(distance, a, b)
    guilty = _of(report, "sub")
    assert guilty.rounding == 0
    assert guilty.formula > 1e-3
    assert guilty.amplification > 1e5
    _explained(report)
    assert [each.operator for each in report.culprits] == [guilty]


def test_the_same_formula_far_apart_is_silent() -> None:
    torch.manual_seed(0)
    report = wellposed.digits(distance, torch.randn(1000), torch.zeros(1000))
    assert max(each.formula for each in report.operators) < 5e-7
    assert report.culprits == ()


# --- the worked example: variance of 1000.001, 1000.002, 1000.003 ----------------------------------------------


EXAMPLE = [1000.001, 1000.002, 1000.003]


def _exact_variance() -> float:
    with mpmath.workdps(50):
        x = [mpmath.mpf(each) for each in EXAMPLE]
        mean = sum(x) / 3
        return float(sum((each - mean) ** 2 for each in x) / 3)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32], ids=str)
@pytest.mark.parametrize("formula", [one_pass, two_pass])
def test_the_worked_example(formula: Callable[[torch.Tensor], torch.Tensor], dtype: torch.dtype) -> None:
    def program(x: torch.Tensor) -> torch.Tensor:
        return formula(x.to(dtype))

    report = wellposed.digits(program, torch.tensor(EXAMPLE, dtype=torch.float64), reference="float64")
    (output,) = report.outputs
    exact = _exact_variance()
    # float64 itself cancels 41 of its 53 bits in the one-pass formula.
    assert output.reference == pytest.approx(exact, rel=1e-8 if formula is two_pass else 1e-2)
    got = float(program(torch.tensor(EXAMPLE, dtype=torch.float64)))
    assert output.value == got or (math.isnan(got) and math.isnan(output.value))
    true = 0.0
    if math.isfinite(got) and got != exact:
        true = min(DIGITS_OF[output.dtype], max(0.0, -math.log10(abs(got - exact) / exact)))
    assert output.digits.normwise == pytest.approx(true, abs=0.3)
    if formula is one_pass:
        assert output.digits.normwise == 0
        assert report.culprits


@pytest.mark.parametrize("function", [one_pass, two_pass, distance], ids=lambda each: each.__name__)
def test_well_scaled_data_is_no_culprit(function: Callable[..., torch.Tensor]) -> None:
    torch.manual_seed(0)
    arguments = [torch.randn(256) for _ in range(2 if function is distance else 1)]
    assert wellposed.digits(function, *arguments).culprits == ()
