"""The statistics of a tensor with PyTorch's own operators, left on the device: for every device that PyTorch knows."""

from __future__ import annotations

import torch

from wellposed.capture.device_rows import DeviceRows

_PIECE_ELEMENTS = 1 << 22
"""Larger tensors are taken in pieces, each a row of its own: the temporaries are eight times as wide as float8."""

LARGEST_UNSCALED, SMALLEST_UNSCALED, SCALE = 1e140, 1e-130, 2.0**600
"""Squares of float64 values beyond these could overflow, or lose digits to underflow: they are scaled first."""


def smallest_normal(dtype: torch.dtype) -> float:
    """The smallest number of the dtype that is not subnormal; 0 where it has none."""
    return torch.finfo(dtype).tiny if dtype.is_floating_point else 0.0


def summarise(flat: torch.Tensor, saturation: tuple[float, float] | None, rows: DeviceRows) -> None:
    """Enqueue the statistics of a vector; they go to the next rows, one for each piece."""
    for piece in flat.split(_PIECE_ELEMENTS):
        _summarise_piece(piece, saturation, rows)


def _summarise_piece(flat: torch.Tensor, saturation: tuple[float, float] | None, rows: DeviceRows) -> None:
    wide = flat.to(rows.accumulator)
    finite = torch.isfinite(wide)
    magnitude = wide.abs()
    nonzero = finite & (magnitude > 0)
    smallest = torch.where(nonzero, magnitude, torch.inf).amin()
    minimum = torch.where(finite, wide, torch.inf).amin()
    maximum = torch.where(finite, wide, -torch.inf).amax()
    outside = (wide < saturation[0]) | (wide > saturation[1]) if saturation else torch.zeros_like(finite)
    count = finite.sum()
    counts = torch.stack([
        count, torch.isnan(wide).sum(), (wide == torch.inf).sum(), (wide == -torch.inf).sum(), (wide == 0).sum(),
        (nonzero & (magnitude < smallest_normal(flat.dtype))).sum(), outside.sum(),
    ])  # fmt: skip
    kept = torch.where(finite, wide, 0.0)
    scale = _scale(minimum, maximum) if flat.dtype == torch.float64 else 1.0
    kept = kept * scale
    mean = kept.sum() / count
    deviation = torch.where(finite, kept - mean, 0.0).square().sum().div(count).sqrt()
    measures = torch.stack([minimum, maximum, smallest, mean / scale, deviation / scale])
    chunk, row = rows.next_row()
    chunk.counts[row].copy_(counts)
    chunk.measures[row].copy_(measures)


def _scale(minimum: torch.Tensor, maximum: torch.Tensor) -> torch.Tensor:
    """The power of two to multiply by before squares are taken."""
    largest = torch.maximum(minimum.abs(), maximum.abs())
    one = torch.ones_like(largest)
    up = torch.where((largest < SMALLEST_UNSCALED) & (largest > 0), one * SCALE, one)
    return torch.where(largest > LARGEST_UNSCALED, one / SCALE, up)
