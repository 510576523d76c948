"""Shadows of views and of memory that is written: against the same program run in float64 from the start."""

from __future__ import annotations

from typing import Any

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given, settings

import wellposed
from wellposed.integrations.digits_torch import DigitsBlock
from wellposed.shadow.float64 import Float64
from wellposed.shadow.store import Store, is_dense

Instruction = tuple[str, int, int, int]

_WORDS = (
    "transpose", "row", "column", "every-other", "flatten", "diagonal", "expand", "detach", "data", "reshape",
    "add_", "mul_", "sin_", "copy_", "zero_", "set-slice", "index-put", "masked-fill", "addcmul_", "foreach", "out=",
    "add", "mul", "matmul", "sum", "cat", "where", "clone", "half", "sort",
)  # fmt: skip


def execute(program: list[Instruction], x: torch.Tensor, y: torch.Tensor) -> list[torch.Tensor]:
    """Any program is valid: operands are chosen so that shapes fit. Nothing here depends on rounded values."""
    pool = [x * 0.1, y + 0.3]
    for word, first, second, number in program:
        a, b = pool[first % len(pool)], pool[second % len(pool)]
        scale = 1 + (number % 7) / 10
        if a.dim() != 2:
            a = a.reshape(1, -1) if a.dim() < 2 else a
        if word == "transpose":
            pool.append(a.t())
        elif word == "row":
            pool.append(a[number % a.shape[0]].unsqueeze(0))
        elif word == "column":
            pool.append(a[:, number % a.shape[1]].unsqueeze(1))
        elif word == "every-other":
            pool.append(a[:, ::2])
        elif word in ("flatten", "reshape"):
            pool.append(a.reshape(-1, 1))
        elif word == "diagonal":
            pool.append(a.diagonal().unsqueeze(0))
        elif word == "expand":
            pool.append(a[:1].expand(3, -1) + 0)
        elif word == "detach":
            pool.append(a.detach())
        elif word == "data":
            pool.append(a.data)
        elif word == "add_":
            a.add_(b.reshape(-1)[0].clone(), alpha=scale)
        elif word == "mul_":
            a.mul_(scale)
        elif word == "sin_":
            a.sin_()
        elif word == "copy_":
            a.copy_(b.reshape(-1)[:1].clone())
        elif word == "zero_":
            a[number % a.shape[0]].zero_()
        elif word == "set-slice":
            a[:, : 1 + number % 2] = b.reshape(-1)[0].clone() * scale
        elif word == "index-put":
            a[torch.tensor([0, 0]), torch.tensor([0, a.shape[1] - 1])] += scale / 3
        elif word == "masked-fill":
            a.masked_fill_(torch.arange(a.shape[1]) % 2 == 0, scale)
        elif word == "addcmul_":
            a.addcmul_(a.clone(), a.clone(), value=0.1)
        elif word == "foreach":
            torch._foreach_mul_([a[:1], a[1:]], scale)
        elif word == "out=":
            out = torch.empty_like(a)
            pool.append(torch.mul(a, scale, out=out))
        elif word == "add":
            pool.append(a + b.reshape(-1)[0])
        elif word == "mul":
            pool.append(a * scale)
        elif word == "matmul":
            pool.append((a @ a.t()) / 10)
        elif word == "sum":
            pool.append(a.sum(0, keepdim=True) / 4)
        elif word == "cat":
            pool.append(torch.cat([a, a * scale], 1)[:, :6])
        elif word == "where":
            pool.append(torch.where(torch.arange(a.shape[1]) > 1, a, scale * a))
        elif word == "clone":
            pool.append(a.clone())
        elif word == "half":
            pool.append(a.to(torch.bfloat16).to(a.dtype) if a.dtype == torch.float32 else a.clone())
        elif word == "sort":
            pool.append(torch.cumsum(a, 1) / 3)
    return pool


