"""The statistics of a tensor in one fused Triton kernel. Imported only where Triton is installed.

Each program takes every n-th tile of the tensor and keeps its counts, extremes and sums in registers. Values are told
apart by their bits: comparisons of integers are exact for subnormals too, whatever the compiler flushes to zero, and
cost no double precision, of which small GPUs have little. Only the two sums are in float64, of the distances to the
mean of the program's first tile, so that a mean far from zero costs no digits of the variance. A second, tiny kernel
makes one row of what the programs found; it follows on the same stream, so nothing waits.
"""

# Annotations are read by Triton when it compiles: no `from __future__ import annotations` here.

from typing import Any

import torch
import triton
import triton.language as tl

from wellposed.capture import device_statistics_torch
from wellposed.capture.device_rows import COUNTS, MEASURES, DeviceRows
from wellposed.capture.device_statistics_torch import LARGEST_UNSCALED, SCALE, SMALLEST_UNSCALED

TILE = 1024
MOST_PROGRAMS = 1024
"""Of one tensor: several for each multiprocessor of the largest GPUs."""
TILES_OF_ONE = 8
"""A tensor of at most this many tiles is left to one program, which writes the final row itself."""

# Integer type of the same width; bits of infinity and of the smallest normal number (without the sign).
_FORMATS: dict[torch.dtype, tuple[torch.dtype, int, int]] = {
    torch.float16: (torch.int16, 0x7C00, 0x0400),
    torch.bfloat16: (torch.int16, 0x7F80, 0x0080),
    torch.float32: (torch.int32, 0x7F80_0000, 0x0080_0000),
    torch.float64: (torch.int64, 0x7FF0_0000_0000_0000, 0x0010_0000_0000_0000),
}
_KINDS = {torch.float16: 0, torch.bfloat16: 1, torch.float32: 2, torch.float64: 3}


@triton.jit
def _value(bits, KIND: tl.constexpr):
    """The numbers that the bits stand for, in float64."""
    if KIND == 0:
        value = bits.to(tl.int16).to(tl.float16, bitcast=True)
    elif KIND == 1:
        value = (bits.to(tl.int32) << 16).to(tl.float32, bitcast=True)
    elif KIND == 2:
        value = bits.to(tl.int32).to(tl.float32, bitcast=True)
    else:
        value = bits.to(tl.int64).to(tl.float64, bitcast=True)
    return value.to(tl.float64)


@triton.jit
def _scale_for(largest, LARGEST: tl.constexpr, SMALLEST: tl.constexpr, SCALE: tl.constexpr):
    """What to multiply by before squares are taken: they could overflow, or lose digits to underflow."""
    up = tl.where((largest < SMALLEST) & (largest > 0), SCALE, 1.0)
    return tl.where(largest > LARGEST, 1 / SCALE, up)


