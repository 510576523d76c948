"""Tensors whose statistics are easily got wrong, and what the native core says of them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import torch

from wellposed import _native

RANGE = (-0.5, 0.5)
FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
FLOATS_OF_8_BITS = (torch.float8_e4m3fn, torch.float8_e4m3fnuz, torch.float8_e5m2, torch.float8_e5m2fnuz)
_EXACT = (
    "count", "nan", "positive_infinity", "negative_infinity", "zero", "subnormal", "minimum", "maximum",
    "smallest_nonzero",
)  # fmt: skip
_MOMENTS = ("mean", "standard_deviation", "root_mean_square")


def edges(dtype: torch.dtype) -> Iterator[tuple[str, torch.Tensor]]:
    """Values at the edges of a dtype's range."""
    limits = torch.finfo(dtype)
    tiny = limits.smallest_normal
    special = [0.0, -0.0, math.nan, math.inf, -math.inf, tiny, tiny / 2, -tiny / 4, 1.0, -3.0, limits.max / 2]
    yield "special", torch.tensor(special, dtype=torch.float64).to(dtype)
    yield "only NaN", torch.full((5,), math.nan, dtype=dtype)
    yield "only -inf", torch.full((5,), -math.inf, dtype=dtype)
    yield "subnormal", ((torch.arange(900) % 7).double() * tiny / 8).to(dtype)
    yield "a single zero", torch.zeros(1, dtype=dtype)


def spreads(dtype: torch.dtype, count: int) -> Iterator[tuple[str, torch.Tensor]]:
    """Distributions whose moments lose digits when they are taken carelessly."""
    generator = torch.Generator().manual_seed(7)
    normal = torch.randn(count, generator=generator, dtype=torch.float64)
    yield "normal", normal.to(dtype)
    yield "far from zero", (normal + 1000).to(dtype)
    yield "constant", torch.full((count,), 3.0, dtype=dtype)
    yield "sorted", normal.sort().values.to(dtype)
    mixed = normal.to(dtype)
    mixed[::3], mixed[1::3] = math.inf, math.nan
    yield "mixed", mixed
    if dtype == torch.float64:
        for size in (1e305, 1e-200, 1e-300):
            yield f"about {size}", normal * size
        yield "largest", torch.tensor([1.7e308, -1.7e308], dtype=dtype).repeat(count // 2)


def layouts() -> Iterator[tuple[str, torch.Tensor]]:
    generator = torch.Generator().manual_seed(8)
    matrix = torch.randn(20, 30, generator=generator)
    numbers = torch.complex(matrix, matrix.flip(0))
    yield "transposed", matrix.t()
    yield "every other", matrix[::2, 1::3]
    yield "expanded", matrix[:, :1].expand(20, 5)
    yield "channels last", matrix.reshape(2, 3, 10, 10).to(memory_format=torch.channels_last)
    yield "complex", numbers
    yield "conjugated", numbers.conj()
    yield "imaginary part of conjugated", numbers.conj().imag
    yield "scalar", torch.tensor(2.0)
    yield "empty", torch.empty(0, 3)
    yield "integers", torch.arange(-20, 20)
    yield "booleans", matrix > 0
    for dtype in FLOATS_OF_8_BITS:
        yield str(dtype), matrix.to(dtype)


def assert_agrees(found: Any, tensor: torch.Tensor, name: str) -> None:
    """Counts and extremes must be those of the native core; moments within a millionth of the root mean square."""
    want = _native.summarise(tensor)
    for quantity in _EXACT:
        value, right = getattr(found, quantity), getattr(want, quantity)
        assert value == right or (math.isnan(value) and math.isnan(right)), (name, quantity, value, right)
    for quantity in _MOMENTS:
        value, right = getattr(found, quantity), getattr(want, quantity)
        near = abs(value - right) <= 1e-6 * abs(want.root_mean_square)
        assert near or (math.isnan(value) and math.isnan(right)), (name, quantity, value, right)
    assert found.saturated == _native.count_outside(tensor, *RANGE), (name, "saturated")
