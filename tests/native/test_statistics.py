"""The one-pass statistics against NumPy in float64: every element type, layout and set of kernels."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tests.native.reference import COUNTS, EXTREMES, MOMENTS, check, expected
from wellposed import _native

FLOATS = [
    torch.float64,
    torch.float32,
    torch.float16,
    torch.bfloat16,
    torch.float8_e4m3fn,
    torch.float8_e4m3fnuz,
    torch.float8_e5m2,
    torch.float8_e5m2fnuz,
]
INTEGERS = [
    torch.int8,
    torch.uint8,
    torch.int16,
    torch.uint16,
    torch.int32,
    torch.uint32,
    torch.int64,
    torch.uint64,
]
# Around every vector width (4 to 16), group of four vectors (16 to 64), block (1024) and piece (65536).
SIZES = [0, 1, 3, 4, 7, 15, 16, 17, 31, 33, 63, 65, 127, 1023, 1024, 1025, 1040, 5000, 65535, 65537, 140001]

pytestmark = pytest.mark.usefixtures("kernels")


def sample(size: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(size, generator=torch.Generator().manual_seed(seed + size), dtype=torch.float64)


def words(dtype: torch.dtype) -> torch.Tensor:
    """Every pattern of an 8- or 16-bit type."""
    if dtype.itemsize == 1:
        return torch.arange(256, dtype=torch.uint8).view(dtype)
    return torch.arange(-(2**15), 2**15, dtype=torch.int16).view(dtype)


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
@pytest.mark.parametrize("size", SIZES)
def test_floats_of_every_size(dtype: torch.dtype, size: int) -> None:
    array = (sample(size) * 3).to(dtype)
    check(_native.summarise(array), array)


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
@pytest.mark.parametrize("size", SIZES)
def test_zeros_and_specials_among_the_values(dtype: torch.dtype, size: int) -> None:
    array = sample(size) * 2 + 1
    array[::3] = 0
    array[1::7] = math.nan
    array[2::11] = math.inf
    array[3::13] = -math.inf
    array[4::17] = -0.0
    array = array.to(dtype)
    check(_native.summarise(array), array)
    assert _native.all_finite(array) == bool(torch.isfinite(array.double()).all())


@pytest.mark.parametrize("dtype", [t for t in FLOATS if t.itemsize <= 2], ids=str)
def test_every_pattern_of_the_small_types(dtype: torch.dtype) -> None:
    array = words(dtype)
    check(_native.summarise(array), array)
    singly = [_native.summarise(array[i : i + 1]).maximum for i in range(0, array.numel(), 97)]
    alone = array[::97].double()
    assert all(a == b or not math.isfinite(b) for a, b in zip(singly, alone.tolist(), strict=True))


@pytest.mark.parametrize("dtype", INTEGERS, ids=str)
@pytest.mark.parametrize("size", [1, 9, 100, 3000])
def test_integers(dtype: torch.dtype, size: int) -> None:
    limits = torch.iinfo(dtype)
    array = (sample(size) * 50).clamp(max(limits.min, -100), 100).to(dtype)
    check(_native.summarise(array), array)
    assert _native.all_finite(array)


@pytest.mark.parametrize("dtype", INTEGERS, ids=str)
def test_the_whole_range_of_integers(dtype: torch.dtype) -> None:
    limits = torch.iinfo(dtype)
    extremes = torch.tensor([limits.min, limits.max], dtype=dtype)
    found = _native.summarise(extremes)
    assert (found.minimum, found.maximum) == (float(limits.min), float(limits.max))
    spread = torch.randint(limits.min // 2, limits.max // 2, (3000,), generator=torch.Generator().manual_seed(0))
    array = spread.to(dtype)
    check(_native.summarise(array), array)
    wide = array.double()
    assert _native.count_outside(array, 3.5, 1e9) == int(((wide < 3.5) | (wide > 1e9)).sum())


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("size", [1, 100, 3000, 70000])
def test_booleans(share: float, size: int) -> None:
    array = torch.rand(size, generator=torch.Generator().manual_seed(1)) < share
    check(_native.summarise(array), array, tolerance=1e-12)


@pytest.mark.parametrize("dtype", [torch.complex32, torch.complex64, torch.complex128], ids=str)
def test_complex_numbers_count_as_two(dtype: torch.dtype) -> None:
    array = torch.complex(sample(1000), sample(1001)[1:]).to(dtype)
    found = _native.summarise(array)
    check(found, torch.view_as_real(array))
    assert found.count == 2000
    check(_native.summarise(array.reshape(20, 50)[::3, 1:].t()), torch.view_as_real(array).reshape(20, 50, 2)[::3, 1:])


def test_lazy_conjugation_is_seen() -> None:
    # GIVEN imaginary parts beyond all real parts, so that their sign decides the minimum
    array = torch.complex(sample(50), sample(51)[:50].abs() + 10).to(torch.complex64)
    assert _native.summarise(array.conj()).minimum == -array.imag.max().item()
    check(_native.summarise(array.conj().imag), -array.imag)
    assert _native.count_outside(array.conj().imag, 0.0, math.inf) == int((array.imag > 0).sum())


@pytest.mark.parametrize("fill", [math.nan, math.inf, -math.inf])
def test_nothing_finite(fill: float) -> None:
    array = torch.full((3000,), fill)
    found = _native.summarise(array)
    check(found, array)
    assert all(math.isnan(getattr(found, name)) for name in (*EXTREMES, *MOMENTS))
    assert not _native.all_finite(array)


def test_empty_and_scalar() -> None:
    for array in (torch.empty(0), torch.empty(3, 0, 2), np.empty((0, 4))):
        found = _native.summarise(array)
        assert found.count == 0
        assert math.isnan(found.mean)
        assert _native.all_finite(array)
        assert _native.count_outside(array, 0.0, 0.0) == 0
    check(_native.summarise(torch.tensor(-2.5)), torch.tensor(-2.5))
    check(_native.summarise(np.array(3.0)), np.array(3.0))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16], ids=str)
def test_subnormals_are_counted_and_kept(dtype: torch.dtype) -> None:
    normal = torch.finfo(dtype).smallest_normal
    array = torch.tensor([normal, normal / 2, -normal / 4, 0.0, 1.0], dtype=dtype).repeat(700)
    found = _native.summarise(array)
    check(found, array)
    assert found.subnormal == 1400
    assert found.smallest_nonzero == normal / 4


def test_subnormals_survive_a_program_that_flushes_them() -> None:
    array = torch.full((5000,), 1e-310, dtype=torch.float64)
    if not torch.set_flush_denormal(True):
        pytest.skip("this processor cannot flush subnormals")
    try:
        found = _native.summarise(array)
    finally:
        torch.set_flush_denormal(False)
    assert found.subnormal == 5000
    assert found.zero == 0
    assert found.mean == pytest.approx(1e-310, rel=1e-9)


@pytest.mark.parametrize("noise", [1e-2, 1e-4])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_standard_deviation_far_from_zero(dtype: torch.dtype, noise: float) -> None:
    array = (1000 + noise * sample(300_000)).to(dtype)
    found, want = _native.summarise(array), expected(array)
    assert found.standard_deviation == pytest.approx(want["standard_deviation"], rel=1e-6)
    assert found.mean == pytest.approx(want["mean"], rel=1e-12)


def test_a_constant_has_no_deviation() -> None:
    array = torch.full((100_003,), 0.1)
    found = _native.summarise(array)
    assert found.standard_deviation <= 1e-12
    assert found.mean == pytest.approx(array[0].item(), rel=1e-14)


@pytest.mark.parametrize("scale", [1e-300, 1e-38, 1e-30, 1e-20, 1e-15, 1e15, 1e19, 1e25, 1e30, 1e37, 1e300])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16], ids=str)
def test_squares_neither_overflow_nor_vanish(dtype: torch.dtype, scale: float) -> None:
    if scale > torch.finfo(dtype).max or scale < torch.finfo(dtype).smallest_normal:
        pytest.skip("beyond the type")
    array = (sample(5000) * scale).to(dtype)
    found, want = _native.summarise(array), expected(array)
    check(found, array)
    assert found.standard_deviation == pytest.approx(want["standard_deviation"], rel=1e-6)
    assert found.standard_deviation > 0


def test_the_largest_float64_values() -> None:
    array = np.array([1.7e308, -1.7e308, 1.7e308, 0.0] * 300)
    check(_native.summarise(array), array, tolerance=1e-12)


def test_halves_whose_squares_exceed_their_range() -> None:
    array = torch.full((4096,), 60000.0, dtype=torch.float16)
    array[::2] *= -1
    assert _native.summarise(array).root_mean_square == pytest.approx(60000.0, rel=1e-6)


def test_accuracy_does_not_wear_off_with_size() -> None:
    array = sample(3_000_000).abs().to(torch.float32)
    found, want = _native.summarise(array), expected(array)
    for name in MOMENTS:
        assert getattr(found, name) == pytest.approx(want[name], rel=1e-7)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    hnp.arrays(
        st.sampled_from([np.float32, np.float64, np.float16]),
        hnp.array_shapes(min_dims=0, max_dims=4, max_side=9),
        elements=st.one_of(st.floats(width=16), st.just(0.0), st.sampled_from([math.inf, -math.inf, math.nan])),
    )
)
def test_any_array(array: np.ndarray) -> None:
    check(_native.summarise(array), array)
    assert _native.all_finite(array) == bool(np.isfinite(array).all())


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.floats(width=32), max_size=80), st.floats(allow_nan=False), st.floats(allow_nan=False))
def test_count_outside_is_exact_for_any_bounds(values: list[float], low: float, high: float) -> None:
    array = np.array(values, dtype=np.float32)
    wide = array.astype(np.float64)
    assert _native.count_outside(array, low, high) == int(((wide < low) | (wide > high)).sum())


@pytest.mark.parametrize("dtype", [*FLOATS, *INTEGERS, torch.bool], ids=str)
def test_count_outside_of_every_type(dtype: torch.dtype) -> None:
    array = (sample(3001) * 2).abs().to(dtype)
    wide = array.double()
    assert _native.count_outside(array, 0.5, 1.5) == int(((wide < 0.5) | (wide > 1.5)).sum())


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
@pytest.mark.parametrize("place", [0, 5, 1023, 4096, 9999])
def test_a_single_nan_is_found_anywhere(dtype: torch.dtype, place: int) -> None:
    array = sample(10_000).to(dtype)
    assert _native.all_finite(array)
    array[place] = math.nan
    assert not _native.all_finite(array)
    assert _native.summarise(array).nan == 1


@pytest.mark.parametrize("threads", [2, 3, 8])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.int64], ids=str)
def test_threads_change_nothing(dtype: torch.dtype, threads: int) -> None:
    array = (sample(1_000_003) * 5).to(dtype)
    alone, together = _native.summarise(array), _native.summarise(array, threads=threads)
    assert repr(alone) == repr(together)
    assert all(getattr(alone, name) == expected(array)[name] for name in COUNTS)
    assert _native.count_outside(array, -5, 5, threads) == _native.count_outside(array, -5, 5)
    if dtype.is_floating_point:
        array[987_654] = math.nan
        assert not _native.all_finite(array, threads)
