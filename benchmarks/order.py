"""How long it takes to plan a chain, beside others who plan chains.

    python benchmarks/order.py [--quick]

A cell is the median time of the other over ours, taken side by side: above 1 is slower than wellposed. Others are left
out of a length where one plan takes more than a few seconds. cotengra is asked where it is installed.

NumPy and PyTorch plan inside of `multi_dot`: NumPy's own dynamic programme is called alone. PyTorch's cannot be: timed
is `multi_dot` of tensors that have shapes and no elements (on the device `meta`), less a product of as many of them
from left to right; shown where that difference is most of it, from a hundred matrices on.
"""

from __future__ import annotations

import argparse
import math
import random
import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from statistics import median
from typing import Any

from wellposed import matrix_chain_multiplication

LENGTHS = (3, 5, 10, 20, 50, 100, 200, 500, 1_000, 10_000, 100_000, 1_000_000)
LONGEST = 4.0
"""Seconds that one plan of another may take; longer chains are not tried."""

Planner = Callable[[Sequence[int]], Callable[[], Any]]
"""Prepares what is not planning, and gives the call that is timed."""


def ours(dimensions: Sequence[int]) -> Callable[[], Any]:
    return lambda: matrix_chain_multiplication(dimensions)


def numpy_multi_dot(dimensions: Sequence[int]) -> Callable[[], Any]:
    import numpy

    module = __import__("numpy.linalg._linalg", fromlist=["_multi_dot_matrix_chain_order"])
    arrays = [numpy.broadcast_to(numpy.float32(0), shape) for shape in pairwise(dimensions)]
    return lambda: module._multi_dot_matrix_chain_order(arrays)


def torch_multi_dot(dimensions: Sequence[int]) -> Callable[[], Any]:
    import torch

    tensors = [torch.empty(shape, device="meta") for shape in pairwise(dimensions)]
    return lambda: torch.linalg.multi_dot(tensors)


def torch_left_to_right(dimensions: Sequence[int]) -> Callable[[], Any]:
    import torch

    tensors = [torch.empty(shape, device="meta") for shape in pairwise(dimensions)]

    def multiply() -> torch.Tensor:
        out = tensors[0]
        for tensor in tensors[1:]:
            out = torch.mm(out, tensor)
        return out

    return multiply


def opt_einsum(how: str) -> Planner:
    def prepare(dimensions: Sequence[int]) -> Callable[[], Any]:
        from opt_einsum import contract_path, get_symbol

        names = [get_symbol(i) for i in range(len(dimensions))]
        equation = ",".join(a + b for a, b in pairwise(names)) + f"->{names[0]}{names[-1]}"
        shapes = list(pairwise(dimensions))
        return lambda: contract_path(equation, *shapes, shapes=True, optimize=how)

    return prepare


def cotengra_optimal(dimensions: Sequence[int]) -> Callable[[], Any]:
    import cotengra

    names = list(range(len(dimensions)))
    inputs = [(a, b) for a, b in pairwise(names)]
    sizes = dict(zip(names, dimensions, strict=True))
    return lambda: cotengra.pathfinders.path_basic.optimize_optimal(inputs, (names[0], names[-1]), sizes)


PEERS: dict[str, Planner] = {
    "numpy": numpy_multi_dot,
    "torch": torch_multi_dot,
    "opt_einsum auto": opt_einsum("auto"),
    "opt_einsum dp": opt_einsum("dp"),
    "cotengra optimal": cotengra_optimal,
}


def seconds(call: Callable[[], Any], repeats: int = 1) -> float:
    start = time.perf_counter()
    for _ in range(repeats):
        call()
    return (time.perf_counter() - start) / repeats


def beside(mine: Callable[[], Any], other: Callable[[], Any], less: Callable[[], Any] | None, quick: bool) -> float:
    """The median of the ratios of the other's time to ours, in pairs."""
    once = seconds(other)
    if less and once - min(seconds(less) for _ in range(3)) < once / 2:
        return float("nan")
    pairs = max(3, min(5 if quick else 15, int(1.0 / max(once, 1e-6))))
    ratios = []
    for _ in range(pairs):
        repeats = max(1, int(2e-3 / max(once, 1e-6)))
        theirs = seconds(other, repeats) - (seconds(less, repeats) if less else 0.0)
        ratios.append(theirs / seconds(mine, max(repeats, 20 if once < 0.1 else 1)))
    return median(ratios)


def written(ratio: float) -> str:
    """Three digits, and no powers of ten."""
    return f"{ratio:,.0f}" if ratio >= 1000 else f"{ratio:.3g}"


def dimensions_of(matrices: int) -> list[int]:
    rng = random.Random(matrices)
    return [rng.randint(1, 1000) for _ in range(matrices + 1)]


def cell(
    name: str, planner: Planner, dimensions: Sequence[int], last: dict[str, tuple[int, float]], quick: bool
) -> str:
    matrices = len(dimensions) - 1
    # Planning takes the square of the length, or more: what will be too slow is not begun.
    before, took = last.get(name, (matrices, 0.0))
    if took * (matrices / before) ** 2 > LONGEST:
        return "–"
    try:
        call = planner(dimensions)
        took = seconds(call)
        last[name] = matrices, took
        if took > LONGEST:
            return f"> {LONGEST:.0f} s"
        less = torch_left_to_right(dimensions) if planner is torch_multi_dot else None
        ratio = beside(ours(dimensions), call, less, quick)
        return "–" if math.isnan(ratio) else written(ratio)
    except (ImportError, ValueError, RecursionError, IndexError, MemoryError, RuntimeError, KeyError) as error:
        last[name] = matrices, LONGEST
        return f"({type(error).__name__} at {matrices:,})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer pairs, and at most 1,000 matrices")
    args = parser.parse_args()
    print(f"| matrices | wellposed | {' | '.join(PEERS)} |")
    print(f"|---|---|{'---|' * len(PEERS)}")
    last: dict[str, tuple[int, float]] = {}
    for matrices in LENGTHS[:9] if args.quick else LENGTHS:
        dimensions = dimensions_of(matrices)
        mine = ours(dimensions)
        mine()
        took = median(seconds(mine, max(1, 2000 // matrices)) for _ in range(15))
        cells = [cell(name, planner, dimensions, last, args.quick) for name, planner in PEERS.items()]
        print(f"| {matrices:,} | {written(took * 1e6)} µs | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