@triton.jit(do_not_specialize=["units", "row"])
def _summarise(
    elements, units, counts, measures, row,
    KIND: tl.constexpr, INFINITY: tl.constexpr, NORMAL: tl.constexpr, LOW: tl.constexpr, HIGH: tl.constexpr,
    TILE: tl.constexpr, UNIT: tl.constexpr, COUNTS: tl.constexpr, MEASURES: tl.constexpr,
    LARGEST: tl.constexpr, SMALLEST: tl.constexpr, SCALE: tl.constexpr,
):  # fmt: skip
    count = units.to(tl.int64) * UNIT
    program = tl.program_id(0).to(tl.int64)
    lane = tl.arange(0, TILE)
    bits_type: tl.constexpr = tl.int64 if KIND == 3 else tl.int32
    magnitude_mask: tl.constexpr = 0x7FFF if KIND < 2 else (0x7FFF_FFFF if KIND == 2 else 0x7FFF_FFFF_FFFF_FFFF)

    first = program * TILE + lane
    bits = tl.load(elements + first, mask=first < count, other=0).to(bits_type)
    usable = (first < count) & ((bits & magnitude_mask) < INFINITY)
    usable_count = tl.sum(usable.to(tl.int64), 0)
    divisor = tl.maximum(usable_count, 1).to(tl.float64)
    # Divided before they are added: the sum of large float64 values could overflow.
    shift = tl.sum(tl.where(usable, _value(bits, KIND) / divisor, 0.0), 0)

    finite = tl.zeros([TILE], tl.int32)
    nan = tl.zeros([TILE], tl.int32)
    positive = tl.zeros([TILE], tl.int32)
    negative = tl.zeros([TILE], tl.int32)
    zero = tl.zeros([TILE], tl.int32)
    subnormal = tl.zeros([TILE], tl.int32)
    saturated = tl.zeros([TILE], tl.int32)
    lowest = tl.full([TILE], INFINITY, bits_type)
    highest = tl.full([TILE], -INFINITY, bits_type)
    smallest = tl.full([TILE], INFINITY, bits_type)
    total = tl.zeros([TILE], tl.float64)
    squares = tl.zeros([TILE], tl.float64)
    if KIND == 3:
        total_down = tl.zeros([TILE], tl.float64)
        squares_down = tl.zeros([TILE], tl.float64)
        squares_up = tl.zeros([TILE], tl.float64)

    for start in range(program * TILE, count, tl.num_programs(0).to(tl.int64) * TILE):
        at = start + lane
        inside = at < count
        bits = tl.load(elements + at, mask=inside, other=0).to(bits_type)
        magnitude = bits & magnitude_mask
        usable = inside & (magnitude < INFINITY)
        infinite = magnitude == INFINITY
        finite += usable.to(tl.int32)
        nan += (magnitude > INFINITY).to(tl.int32)
        positive += (infinite & (bits >= 0)).to(tl.int32)
        negative += (infinite & (bits < 0)).to(tl.int32)
        zero += (usable & (magnitude == 0)).to(tl.int32)
        subnormal += ((magnitude > 0) & (magnitude < NORMAL)).to(tl.int32)
        smallest = tl.minimum(smallest, tl.where(usable & (magnitude > 0), magnitude, INFINITY))
        # Negative numbers are ordered against their magnitudes.
        order = tl.where(bits < 0, -magnitude, magnitude)
        lowest = tl.minimum(lowest, tl.where(usable, order, INFINITY))
        highest = tl.maximum(highest, tl.where(usable, order, -INFINITY))
        value = _value(bits, KIND)
        if LOW is not None:
            saturated += (inside & ((value < LOW) | (value > HIGH))).to(tl.int32)
        if KIND == 3:
            # Halves first: the distance of two large values could overflow.
            half = tl.where(usable, value * 0.5 - shift * 0.5, 0.0)
            distance = half * 2
            down = half * (2 / SCALE)
            total_down += down
            squares_down += down * down
            up = tl.where(tl.abs(half) < SMALLEST, half, 0.0) * (2 * SCALE)
            squares_up += up * up
        else:
            distance = tl.where(usable, value - shift, 0.0)
        total += distance
        squares += distance * distance

    all_finite = tl.sum(finite.to(tl.int64), 0)
    minimum_bits = tl.min(lowest, 0)
    maximum_bits = tl.max(highest, 0)
    minimum = _signed(minimum_bits, KIND)
    maximum = _signed(maximum_bits, KIND)
    divisor = tl.maximum(all_finite, 1).to(tl.float64)
    scale = tl.full([], 1.0, tl.float64)
    sum_of_all = tl.sum(total, 0)
    sum_of_squares = tl.sum(squares, 0)
    if KIND == 3:
        scale = _scale_for(tl.maximum(tl.abs(minimum), tl.abs(maximum)), LARGEST, SMALLEST, SCALE)
        sum_of_all = tl.where(scale < 1, tl.sum(total_down, 0), sum_of_all * scale)
        sum_of_squares = tl.where(scale < 1, tl.sum(squares_down, 0), sum_of_squares)
        sum_of_squares = tl.where(scale > 1, tl.sum(squares_up, 0), sum_of_squares)
    offset = sum_of_all / divisor
    variance = tl.maximum(sum_of_squares / divisor - offset * offset, 0.0)
    mean = shift + offset / scale
    deviation = tl.sqrt(variance) / scale

    at_counts = counts + (row + program) * COUNTS
    tl.store(at_counts, all_finite)
    tl.store(at_counts + 1, tl.sum(nan.to(tl.int64), 0))
    tl.store(at_counts + 2, tl.sum(positive.to(tl.int64), 0))
    tl.store(at_counts + 3, tl.sum(negative.to(tl.int64), 0))
    tl.store(at_counts + 4, tl.sum(zero.to(tl.int64), 0))
    tl.store(at_counts + 5, tl.sum(subnormal.to(tl.int64), 0))
    tl.store(at_counts + 6, tl.sum(saturated.to(tl.int64), 0))
    at_measures = measures + (row + program) * MEASURES
    tl.store(at_measures, minimum)
    tl.store(at_measures + 1, maximum)
    tl.store(at_measures + 2, _value(tl.min(smallest, 0), KIND))
    tl.store(at_measures + 3, mean)
    tl.store(at_measures + 4, deviation)


@triton.jit
def _signed(order, KIND: tl.constexpr):
    """The number at this place in the order of all numbers."""
    value = _value(tl.abs(order), KIND)
    return tl.where(order < 0, -value, value)


