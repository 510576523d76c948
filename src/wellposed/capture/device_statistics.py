"""Statistics of tensors that the processor cannot read: taken where the tensor is, fetched all at once.

`enqueue` and its like only put work on the device's queue. They wait for nothing, keep no reference to the tensor and
draw no random numbers; the caller has switched dispatch modes off. `fetch` waits, once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from functools import reduce
from importlib.util import find_spec
from typing import NamedTuple

import torch

from wellposed.capture import device_statistics_torch
from wellposed.capture.device_rows import DeviceRows, Row

Range = tuple[float, float]
_CANNOT = (RuntimeError, TypeError)
"""The device has no such operator for the dtype, or no memory left: the program's own work comes first."""
_Summarise = Callable[[torch.Tensor, "Range | None", DeviceRows], None]


class Summary(NamedTuple):
    """As `_native.Statistics`, in the order of the record's columns."""

    count: int
    nan: int
    positive_infinity: int
    negative_infinity: int
    zero: int
    subnormal: int
    minimum: float
    maximum: float
    smallest_nonzero: float
    mean: float
    standard_deviation: float
    root_mean_square: float
    saturated: int
    """-1 where no range was given."""


class Check(NamedTuple):
    """What two reductions tell: where there is a NaN, infinities are hidden behind it."""

    nan: bool
    positive_infinity: bool
    negative_infinity: bool


Result = Summary | Check | list[float]


@dataclass(slots=True)
class _Wanted:
    """Where the answer for a key will be found."""

    key: Hashable
    device: torch.device
    kind: type[Summary] | type[Check] | None
    first: int
    last: int = 0
    repeats: int = 1
    saturation: bool = False
    dtype: torch.dtype = torch.float64


class DeviceStatistics:
    """Collects questions about tensors on any number of devices."""

    def __init__(self, triton: bool | None = None):
        """`triton` says whether its kernel is used: None for CUDA tensors where it is installed."""
        self._triton = triton
        self._kernel: _Summarise | None = None
        self._rows: dict[torch.device, DeviceRows] = {}
        self._wanted: list[_Wanted] = []

    @property
    def pending(self) -> int:
        """Answers to be fetched."""
        return len(self._wanted)

    def is_fused(self, tensor: torch.Tensor) -> bool:
        """Whether the full statistics of this tensor cost about as little as a check."""
        if not (tensor.is_cuda if self._triton is None else self._triton):
            return False
        if self._kernel is None:
            self._kernel = _triton_kernel() or device_statistics_torch.summarise
        return self._kernel is not device_statistics_torch.summarise

    @torch.no_grad()
    def enqueue(self, key: Hashable, tensor: torch.Tensor, saturation: Range | None = None) -> bool:
        """Ask for the full statistics of a dense tensor; False where that cannot be."""
        if not _askable(tensor):
            return False
        rows = self._rows_of(tensor.device)
        first = rows.used
        try:
            flat, repeats = _flat(tensor)
            if flat.numel():
                self._summarise(flat, saturation, rows)
        except _CANNOT:
            rows.used = first
            return False
        self._wanted.append(
            _Wanted(key, tensor.device, Summary, first, rows.used, repeats, saturation is not None)
        )  # fmt: skip
        return True

    @torch.no_grad()
    def enqueue_check(self, key: Hashable, tensor: torch.Tensor) -> bool:
        """Ask only whether the tensor holds NaN or infinities: one reduction, which both show through."""
        if not _askable(tensor) or not tensor.numel():
            return False
        try:
            values = torch.view_as_real(tensor.detach().resolve_conj()) if tensor.is_complex() else tensor.detach()
            if values.dtype.itemsize == 1:
                values = values.to(torch.float32)  # float8 has no reductions
            place, number = self._rows_of(tensor.device).next_extremes(values.dtype)
            torch.aminmax(values, out=(place[0], place[1]))
        except _CANNOT:
            return False
        self._wanted.append(_Wanted(key, tensor.device, Check, number, dtype=values.dtype))
        return True

    @torch.no_grad()
    def enqueue_values(self, key: Hashable, values: torch.Tensor) -> None:
        """Ask for a few real numbers, as they are now."""
        number = self._rows_of(values.device).add_values(values)
        self._wanted.append(_Wanted(key, values.device, None, number))

    def fetch(self) -> dict[Hashable, Result]:
        """Every answer, by key, in the order of the questions; waits for the devices.

        While a CUDA graph is captured nothing can be waited for: the answers stay where they are.
        """
        if not self._wanted or _capturing():
            return {}
        wanted, self._wanted = self._wanted, []
        fetched = {device: rows.fetch() for device, rows in self._rows.items()}
        results: dict[Hashable, Result] = {}
        for each in wanted:
            found = fetched[each.device]
            if each.kind is Summary:
                results[each.key] = _summary(found.rows[each.first : each.last], each.repeats, each.saturation)
            elif each.kind is Check:
                low, high = found.extremes[each.dtype][each.first]
                results[each.key] = Check(math.isnan(low), high == math.inf, low == -math.inf)
            else:
                results[each.key] = found.values[each.first]
        return results

    def forget(self) -> None:
        """Drop the questions that nobody wants answered any more."""
        self._wanted = []
        for rows in self._rows.values():
            rows.forget()

    def _rows_of(self, device: torch.device) -> DeviceRows:
        rows = self._rows.get(device)
        if rows is None:
            rows = self._rows[device] = DeviceRows(device)
        return rows

    def _summarise(self, flat: torch.Tensor, saturation: Range | None, rows: DeviceRows) -> None:
        if self.is_fused(flat) and self._kernel is not None:
            used = rows.used
            try:
                self._kernel(flat, saturation, rows)
                return
            except torch.OutOfMemoryError:
                raise
            except Exception:
                # Triton is there, yet cannot compile (it needs a C compiler): PyTorch's operators do as well.
                rows.used = used
                self._kernel = device_statistics_torch.summarise
        device_statistics_torch.summarise(flat, saturation, rows)