@settings(max_examples=120, deadline=None)
@given(
    program=st.lists(
        st.tuples(st.sampled_from(_WORDS), st.integers(0, 30), st.integers(0, 30), st.integers(0, 20)),
        min_size=1,
        max_size=14,
    ),
    attribution=st.booleans(),
)
def test_shadows_are_what_the_program_gives_in_float64(program: list[Instruction], attribution: bool) -> None:
    generator = torch.Generator().manual_seed(len(program))
    x, y = (torch.rand(3, 4, generator=generator) - 0.4 for _ in range(2))
    plain = execute(program, x.clone(), y.clone())
    right = execute(program, x.double(), y.double())
    with DigitsBlock("float64", attribution=attribution) as block:
        got = execute(program, x.clone(), y.clone())
        for low, wide, unwatched in zip(got, right, plain, strict=True):
            assert torch.equal(
                low,
                unwatched,
            ) or bool(low.isnan().any())
            with block._pausing():
                shadow = block._mode.engine.store.shadow(low)
                shadow = low.double() if shadow is None else shadow
                torch.testing.assert_close(shadow, wide, rtol=1e-9, atol=1e-12, equal_nan=True)
        block.output(got[-1])
    (output,) = block.report.outputs
    # Errors of float64's own size are no errors of the program's: the second run may round them otherwise.
    if output.attribution is not None and 1e-14 < abs(output.error) < 1e-3:
        assert block.report.notes == ()
        # Where an index repeats, PyTorch's derivative counts each of the values written there, also the overwritten.
        if all(name != "index-put" for name, *_ in program):
            assert abs(output.attribution.residual) < 0.05


def _seen(tensor: torch.Tensor, block: DigitsBlock) -> Any:
    with block._pausing():
        return block._mode.engine.store.shadow(tensor)


def test_memory_changed_behind_our_back_is_exact_again() -> None:
    with wellposed.digits() as d:
        x = torch.rand(50).sin()
        assert _seen(x, d) is not None
        with d._pausing():
            x.fill_(0.25)  # as NumPy or a kernel of the user's own may do
        y = x * 4
        assert torch.equal(y, torch.ones(50)) and _seen(y, d) is None
        d.output(y)
    assert d.report.outputs[0].error == 0
    assert any("memory was changed" in each for each in d.report.notes)


def test_the_same_memory_as_another_dtype_is_exact() -> None:
    with wellposed.digits() as d:
        x = torch.rand(8).sin()
        bits = x.view(torch.int32)
        bits += 1
        assert _seen(x, d) is None or torch.allclose(_seen(x, d), x.double(), atol=1e-6)
        assert _seen(bits, d) is None


def test_memory_that_one_operator_writes_twice_is_exact_and_said() -> None:
    with wellposed.digits() as d:
        x = torch.rand(3, 4).sin()
        torch._foreach_mul_([x, x.t()], 1.1)
        assert _seen(x, d) is None
        y = torch.rand(3, 4).sin()
        torch._foreach_mul_([y[:1], y[1:]], 1.1)  # side by side in one memory is nothing special
        assert _seen(y, d) is not None
    assert d.report.skipped == (("aten._foreach_mul_.Scalar", "it writes the same memory more than once", 1),)


def test_what_only_moves_numbers_needs_no_shadow() -> None:
    with wellposed.digits() as d:
        x = torch.rand(4, 4)
        for each in (x.clone(), torch.cat([x, x]), x[torch.tensor([0, 2])], x.t().contiguous()):
            assert _seen(each, d) is None


@pytest.mark.parametrize("shape", [(), (0,), (1,), (3, 0), (2, 3)])
def test_odd_shapes(shape: tuple[int, ...]) -> None:
    report = wellposed.digits(lambda x: (x.exp() + 1).log(), torch.full(shape, 0.3))
    assert report.outputs[0].digits.normwise > 6
    assert report.executed == 3


def test_a_store_forgets_what_is_dropped() -> None:
    store = Store(Float64())
    x = torch.rand(5)
    store.put(x, x.double() + 1e-9)
    assert len(store) == 1
    store.put(x[1:3], None)
    torch.testing.assert_close(
        store.shadow(x) - x.double(), torch.tensor([1e-9, 0, 0, 1e-9, 1e-9], dtype=torch.float64)
    )
    del x
    assert len(store) == 0 and store.bytes == 0


def test_dense_layouts() -> None:
    x = torch.empty(2, 3, 4)
    assert (
        is_dense(x)
        and is_dense(x.permute(2, 0, 1))
        and is_dense(torch.empty(2, 3, 4, 5).to(memory_format=torch.channels_last))
    )
    assert not is_dense(x[:, ::2]) and not is_dense(x[:, :1].expand(2, 3, 4))