@triton.jit(do_not_specialize=["programs", "row"])
def _combine(
    partial_counts, partial_measures, programs, counts, measures, row,
    MOST: tl.constexpr, COUNTS: tl.constexpr, MEASURES: tl.constexpr,
    LARGEST: tl.constexpr, SMALLEST: tl.constexpr, SCALE: tl.constexpr,
):  # fmt: skip
    """One row out of one for each program: extremes of extremes, and means and deviations weighted by the counts."""
    program = tl.arange(0, MOST)
    there = program < programs
    at_counts = partial_counts + program * COUNTS
    at_measures = partial_measures + program * MEASURES
    finite = tl.load(at_counts, mask=there, other=0)
    minimum = tl.min(tl.load(at_measures, mask=there, other=float("inf")), 0)
    maximum = tl.max(tl.load(at_measures + 1, mask=there, other=float("-inf")), 0)
    smallest = tl.min(tl.load(at_measures + 2, mask=there, other=float("inf")), 0)
    scale = _scale_for(tl.maximum(tl.abs(minimum), tl.abs(maximum)), LARGEST, SMALLEST, SCALE)
    means = tl.load(at_measures + 3, mask=there, other=0.0) * scale
    deviations = tl.load(at_measures + 4, mask=there, other=0.0) * scale
    all_finite = tl.sum(finite, 0)
    weight = finite.to(tl.float64) / tl.maximum(all_finite, 1).to(tl.float64)
    mean = tl.sum(weight * means, 0)
    apart = tl.where(finite > 0, means - mean, 0.0)
    variance = tl.sum(weight * (deviations * deviations + apart * apart), 0)
    to_counts = counts + row * COUNTS
    tl.store(to_counts, all_finite)
    for column in tl.static_range(1, COUNTS):
        tl.store(to_counts + column, tl.sum(tl.load(at_counts + column, mask=there, other=0), 0))
    to_measures = measures + row * MEASURES
    tl.store(to_measures, minimum)
    tl.store(to_measures + 1, maximum)
    tl.store(to_measures + 2, smallest)
    tl.store(to_measures + 3, mean / scale)
    tl.store(to_measures + 4, tl.sqrt(variance) / scale)


_CONSTANTS: dict[str, Any] = {
    "COUNTS": COUNTS, "MEASURES": MEASURES, "LARGEST": LARGEST_UNSCALED, "SMALLEST": SMALLEST_UNSCALED, "SCALE": SCALE,
}  # fmt: skip


def summarise(flat: torch.Tensor, saturation: tuple[float, float] | None, rows: DeviceRows) -> None:
    """Enqueue the statistics of a vector; they go to the next row."""
    if flat.dtype.is_floating_point and flat.dtype not in _FORMATS:  # float8
        device_statistics_torch.summarise(flat, saturation, rows)
        return
    if flat.dtype not in _FORMATS:
        flat = flat.to(torch.float32 if flat.dtype.itemsize < 4 else torch.float64)
    if flat.is_cuda and flat.device.index != torch.cuda.current_device():
        # Triton launches on the current device, wherever the memory is.
        with torch.cuda.device(flat.device):
            _launch(flat, saturation, rows)
    else:
        _launch(flat, saturation, rows)


def _launch(flat: torch.Tensor, saturation: tuple[float, float] | None, rows: DeviceRows) -> None:
    bits_type, infinity, normal = _FORMATS[flat.dtype]
    low, high = saturation or (None, None)
    count = flat.numel()
    # Where whole vectors lie inside or outside, they are loaded as such.
    unit = 16 if count % 16 == 0 else 1
    tiles = triton.cdiv(count, TILE)
    programs = 1 if tiles <= TILES_OF_ONE else min(tiles, MOST_PROGRAMS)
    chunk, row = rows.next_row()
    if programs == 1:
        counts, measures, first = chunk.counts, chunk.measures, row
    else:
        counts = torch.empty((programs, COUNTS), dtype=torch.int64, device=flat.device)
        measures = torch.empty((programs, MEASURES), dtype=torch.float64, device=flat.device)
        first = 0
    _summarise[(programs,)](
        flat.view(bits_type), count // unit, counts, measures, first, KIND=_KINDS[flat.dtype], INFINITY=infinity,
        NORMAL=normal, LOW=low, HIGH=high, TILE=TILE, UNIT=unit, **_CONSTANTS,
    )  # fmt: skip
    if programs > 1:
        _combine[(1,)](
            counts, measures, programs, chunk.counts, chunk.measures, row, MOST=MOST_PROGRAMS, **_CONSTANTS
        )  # fmt: skip
