"""Operators on shadows: elements moved, shapes, dtypes, lists, in-place forms, large tensors, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from tests.shadow.double_double_oracle import EXACT, REFERENCE, apply, assert_close, aten, exact, pair_of
from wellposed.shadow.double_double.arithmetic import Pair

m = EXACT

# --- operators that move elements, shapes, dtypes -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("operator", "args"),
    [
        (aten.view.default, ([4, 3],)),
        (aten.permute.default, ([1, 0],)),
        (aten.select.int, (0, 1)),
        (aten.slice.Tensor, (1, 0, 3, 2)),
        (aten.expand.default, ([2, 3, 4],)),
        (aten.index.Tensor, ([torch.tensor([2, 0])],)),
        (aten.gather.default, (1, torch.tensor([[0], [3], [1]]))),
        (aten.masked_fill.Scalar, (torch.eye(3, 4, dtype=torch.bool), 5.0)),
        (aten.constant_pad_nd.default, ([1, 1], 2.0)),
        (aten.flip.default, ([0],)),
        (aten.split.Tensor, (2,)),
        (aten.tril.default, ()),
        (aten.clone.default, ()),
    ],
)
def test_operators_that_move_elements(operator: Any, args: tuple[Any, ...]) -> None:
    x = pair_of([float(each) / 7 for each in range(1, 13)], [0.5] * 12)
    x = Pair(x.high.view(3, 4), x.low.view(3, 4))
    result = apply(operator, x, *args)
    expected = operator(x.high, *args)
    low = operator(x.low, *args)
    results, expecteds, lows = (
        [each] if not isinstance(each, list | tuple) else each for each in (result, expected, low)
    )
    for mine, high, other in zip(results, expecteds, lows, strict=True):
        assert torch.equal(mine.high, high)
        filled = (other == 5.0) | (other == 2.0)
        assert torch.equal(mine.low, torch.where(filled, 0.0, other))


def test_cat_and_where_mix_shadows_and_tensors() -> None:
    x = pair_of([0.1, 0.2], [0.5, 0.5])
    plain = torch.tensor([3.0, 4.0], dtype=torch.float32)
    assert exact(apply(aten.cat.default, [x, plain])) == [*exact(x), 3, 4]
    assert exact(apply(aten.where.self, torch.tensor([True, False]), x, plain)) == [exact(x)[0], 4]


@pytest.mark.parametrize("shape", [(), (0,), (2, 0), (1,), (2, 3)])
def test_every_shape(shape: tuple[int, ...]) -> None:
    x = torch.rand(shape, dtype=torch.float64) + 0.5
    for operator, *args in (
        (aten.add.Tensor, 1.5), (aten.mul.Tensor, x), (aten.div.Tensor, x), (aten.exp.default,), (aten.log.default,),
        (aten.sin.default,), (aten.erf.default,), (aten.sum.default,), (aten.mean.default,), (aten.prod.default,),
        (aten._softmax.default, -1, False), (aten.cumsum.default, -1), (aten.linalg_vector_norm.default,),
        (aten.gelu.default,), (aten.atan.default,), (aten.pow.Tensor_Scalar, 3), (aten.var.correction,),
    ):  # fmt: skip
        expected = operator(x, *args)
        result = apply(operator, x, *args)
        assert result.high.shape == result.low.shape == expected.shape, operator
        torch.testing.assert_close(result.high, expected, rtol=1e-14, atol=1e-15, equal_nan=True)


def test_broadcasting_and_strides() -> None:
    x = REFERENCE.lift(torch.rand(4, 3, dtype=torch.float64).t())
    y = REFERENCE.lift(torch.rand(2, 1, 4, dtype=torch.float64)[:, :, ::2].expand(2, 3, 2).repeat(1, 1, 2))
    for operator in (aten.add.Tensor, aten.mul.Tensor, aten.div.Tensor, aten.atan2.default, aten.pow.Tensor_Tensor):
        torch.testing.assert_close(apply(operator, x, y).high, operator(x.high, y.high), rtol=1e-14, atol=0)


@pytest.mark.parametrize(("rows", "terms", "columns"), [(0, 3, 2), (2, 0, 3), (2, 3, 0)])
def test_empty_products(rows: int, terms: int, columns: int) -> None:
    result = apply(aten.mm.default, torch.zeros(rows, terms).double(), torch.zeros(terms, columns).double())
    assert result.shape == (rows, columns) and not result.high.any()


def test_whole_numbers_are_told_apart() -> None:
    x = pair_of([1.5, -2.5])
    assert apply(aten.gt.Scalar, x, 0).tolist() == [True, False]
    assert apply(aten._to_copy.default, x, dtype=torch.int64).tolist() == [1, -2]
    assert apply(aten.argmax.default, x).dtype == torch.int64
    counts = torch.tensor([3, 4])
    assert apply(aten.add.Tensor, counts, counts).tolist() == [6, 8] and isinstance(
        apply(aten.add.Tensor, counts, counts), Tensor
    )
    assert_close(apply(aten.div.Tensor, torch.tensor([1]), torch.tensor([3])), [m.mpf(1) / 3])
    assert_close(apply(aten.mul.Tensor, x, torch.tensor([2**60 + 1, 1])), [m.mpf(1.5) * (2**60 + 1), m.mpf(-2.5)])
    just_below = Pair(torch.tensor([3.0]).double(), torch.tensor([-(2.0**-60)]).double())
    assert apply(aten._to_copy.default, just_below, dtype=torch.int32).tolist() == [2]


def test_a_cast_to_a_narrower_dtype_rounds_nothing() -> None:
    x = pair_of([0.1], [0.5])
    assert exact(apply(aten._to_copy.default, x, dtype=torch.float16)) == exact(x)


def test_comparisons_look_at_the_low_half() -> None:
    x, y = pair_of([1.0, 1.0], [0.5, 0.0]), pair_of([1.0, 1.0])
    assert apply(aten.gt.Tensor, x, y).tolist() == [True, False]
    assert apply(aten.eq.Tensor, x, y).tolist() == [False, True]


def test_foreach_takes_lists_apart() -> None:
    x, y = [pair_of([1.0, 2.0]), pair_of([3.0])], [pair_of([0.5, 0.25]), pair_of([0.1])]
    added = apply(aten._foreach_add.List, x, y, alpha=2)
    assert [exact(each) for each in added] == [[2, 2.5], [m.mpf(3) + 2 * m.mpf(0.1)]]
    scaled = apply(aten._foreach_mul.ScalarList, x, [2.0, 3.0])
    assert [exact(each) for each in scaled] == [[2, 4], [9]]
    combined = apply(aten._foreach_addcdiv_.ScalarList, x, y, x, [1.0, -2.0])
    assert_close(combined[1], [m.mpf(3) - 2 * m.mpf(0.1) / 3])
    assert [exact(each) for each in apply(aten._foreach_sqrt.default, [pair_of([4.0])])] == [[2]]


def test_every_real_result_is_a_shadow() -> None:
    """The count that a loss divides by is made of whole numbers alone, within a decomposition."""
    logarithms = apply(aten._log_softmax.default, torch.eye(3, dtype=torch.float64), 1, False)
    loss, count = apply(aten.nll_loss_forward.default, logarithms, torch.tensor([0, 1, 1]), None, 1, -100)
    assert isinstance(loss, Pair) and isinstance(count, Pair) and exact(count) == [3]


def test_in_place_and_out_return_what_they_would_write() -> None:
    x, y = pair_of([1.0, 2.0]), pair_of([0.5, 0.25])
    assert exact(apply(aten.add_.Tensor, x, y)) == [1.5, 2.25]
    assert exact(apply(aten.mul.out, x, y, out=pair_of([9.0, 9.0]))) == [0.5, 0.5]
    assert exact(apply(aten.copy_.default, x, pair_of([7.0]))) == [7, 7]
    assert exact(apply(aten.zero_.default, x)) == [0, 0]
    assert exact(x) == [1, 2]


@pytest.mark.parametrize(
    ("operator", "args", "message"),
    [
        (aten.bernoulli.default, (pair_of([0.5]),), "random"),
        (aten.native_dropout.default, (pair_of([0.5]), 0.5, True), "random"),
        (aten.linalg_qr.default, (pair_of([0.5]),), "no double-double form"),
        (aten.digamma.default, (pair_of([0.5]),), "no double-double form"),
        (aten.add.Tensor, (pair_of([0.5]), torch.zeros(1, dtype=torch.complex64)), "complex"),
        (torch.sin, (pair_of([0.5]),), "not an operator"),
    ],
)
def test_what_has_no_counterpart_says_so(operator: Any, args: tuple[Any, ...], message: str) -> None:
    before = torch.get_rng_state()
    with pytest.raises(NotImplementedError, match=message):
        REFERENCE.apply(operator, args, {})
    assert torch.equal(torch.get_rng_state(), before)


# --- large tensors, in blocks -------------------------------------------------------------------------------------


@pytest.mark.parametrize("layout", ["contiguous", "transposed", "channels last", "broadcast", "expanded"])
def test_large_tensors_are_what_their_parts_are(layout: str) -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(6, 5, 30, 41, generator=generator, dtype=torch.float64) + 0.5
    y = torch.rand(6, 5, 30, 41, generator=generator, dtype=torch.float64)
    if layout == "transposed":
        x, y = x.mT, y.mT
    elif layout == "channels last":
        x, y = (each.contiguous(memory_format=torch.channels_last) for each in (x, y))
    elif layout == "broadcast":
        x, y = x[:, :1], y[:1, :, :, :1]
    elif layout == "expanded":
        x = x[:, :, :1].expand(6, 5, 30, 41)
    shadows = REFERENCE.lift(x), REFERENCE.lift(y)
    for operator, *rest in (
        (aten.div.Tensor, shadows[1]), (aten.exp.default,), (aten.atan2.default, shadows[1]),
        (aten.gt.Tensor, shadows[1]), (aten.mul.Scalar, 0.1), (aten.gelu.default,),
    ):  # fmt: skip
        whole = apply(operator, shadows[0], *rest)
        plain = operator(x, *(each.high if isinstance(each, Pair) else each for each in rest))
        high = whole.high if isinstance(whole, Pair) else whole
        assert high.shape == plain.shape
        if layout in ("contiguous", "transposed", "channels last"):
            assert high.stride() == plain.stride()
        for wanted in ((0, 0, 0, 0), (5, 4, 29, 40), (3, 2, 7, 11)):
            place = tuple(min(each, size - 1) for each, size in zip(wanted, plain.shape, strict=True))
            part = [pair_at(each, place, plain.shape) for each in (shadows[0], *rest)]
            alone = apply(operator, *part)
            assert exact(alone) == exact(
                Pair(whole.high[place], whole.low[place]) if isinstance(whole, Pair) else whole[place]
            )


def pair_at(value: Any, place: tuple[int, ...], shape: torch.Size) -> Any:
    if not isinstance(value, Pair):
        return value
    return Pair(value.high.expand(shape)[place], value.low.expand(shape)[place])
