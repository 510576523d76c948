"""Numbers that stay on an accelerator until they are asked for: rows of preallocated buffers, one set per device.

Nothing here waits for the device but `fetch`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch

COUNTS = 7
"""Integers of a row: finite, NaN, +inf, -inf, zero, subnormal, saturated."""
MEASURES = 5
"""Floats of a row: minimum, maximum, smallest non-zero magnitude, mean, standard deviation."""
CHUNK_ROWS = 1024

Row = tuple[list[int], list[float]]


@dataclass(slots=True)
class Chunk:
    """Buffers grow by whole chunks: work that is still under way on another stream never sees its row move."""

    counts: torch.Tensor
    measures: torch.Tensor


@dataclass(slots=True)
class Fetched:
    """What came back from one device."""

    rows: list[Row]
    extremes: dict[torch.dtype, list[tuple[float, float]]]
    values: list[list[float]]


@dataclass(slots=True)
class DeviceRows:
    """The buffers of one device, filled from the start again after each `fetch`."""

    device: torch.device
    used: int = 0
    _chunks: list[Chunk] = field(default_factory=list)
    _extremes: dict[torch.dtype, list[torch.Tensor]] = field(default_factory=dict)
    _extremes_used: dict[torch.dtype, int] = field(default_factory=dict)
    _values: list[torch.Tensor] = field(default_factory=list)

    @property
    def accumulator(self) -> torch.dtype:
        """The widest float of the device: Metal has no float64."""
        return torch.float32 if self.device.type == "mps" else torch.float64

    def next_row(self) -> tuple[Chunk, int]:
        """A chunk and the number of the row in it that the next statistics go to."""
        chunk, row = divmod(self.used, CHUNK_ROWS)
        if chunk == len(self._chunks):
            self._chunks.append(
                Chunk(
                    torch.empty((CHUNK_ROWS, COUNTS), dtype=torch.int64, device=self.device),
                    torch.empty((CHUNK_ROWS, MEASURES), dtype=self.accumulator, device=self.device),
                )
            )
        self.used += 1
        return self._chunks[chunk], row

    def next_extremes(self, dtype: torch.dtype) -> tuple[torch.Tensor, int]:
        """Where the next minimum and maximum of a tensor of this dtype go: a vector of two, and its number.

        They are kept in the tensor's own dtype, so that the reduction writes them without a conversion.
        """
        number = self._extremes_used.get(dtype, 0)
        chunks = self._extremes.setdefault(dtype, [])
        if number == len(chunks) * CHUNK_ROWS:
            chunks.append(torch.empty((CHUNK_ROWS, 2), dtype=dtype, device=self.device))
        self._extremes_used[dtype] = number + 1
        return chunks[number // CHUNK_ROWS][number % CHUNK_ROWS], number

    def add_values(self, values: torch.Tensor) -> int:
        """Keep a few numbers as they are now; returns their number."""
        self._values.append(values.detach().reshape(-1).to(self.accumulator, copy=True))
        return len(self._values) - 1

    def fetch(self) -> Fetched:
        """Wait for the device, and bring everything over in one transfer of integers and one of floats."""
        if self.device.type == "cuda":
            # Rows may have been enqueued on several streams.
            torch.cuda.synchronize(self.device)
        counts, floats = self._together()
        rows = [
            (counts[COUNTS * row : COUNTS * (row + 1)], floats[MEASURES * row : MEASURES * (row + 1)])
            for row in range(self.used)
        ]
        at = MEASURES * self.used
        extremes: dict[torch.dtype, list[tuple[float, float]]] = {}
        for dtype, used in self._extremes_used.items():
            extremes[dtype] = list(zip(floats[at : at + 2 * used : 2], floats[at + 1 : at + 2 * used : 2], strict=True))
            at += 2 * used
        values = []
        for kept in self._values:
            values.append(floats[at : at + kept.numel()])
            at += kept.numel()
        self.forget()
        return Fetched(rows, extremes, values)

    def forget(self) -> None:
        self.used = 0
        self._extremes_used.clear()
        self._values.clear()

    def _together(self) -> tuple[list[int], list[float]]:
        chunks = self._chunks[: -(-self.used // CHUNK_ROWS)]
        counts = [chunk.counts.view(-1) for chunk in chunks]
        # A chunk's unused rows are left behind, where it is the last.
        last = self.used - CHUNK_ROWS * (len(chunks) - 1)
        floats = [chunk.measures.view(-1) for chunk in chunks]
        if chunks:
            counts[-1], floats[-1] = counts[-1][: COUNTS * last], floats[-1][: MEASURES * last]
        for dtype, used in self._extremes_used.items():
            for chunk in range(-(-used // CHUNK_ROWS)):
                part = self._extremes[dtype][chunk][: used - chunk * CHUNK_ROWS]
                floats.append(part.reshape(-1).to(self.accumulator))
        floats.extend(self._values)
        all_counts: list[int] = torch.cat(counts).tolist() if counts else []
        all_floats: list[float] = torch.cat(floats).tolist() if floats else []
        return all_counts, all_floats