def _triton_kernel() -> _Summarise | None:
    """The fused kernel, compiled at its first use; None where Triton is not installed."""
    if find_spec("triton") is None:
        return None
    from wellposed.capture import device_statistics_triton

    return device_statistics_triton.summarise


def _askable(tensor: torch.Tensor) -> bool:
    """Dense, with memory and an arithmetic of its own (a distributed tensor's would talk to the other ranks); and no
    CUDA graph is being captured, which would take our work along."""
    if type(tensor).__torch_dispatch__ is not torch.Tensor.__torch_dispatch__:
        return False
    return tensor.layout == torch.strided and not tensor.is_meta and not tensor.is_quantized and not _capturing()


def _capturing() -> bool:
    return torch.cuda.is_initialized() and torch.cuda.is_current_stream_capturing()


def _flat(tensor: torch.Tensor) -> tuple[torch.Tensor, int]:
    """The elements as a vector, in any order, and how often each stands in the tensor (expanded dimensions)."""
    tensor = tensor.detach().resolve_conj().resolve_neg()
    repeats = 1
    for dimension in range(tensor.dim() - 1, -1, -1):
        if tensor.stride(dimension) == 0 and tensor.size(dimension) > 1:
            repeats *= tensor.size(dimension)
            tensor = tensor.select(dimension, 0)
    if tensor.is_complex():
        tensor = torch.view_as_real(tensor)
    if not tensor.is_contiguous():
        # A dense tensor of another order of dimensions (transposed, channels last) is read as it lies in memory.
        tensor = tensor.permute(sorted(range(tensor.dim()), key=tensor.stride, reverse=True)).contiguous()
    return tensor.view(-1), repeats


def _summary(rows: list[Row], repeats: int, saturation: bool) -> Summary:
    pieces = [_piece(row) for row in rows]
    if not pieces:
        return Summary(0, 0, 0, 0, 0, 0, *[math.nan] * 6, 0 if saturation else -1)
    total = reduce(_merged, pieces)
    finite, nan, positive, negative, zero, subnormal, saturated = (count * repeats for count in total.counts)
    known = math.nan if finite == 0 else 1.0
    return Summary(
        finite + nan + positive + negative, nan, positive, negative, zero, subnormal,
        total.minimum * known, total.maximum * known,
        math.nan if math.isinf(total.smallest) else total.smallest,
        total.mean * known, total.deviation * known, math.hypot(total.mean, total.deviation) * known,
        saturated if saturation else -1,
    )  # fmt: skip


@dataclass(slots=True)
class _Piece:
    counts: tuple[int, ...]
    minimum: float
    maximum: float
    smallest: float
    mean: float
    deviation: float


def _piece(row: Row) -> _Piece:
    counts, measures = row
    return _Piece(tuple(counts), *measures)


def _merged(a: _Piece, b: _Piece) -> _Piece:
    """Two pieces as one (Chan, Golub and LeVeque): means and deviations weighted by the counts of finite elements."""
    first, second = a.counts[0], b.counts[0]
    counts = tuple(one + other for one, other in zip(a.counts, b.counts, strict=True))
    extremes = (min(a.minimum, b.minimum), max(a.maximum, b.maximum), min(a.smallest, b.smallest))
    if first == 0 or second == 0:
        moments = (b.mean, b.deviation) if first == 0 else (a.mean, a.deviation)
        return _Piece(counts, *extremes, *moments)
    share = second / (first + second)
    apart = b.mean - a.mean
    # hypot, since squares of float64 values could overflow.
    within = math.hypot(a.deviation * math.sqrt(1 - share), b.deviation * math.sqrt(share))
    between = apart * math.sqrt(share * (1 - share))
    return _Piece(counts, *extremes, a.mean + apart * share, math.hypot(within, between))
