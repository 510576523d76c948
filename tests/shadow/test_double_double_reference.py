"""`DoubleDouble` as a reference: the protocol, shapes and dtypes, and that nothing of the program is disturbed."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.overrides import TorchFunctionMode

from tests.shadow.double_double_oracle import EXACT, REFERENCE, apply, aten, exact, pair_of
from wellposed.shadow.double_double.arithmetic import Pair
from wellposed.shadow.double_double.moving import leaves

m = EXACT
HALVES = {torch.float16: 11, torch.bfloat16: 8, torch.float32: 24}


# --- lifting, rounding, distance, writing -------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_lifting_is_exact_and_a_copy(dtype: torch.dtype) -> None:
    value = torch.tensor([0.1, -3.0, 1e-7], dtype=dtype)
    shadow = REFERENCE.lift(value)
    assert torch.equal(shadow.high.to(dtype), value) and not shadow.low.any()
    value.zero_()
    assert shadow.high.all()


def test_lifting_keeps_the_layout_in_memory() -> None:
    value = torch.randn(3, 4).t()
    assert REFERENCE.lift(value).high.stride() == value.stride()


def test_lifting_whole_numbers_beyond_float64() -> None:
    values = [2**62 + 1, -(2**63), 2**53 + 1, -1, 0, 2**63 - 1]
    assert [int(each) for each in exact(REFERENCE.lift(torch.tensor(values)))] == values


@pytest.mark.parametrize("value", [torch.zeros(2, dtype=torch.complex64), torch.eye(2).to_sparse(), 3.0])
def test_what_cannot_be_lifted(value: Any) -> None:
    with pytest.raises(NotImplementedError, match="dense, real"):
        REFERENCE.lift(value)


def nearest(value: Fraction, dtype: torch.dtype) -> float:
    """Round to nearest, ties to even, by fractions alone."""
    bits, info = HALVES[dtype], torch.finfo(dtype)
    size = abs(value)
    if size == 0:
        return 0.0
    exponent = size.numerator.bit_length() - size.denominator.bit_length()
    exponent += 1 if size >= Fraction(2) ** exponent * 2 else 0
    exponent -= 1 if size < Fraction(2) ** exponent else 0
    lowest = Fraction(info.tiny)
    unit = Fraction(2) ** (exponent - bits + 1) if size >= lowest else lowest / 2 ** (bits - 1)
    rounded = round(size / unit) * unit  # Python rounds ties to even
    result = float("inf") if rounded > Fraction(info.max) else float(rounded)
    return -result if value < 0 else result


@pytest.mark.parametrize("dtype", HALVES)
@settings(deadline=None, max_examples=300)
@given(data=st.data())
def test_rounding_to_a_dtype_is_rounding_once(dtype: torch.dtype, data: st.DataObject) -> None:
    """Beside ties of the narrow dtype, where a rounding by way of float64 or float32 goes wrong."""
    bits, info = HALVES[dtype], torch.finfo(dtype)
    significand = data.draw(st.integers(2**bits, 2 ** (bits + 1) - 1))
    lowest, highest = Fraction(info.tiny), Fraction(info.max)
    exponent = data.draw(st.sampled_from([-3, 0, 5, -140 if dtype != torch.float16 else -20, 120]))
    offset = data.draw(st.sampled_from([0, 2.0**-26, -(2.0**-26), 2.0**-40, 2.0**-60, -(2.0**-60), 2.0**-100]))
    base = Fraction(significand) / 2**bits * Fraction(2) ** exponent
    high = float(base) * (1 if abs(offset) < 2.0**-53 else 1 + offset)
    low = high * offset if abs(offset) < 2.0**-53 else 0.0
    value = Fraction(high) + Fraction(low)
    assert lowest < highest
    result = REFERENCE.rounded(pair_from(high, low), torch.zeros(1, dtype=dtype))
    assert result.dtype == dtype
    assert float(result) == nearest(value, dtype)
    assert float(REFERENCE.rounded(pair_from(-high, -low), torch.zeros(1, dtype=dtype))) == nearest(-value, dtype)


def pair_from(high: float, low: float) -> Pair:
    return Pair(torch.tensor([high], dtype=torch.float64), torch.tensor([low], dtype=torch.float64))


@pytest.mark.parametrize("dtype", [torch.float64, *HALVES])
def test_rounding_keeps_special_values(dtype: torch.dtype) -> None:
    values = torch.tensor([0.0, -0.0, float("inf"), -float("inf"), float("nan"), 1e300], dtype=torch.float64)
    expected = values.to(dtype)
    result = REFERENCE.rounded(REFERENCE.lift(values), expected)
    torch.testing.assert_close(result, expected, rtol=0, atol=0, equal_nan=True)
    assert torch.equal(torch.signbit(result[:2]), torch.tensor([False, True]))


def test_distance_where_all_of_float64_cancels() -> None:
    shadow = pair_of([1.0, 1 / 3, 1e10], [0.5, -0.25, 0.75])
    value = shadow.high.clone()
    differences = [value_ - shadow_ for value_, shadow_ in zip(exact(value), exact(shadow), strict=True)]
    distance = REFERENCE.distance(value, shadow)
    assert distance.tolist() == [float(each) for each in differences] and distance.all()
    assert REFERENCE.distance(shadow, shadow).tolist() == [0.0] * 3
    single = value.float()
    expected = [float(mine - theirs) for mine, theirs in zip(exact(single), exact(shadow), strict=True)]
    assert REFERENCE.distance(single, shadow).tolist() == expected


def test_writing_through_a_view() -> None:
    shadow = pair_of([1.0, 2.0, 3.0, 4.0], [0.5] * 4)
    REFERENCE.write(shadow, lambda whole: whole.view(2, 2)[:, 1], pair_of([7.0, 8.0], [0.25, 0.25]))
    assert exact(shadow) == exact(pair_of([1.0, 7.0, 3.0, 8.0], [0.5, 0.25, 0.5, 0.25]))
    moved = REFERENCE.apply(aten.slice.Tensor, (shadow, 0, 0, 3), {})
    REFERENCE.write(shadow, lambda whole: whole[1:], moved)
    assert shadow.high.tolist() == [1.0, 1.0, 7.0, 3.0]


# --- nothing is disturbed -----------------------------------------------------------------------------------------

_X = torch.tensor([[0.3, -1.2, 2.0], [0.1, 0.7, -0.4]], dtype=torch.float64)
UNDISTURBED = [
    (aten.add_.Tensor, (_X, _X), {}),
    (aten.exp.default, (_X,), {}),
    (aten._softmax.default, (_X, 1, False), {}),
    (aten.mm.default, (_X, _X.T), {}),
    (aten.native_batch_norm.default, (_X, None, None, _X[0] * 0, _X[0].abs(), True, 0.1, 1e-5), {}),
    (aten.index_put_.default, (_X, [torch.tensor([0, 0])], _X, True), {}),
    (aten.linalg_inv_ex.default, (_X[:, :2],), {}),
    (aten.silu_backward.default, (_X, _X), {}),
    (aten.sort.default, (_X,), {}),
]


@pytest.mark.parametrize(("operator", "args", "kwargs"), UNDISTURBED, ids=lambda each: str(each)[:30])
def test_no_argument_is_changed_nothing_drawn_nothing_recorded(operator: Any, args: Any, kwargs: Any) -> None:
    lifted = [REFERENCE.lift(each) if isinstance(each, Tensor) and each.is_floating_point() else each for each in args]
    kept = [each.high.clone() for each in leaves(lifted) if isinstance(each, Pair)]
    state, enabled = torch.get_rng_state(), torch.is_grad_enabled()
    result = REFERENCE.apply(operator, tuple(lifted), kwargs)
    assert all(
        torch.equal(each.high, before) and not each.low.any()
        for each, before in zip((each for each in leaves(lifted) if isinstance(each, Pair)), kept, strict=True)
    )
    assert torch.equal(torch.get_rng_state(), state) and torch.is_grad_enabled() == enabled
    assert not any(each.high.requires_grad for each in leaves(result) if isinstance(each, Pair))


def test_tensors_with_gradients_leave_no_graph() -> None:
    x = torch.rand(3, dtype=torch.float64, requires_grad=True)
    version = x._version
    shadow = apply(aten.mul.Tensor, REFERENCE.lift(x), x)
    assert shadow.high.grad_fn is None and x.grad is None and x._version == version


def test_modes_of_the_program_see_nothing() -> None:
    seen: list[Any] = []

    class Watching(TorchFunctionMode):
        def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            seen.append(func)
            return func(*args, **(kwargs or {}))

    shadow = pair_of([0.5, 1.5])
    row, column = Pair(shadow.high[None], shadow.low[None]), Pair(shadow.high[:, None], shadow.low[:, None])
    with Watching(), torch.autocast("cpu", torch.bfloat16):
        product = apply(aten.mm.default, row, column)
        apply(aten.silu_backward.default, shadow, shadow)
    assert not seen
    assert exact(product) == [2.5]
