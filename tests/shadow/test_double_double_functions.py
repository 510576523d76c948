"""Every elementwise operator in double-double against mpmath at 60 digits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.shadow.double_double_oracle import (
    BOUND,
    EXACT,
    apply,
    assert_close,
    aten,
    elementwise,
    floats,
    pair_of,
    parts,
)
from wellposed.shadow.double_double.arithmetic import Pair, two_product

m = EXACT
HUGE = 1e300

UNARY: dict[str, tuple[Any, Callable[..., Any], list[tuple[float, float]]]] = {
    "neg": (aten.neg.default, lambda x: -x, [(-HUGE, HUGE)]),
    "abs": (aten.abs.default, abs, [(-HUGE, HUGE)]),
    "reciprocal": (aten.reciprocal.default, lambda x: 1 / x, [(1e-280, 1e280), (-1e3, -1e-3)]),
    "sqrt": (aten.sqrt.default, m.sqrt, [(1e-280, HUGE), (0.5, 2)]),
    "rsqrt": (aten.rsqrt.default, lambda x: 1 / m.sqrt(x), [(1e-280, HUGE)]),
    "exp": (aten.exp.default, m.exp, [(-660, 709), (-1, 1)]),
    "exp2": (aten.exp2.default, lambda x: m.mpf(2) ** x, [(-960, 1023), (-1, 1)]),
    "expm1": (aten.expm1.default, m.expm1, [(-800, 709), (-0.02, 0.02), (0.0054, 0.0055)]),
    "log": (aten.log.default, m.log, [(1e-300, HUGE), (0.4, 2.5), (1 - 1e-9, 1 + 1e-9)]),
    "log2": (aten.log2.default, lambda x: m.log(x) / m.ln2, [(1e-300, HUGE), (0.9, 1.1)]),
    "log10": (aten.log10.default, lambda x: m.log(x) / m.ln10, [(1e-300, HUGE), (0.9, 1.1)]),
    "log1p": (aten.log1p.default, m.log1p, [(-0.9999999, 3), (-1e-3, 1e-3), (1, HUGE)]),
    "sinh": (aten.sinh.default, m.sinh, [(-709, 709), (-1, 1)]),
    "cosh": (aten.cosh.default, m.cosh, [(-709, 709), (-1, 1)]),
    "tanh": (aten.tanh.default, m.tanh, [(-700, 700), (-1, 1)]),
    "asinh": (aten.asinh.default, m.asinh, [(-HUGE, HUGE), (-2, 2)]),
    "acosh": (aten.acosh.default, m.acosh, [(1.0000001, HUGE), (1.5, 3)]),
    "atanh": (aten.atanh.default, m.atanh, [(-0.999, 0.999)]),
    "sigmoid": (aten.sigmoid.default, lambda x: 1 / (1 + m.exp(-x)), [(-600, 700), (-2, 2)]),
    "silu": (aten.silu.default, lambda x: x / (1 + m.exp(-x)), [(-600, 700), (-2, 2)]),
    "sin": (aten.sin.default, m.sin, [(-4, 4), (-1e15, 1e15)]),
    "cos": (aten.cos.default, m.cos, [(-4, 4), (-1e15, 1e15)]),
    "tan": (aten.tan.default, m.tan, [(-4, 4), (-1e15, 1e15)]),
    "asin": (aten.asin.default, m.asin, [(-1, 1), (0.999999, 1)]),
    "acos": (aten.acos.default, m.acos, [(-1, 0.99), (0.999999, 0.99999999)]),
    "atan": (aten.atan.default, m.atan, [(-3, 3), (-HUGE, HUGE)]),
    "erf": (aten.erf.default, m.erf, [(-7, 7), (-0.02, 0.02)]),
    "erfc": (aten.erfc.default, m.erfc, [(-7, 7), (5, 25)]),
    "gelu": (aten.gelu.default, lambda x: x * m.erfc(-x / m.sqrt(2)) / 2, [(-5, 10)]),
    "gelu_backward": (
        lambda x: apply(aten.gelu_backward.default, torch.ones(1).double(), x),
        lambda x: m.erfc(-x / m.sqrt(2)) / 2 + x * m.npdf(x),
        [(0.0, 8)],
    ),
    "relu": (aten.relu.default, lambda x: max(x, m.mpf(0)), [(-3, 3)]),
    "floor": (aten.floor.default, m.floor, [(-1e17, 1e17), (-3, 3)]),
    "ceil": (aten.ceil.default, m.ceil, [(-1e17, 1e17), (-3, 3)]),
    "round": (aten.round.default, m.nint, [(-1e17, 1e17), (-3, 3)]),
    "square": (lambda x: apply(aten.pow.Tensor_Scalar, x, 2), lambda x: x**2, [(-1e140, 1e140)]),
    "cube": (lambda x: apply(aten.pow.Tensor_Scalar, x, -3), lambda x: x**-3, [(1e-60, 1e60)]),
    "root": (lambda x: apply(aten.pow.Tensor_Scalar, x, 1.5), lambda x: x**1.5, [(1e-60, 1e60)]),
    "log_sigmoid": (
        lambda x: apply(aten.log_sigmoid_forward.default, x)[0],
        lambda x: -m.log1p(m.exp(-x)) if x > 0 else x - m.log1p(m.exp(x)),
        [(-700, 600), (-2, 2)],
    ),
    "softplus": (
        aten.softplus.default,
        lambda x: x if x > 20 else m.log1p(m.exp(x)),
        [(-600, 19.9), (20.1, 100)],
    ),
}
CASES = [(name, *edge) for name, (_, _, edges) in UNARY.items() for edge in edges]


def result_of(operator: Any, *args: Any) -> Pair:
    return apply(operator, *args) if hasattr(operator, "_schema") else operator(*args)


@pytest.mark.parametrize(("name", "smallest", "largest"), CASES)
@settings(deadline=None, max_examples=15)
@given(data=st.data())
def test_functions_of_one_argument(name: str, smallest: float, largest: float, data: st.DataObject) -> None:
    operator, function, _ = UNARY[name]
    x = data.draw(floats(smallest, largest))
    assert_close(result_of(operator, x), elementwise(function, x))


@pytest.mark.parametrize(
    ("operator", "function", "edge"),
    [
        (aten.add.Tensor, lambda x, y: x + y, (-HUGE, HUGE)),
        (aten.sub.Tensor, lambda x, y: x - y, (-HUGE, HUGE)),
        (aten.mul.Tensor, lambda x, y: x * y, (-1e140, 1e140)),
        (aten.div.Tensor, lambda x, y: x / y, (1e-140, 1e140)),
        (aten.atan2.default, m.atan2, (-1e3, 1e3)),
        (aten.hypot.default, lambda x, y: m.sqrt(x * x + y * y), (1e-280, HUGE)),
        (aten.maximum.default, max, (-1e3, 1e3)),
        (aten.minimum.default, min, (-1e3, 1e3)),
        (aten.logaddexp.default, lambda x, y: m.log(m.exp(x) + m.exp(y)), (1, 700)),
    ],
)
@settings(deadline=None, max_examples=40)
@given(data=st.data())
def test_functions_of_two_arguments(operator: Any, function: Any, edge: tuple[float, float], data: Any) -> None:
    x, y = data.draw(floats(*edge)), data.draw(floats(*edge))
    count = min(len(x.high), len(y.high))
    x, y = Pair(x.high[:count], x.low[:count]), Pair(y.high[:count], y.low[:count])
    products = x.high * y.high
    assume(operator is not aten.mul.Tensor or bool(((products == 0) | (products.abs() > 1e-290)).all()))
    assume(operator is not aten.atan2.default or bool(((x.high != 0) & (y.high != 0)).all()))
    expected = elementwise(function, x, y)
    assert_close(apply(operator, x, y), expected)


@settings(deadline=None, max_examples=60)
@given(x=floats(-1e3, 1e3), ulps=st.integers(-4, 4), part=parts())
def test_a_difference_of_neighbours_keeps_its_digits(x: Pair, ulps: int, part: float) -> None:
    y = pair_of((x.high * (1 + ulps * 2.0**-52)).tolist(), [part] * len(x.high))
    assert_close(apply(aten.sub.Tensor, x, y), elementwise(lambda a, b: a - b, x, y), 2.0**-104)


@settings(deadline=None, max_examples=60)
@given(x=floats(1e-10, 1e10), y=floats(-20, 20))
def test_powers_lose_what_the_exponent_amplifies(x: Pair, y: Pair) -> None:
    count = min(len(x.high), len(y.high))
    x, y = Pair(x.high[:count], x.low[:count]), Pair(y.high[:count], y.low[:count])
    result = apply(aten.pow.Tensor_Tensor, x, y)
    for place in range(count):
        base, exponent = elementwise(lambda *both: both, x, y)[place]
        bound = 2.0**-100 * (4 + float(abs(exponent * m.log(base))))
        assert_close(Pair(result.high[place], result.low[place]), [base**exponent], bound)


@pytest.mark.parametrize("multiple", [1, 2, 3, 255, 10**5, 45_000_000, 6381956970095103])
def test_sines_beside_their_zeros(multiple: int) -> None:
    """The float64 nearest to k·π/2 is where a reduction with too few digits of π shows; the last is the worst known."""
    x = pair_of([float(multiple * m.pi / 2)]) if multiple < 10**14 else pair_of([multiple * 2.0**-4])
    assert_close(apply(aten.sin.default, x), elementwise(m.sin, x))
    assert_close(apply(aten.cos.default, x), elementwise(m.cos, x))


def test_sines_of_arguments_beyond_reduction_are_refused() -> None:
    with pytest.raises(NotImplementedError, match="2\\^50"):
        apply(aten.sin.default, pair_of([1.0, 2.0**60]))


@settings(deadline=None, max_examples=100)
@given(a=st.floats(allow_nan=False, allow_infinity=False), b=st.floats(allow_nan=False, allow_infinity=False))
def test_a_product_and_its_error_are_exact(a: float, b: float) -> None:
    exact = m.mpf(a) * m.mpf(b)
    assume(2.0**-900 < abs(exact) < 2.0**1023 or exact == 0)
    product, error = two_product(torch.tensor(a, dtype=torch.float64), torch.tensor(b, dtype=torch.float64))
    assert m.mpf(float(product)) + m.mpf(float(error)) == exact


def test_the_largest_numbers_are_split_without_overflow() -> None:
    largest = torch.finfo(torch.float64).max
    x = pair_of([largest, -largest, largest], [0.9, 0.3, -1])
    assert_close(apply(aten.mul.Tensor, x, pair_of([0.3])), [each * m.mpf(0.3) for each in elementwise(lambda a: a, x)])


@pytest.mark.parametrize("name", ["tanh_backward", "sigmoid_backward", "silu_backward", "elu", "hardswish", "mish"])
def test_operators_that_are_decomposed_keep_their_digits(name: str) -> None:
    x = pair_of([-3.7, -0.4, 0.3, 2.9], [0.3, -0.9, 0.5, 0.1])
    one = pair_of([1.0] * 4)
    sigmoid = lambda v: 1 / (1 + m.exp(-v))  # noqa: E731
    result, function = {
        "tanh_backward": (lambda: apply(aten.tanh_backward.default, one, x), lambda v: 1 - v * v),
        "sigmoid_backward": (lambda: apply(aten.sigmoid_backward.default, one, x), lambda v: v * (1 - v)),
        "silu_backward": (
            lambda: apply(aten.silu_backward.default, one, x),
            lambda v: sigmoid(v) * (1 + v * (1 - sigmoid(v))),
        ),
        "elu": (lambda: apply(aten.elu.default, x), lambda v: v if v > 0 else m.expm1(v)),
        "hardswish": (lambda: apply(aten.hardswish.default, x), lambda v: v * min(max(v + 3, 0), 6) / 6),
        "mish": (lambda: apply(aten.mish.default, x), lambda v: v * m.tanh(m.log1p(m.exp(v)))),
    }[name]
    assert_close(result(), elementwise(function, x), BOUND)


def test_a_sum_whose_halves_cancel_is_zero() -> None:
    """1 less a little: the floor is 0, made of a leading 1 and a correction of −1."""
    below_one = Pair(torch.tensor([1.0], dtype=torch.float64), torch.tensor([-(2.0**-74)], dtype=torch.float64))
    assert apply(aten.floor.default, below_one).high.tolist() == [0.0]
    assert apply(aten.remainder.Scalar, below_one, 1.0).high.tolist() == [1.0]
