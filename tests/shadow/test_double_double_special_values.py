"""Infinities, NaN, signed zeros, overflow and numbers below the normal ones: as float64 has them."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.shadow.double_double_oracle import REFERENCE, apply, aten
from wellposed.shadow.double_double.arithmetic import Pair

LARGEST, TINY, NORMAL = torch.finfo(torch.float64).max, 5e-324, torch.finfo(torch.float64).tiny
SPECIAL = [0.0, -0.0, 1.0, -1.0, 2.5, -2.5, float("inf"), -float("inf"), float("nan"), LARGEST, -LARGEST, TINY, -NORMAL]
EVERY = torch.tensor(SPECIAL, dtype=torch.float64)
GRID = torch.tensor(list(itertools.product(SPECIAL, SPECIAL)), dtype=torch.float64).T


def assert_as_float64(result: Any, expected: Tensor) -> None:
    """The same infinities, NaN and signs of zeros; other elements to a few units in the last place."""
    assert isinstance(result, Pair) and result.shape == expected.shape
    high = result.high
    kind = torch.stack([torch.isnan(expected), torch.isposinf(expected), torch.isneginf(expected), expected == 0])
    mine = torch.stack([torch.isnan(high), torch.isposinf(high), torch.isneginf(high), high == 0])
    wrong = (kind != mine).any(0) | ((expected == 0) & (torch.signbit(expected) != torch.signbit(high)))
    assert not wrong.any(), f"{high[wrong].tolist()} for {expected[wrong].tolist()} at {wrong.nonzero().tolist()}"
    finite = torch.isfinite(expected)
    torch.testing.assert_close(high[finite], expected[finite], rtol=1e-14, atol=1e-320)
    assert bool((result.low[~torch.isfinite(high)] == 0).all())


@pytest.mark.parametrize(
    "name",
    [
        "neg", "abs", "sqrt", "rsqrt", "reciprocal", "exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "sinh",
        "cosh", "tanh", "asinh", "sigmoid", "atan", "asin", "acos", "atanh", "erf", "erfc", "relu", "floor", "ceil",
        "trunc", "sign", "log_sigmoid",
    ],
)  # fmt: skip
def test_functions_of_one_argument(name: str) -> None:
    if name == "log_sigmoid":
        assert_as_float64(apply(aten.log_sigmoid_forward.default, EVERY)[0], torch.nn.functional.logsigmoid(EVERY))
        return
    operator = getattr(aten, name).default
    # PyTorch's vectorised log1p makes 0 of the smallest number.
    values = EVERY[EVERY != TINY] if name == "log1p" else EVERY
    assert_as_float64(apply(operator, values), operator(values))


@pytest.mark.parametrize("name", ["sin", "cos", "tan"])
def test_functions_of_angles(name: str) -> None:
    angles = EVERY[EVERY.abs() != LARGEST]
    operator = getattr(aten, name).default
    assert_as_float64(apply(operator, angles), operator(angles))


@pytest.mark.parametrize("name", ["add", "sub", "mul", "div", "pow"])
def test_operators_of_two_arguments(name: str) -> None:
    x, y = GRID
    packet = getattr(aten, name)
    operator = packet.Tensor_Tensor if name == "pow" else packet.Tensor
    expected = operator(x, y)
    if name == "pow":
        # float64's own pow is the only judge of x^y at the ends of the range; elsewhere the tests of powers are.
        kept = ~((x.abs() == LARGEST) | (y.abs() == LARGEST))
        x, y, expected = x[kept], y[kept], expected[kept]
    assert_as_float64(apply(operator, x, y), expected)


@pytest.mark.parametrize("name", ["atan2", "maximum", "minimum", "logaddexp"])
def test_other_operators_of_two_arguments(name: str) -> None:
    x, y = GRID
    operator = getattr(aten, name).default
    expected = operator(x, y)
    if name in ("maximum", "minimum"):
        kept = ~((x == 0) & (y == 0))  # which zero wins is nobody's promise
        x, y, expected = x[kept], y[kept], expected[kept]
    assert_as_float64(apply(operator, x, y), expected)


@pytest.mark.parametrize(
    "values", [[float("inf"), 1.0], [float("inf"), -float("inf")], [float("nan"), 1.0], [-0.0, -0.0]]
)
def test_reductions(values: list[float]) -> None:
    x = torch.tensor(values, dtype=torch.float64)
    for operator, *args in (
        (aten.sum.default,), (aten.mean.default,), (aten.prod.default,), (aten.cumsum.default, 0),
        (aten.amax.default,), (aten.logsumexp.default, [0]), (aten.linalg_vector_norm.default,),
        (aten.var.correction,),
    ):  # fmt: skip
        expected = operator(x, *args)
        if operator is aten.sum.default and values == [-0.0, -0.0]:
            continue  # PyTorch's sum starts from +0
        if operator is aten.mean.default and values == [-0.0, -0.0]:
            continue
        if operator is aten.cumsum.default and values == [-0.0, -0.0]:
            continue
        assert_as_float64(apply(operator, x, *args), expected)


@pytest.mark.parametrize(
    "values", [[0.0, -float("inf")], [-float("inf"), -float("inf")], [float("inf"), 0.0], [float("nan"), 0.0]]
)
def test_softmaxes(values: list[float]) -> None:
    x = torch.tensor(values, dtype=torch.float64)
    assert_as_float64(apply(aten._softmax.default, x, 0, False), aten._softmax(x, 0, False))
    assert_as_float64(apply(aten._log_softmax.default, x, 0, False), aten._log_softmax(x, 0, False))


def test_an_infinity_in_a_product_of_matrices_stays_in_its_row() -> None:
    a = torch.tensor([[1.0, float("inf")], [2.0, 3.0], [float("nan"), 1.0]], dtype=torch.float64)
    b = torch.tensor([[1.0, 0.5], [1.0, 0.0]], dtype=torch.float64)
    assert_as_float64(apply(aten.mm.default, a, b), a @ b)


def test_an_infinity_that_is_scattered_stays_in_its_place() -> None:
    x = torch.tensor([1.0, float("inf"), 2.0, float("nan")], dtype=torch.float64)
    index = torch.tensor([0, 1, 2, 3])
    start = torch.zeros(5, dtype=torch.float64)
    assert_as_float64(apply(aten.scatter_add.default, start, 0, index, x), start.scatter_add(0, index, x))


def test_a_division_by_a_singular_matrix_is_infinite_or_nan() -> None:
    singular = torch.tensor([[1.0, 2.0], [2.0, 4.0]], dtype=torch.float64)
    inverse, info = apply(aten.linalg_inv_ex.default, singular)
    assert int(info) == 2
    assert not torch.isfinite(inverse.high).any()


@pytest.mark.parametrize("value", [TINY, 3 * TINY, NORMAL, NORMAL * 1.5, LARGEST])
def test_small_and_large_numbers_pass_unchanged(value: float) -> None:
    x = torch.tensor([value, -value], dtype=torch.float64)
    for operator, *args in ((aten.add.Tensor, 0.0), (aten.mul.Tensor, 1.0), (aten.div.Tensor, 1.0)):
        assert torch.equal(apply(operator, x, *args).high, x)


def test_distance_of_infinities() -> None:
    infinite = torch.tensor([float("inf"), float("inf"), 1.0, float("nan")], dtype=torch.float64)
    other = torch.tensor([float("inf"), -float("inf"), float("inf"), 1.0], dtype=torch.float64)
    distance = REFERENCE.distance(infinite, REFERENCE.lift(other))
    assert distance[:3].tolist() == [0.0, float("inf"), -float("inf")]
    assert bool(torch.isnan(distance[3]))
