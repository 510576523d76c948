"""What one pass of statistics costs, beside PyTorch's own reductions on the same memory.

    OMP_NUM_THREADS=1 python benchmarks/tensor_statistics.py [--quick]

Each figure is the median over paired runs: ours and the other are called in turn, so that a slow moment of the machine
falls on both. ``amax`` reads the tensor once for a single number; ``sum`` is the plainest reading PyTorch has;
``operators`` are the same statistics from PyTorch's operators.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import torch

from wellposed import _native

DTYPES = (torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.float8_e4m3fn, torch.int64)
SIZES = {"4k": 4096, "64k": 65536, "1M": 1 << 20, "4M": 4_000_000, "16M": 16_000_000}
ELEMENTS_PER_FIGURE = 100_000_000
FEWEST_PAIRS = 15
MOST_PAIRS = 2000


def with_operators(array: torch.Tensor) -> list[torch.Tensor]:
    """The statistics that `summarise` gives, as one would write them with PyTorch."""
    finite = array[torch.isfinite(array)]
    magnitude = finite.abs()
    nonzero = magnitude[magnitude != 0]
    wide = finite.double()
    return [
        torch.isnan(array).sum(),
        torch.isposinf(array).sum(),
        torch.isneginf(array).sum(),
        (finite == 0).sum(),
        (nonzero < torch.finfo(array.dtype).smallest_normal).sum(),
        finite.amin(),
        finite.amax(),
        nonzero.amin(),
        wide.mean(),
        wide.std(correction=0),
        wide.square().mean().sqrt(),
    ]


def seconds(call: Callable[[], Any]) -> float:
    """How long one call takes."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def paired(ours: Callable[[], Any], other: Callable[[], Any], pairs: int) -> tuple[float, float, float]:
    """Median seconds of both, and the median of the ratios."""
    ours(), other()
    times = [(seconds(ours), seconds(other)) for _ in range(pairs)]
    ratio = median(a / b for a, b in times)
    return median(a for a, _ in times), median(b for _, b in times), ratio


def offers(call: Callable[[], Any]) -> bool:
    """Whether PyTorch has this operator for this type."""
    try:
        call()
    except (RuntimeError, NotImplementedError, TypeError):
        return False
    return True


def sample(kind: str, dtype: torch.dtype, size: int) -> torch.Tensor:
    """Normal values times three; or, half of them zeros, as after a ReLU."""
    array = torch.randn(size) * 3
    return (array.relu() if kind == "relu" else array).to(dtype)


def line(name: str, array: torch.Tensor, quick: bool) -> str:
    """One row of the table."""
    pairs = min(MOST_PAIRS, max(FEWEST_PAIRS, ELEMENTS_PER_FIGURE // (array.numel() * (10 if quick else 1))))
    cells = []
    ours = 0.0
    others: dict[str, Callable[[], Any]] = {"amax": array.amax, "sum": array.sum}
    if array.is_floating_point() and array.dtype.itemsize > 1:
        others["operators"] = lambda: with_operators(array)
    for other, call in others.items():
        if not offers(call):
            cells.append(f"{'–':>10}")
            continue
        fewer = max(3, pairs // 20) if other == "operators" else pairs
        mine, _, ratio = paired(lambda: _native.summarise(array), call, fewer)
        # Operators leave other memory in the caches: our own time is taken from the first column.
        ours = ours or mine
        cells.append(f"{ratio:>10.3f}")
    if not ours:
        ours = median(seconds(lambda: _native.summarise(array)) for _ in range(pairs))
    _, _, share = paired(lambda: _native.all_finite(array), lambda: _native.summarise(array), pairs)
    speed = array.numel() * array.element_size() / ours / 1e9
    return f"{name:<28}{ours * 1e6:>12.1f}{speed:>8.1f}" + "".join(cells).ljust(30) + f"{share:>12.3f}"


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description="Times the one-pass statistics beside PyTorch's reductions.")
    parser.add_argument("--quick", action="store_true", help="fewer repetitions and no 16M")
    quick = parser.parse_args().quick
    torch.set_num_threads(1)
    torch.manual_seed(0)
    print(f"instruction set {_native.instruction_set()}, one thread; ratios are ours / the other, below 1 is faster")
    print(f"{'tensor':<28}{'ours µs':>12}{'GB/s':>8}{'amax':>10}{'sum':>10}{'operators':>10}{'all_finite':>12}")
    sizes = [size for size in SIZES if not (quick and size == "16M")]
    for dtype in DTYPES:
        for size in sizes:
            print(line(f"{str(dtype)[6:]} {size}", sample("normal", dtype, SIZES[size]), quick), flush=True)
    for size in sizes:
        print(line(f"float32 relu {size}", sample("relu", torch.float32, SIZES[size]), quick), flush=True)
    strided = torch.randn(2000, 4000)[:, ::2]
    print(line("float32 4M every second", strided, quick))
    print(line("float32 4M transposed", torch.randn(2000, 2000).t(), quick))


if __name__ == "__main__":
    main()
