"""What `ordered` saves, and what it costs where there is nothing to save.

    python benchmarks/ordered.py

Each product is written as one would write it, and timed plainly and under `ordered` in turn; a cell is the median of
the ratios of such pairs, plain over ordered, so that what else runs on the machine touches both. Takes half a minute.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np

import wellposed

PAIRS = 5
SECONDS = 4.0
"""At most for one cell."""

Expression = Callable[..., Any]

EXPRESSIONS: dict[str, tuple[Expression, tuple[str, ...]]] = {
    "H.T @ H @ x": (lambda H, x: H.T @ H @ x, ("n×n", "n")),
    "(A @ B) @ v": (lambda A, B, v: (A @ B) @ v, ("n×n", "n×n", "n")),
    "A @ B @ C @ D, thin in the middle": (lambda A, B, C, D: A @ B @ C @ D, ("n×n", "n×n", "n×20", "20×n")),
    "A @ B @ C @ D, all square": (lambda A, B, C, D: A @ B @ C @ D, ("n×n", "n×n", "n×n", "n×n")),
}


def arrays(shapes: tuple[str, ...], n: int) -> list[Any]:
    generator = np.random.default_rng(0)
    sizes = [[n if size == "n" else int(size) for size in shape.split("×")] for shape in shapes]
    return [(generator.standard_normal(size) / n**0.5).astype(np.float32) for size in sizes]


def numpy_ways(function: Expression, given: list[Any]) -> tuple[Callable[[], Any], Callable[[], Any]]:
    ordered = wellposed.ordered(function)
    return lambda: function(*given), lambda: ordered(*given)


def torch_ways(function: Expression, given: list[Any]) -> tuple[Callable[[], Any], Callable[[], Any]]:
    import torch

    tensors = [torch.from_numpy(array) for array in given]
    return numpy_ways(function, tensors)


def jax_ways(function: Expression, given: list[Any]) -> tuple[Callable[[], Any], Callable[[], Any]]:
    import jax

    from wellposed.jax import ordered

    on_device = [jax.device_put(array) for array in given]
    plain, best = jax.jit(function), jax.jit(ordered(function))
    return lambda: plain(*on_device).block_until_ready(), lambda: best(*on_device).block_until_ready()


LIBRARIES = {"numpy": numpy_ways, "torch, eager": torch_ways, "jax.jit": jax_ways}


def seconds(call: Callable[[], Any], repeats: int) -> float:
    # Once for the caches and the threads of the other, which are not done with what they did last.
    call()
    start = time.perf_counter()
    for _ in range(repeats):
        call()
    return (time.perf_counter() - start) / repeats


def compare(plain: Callable[[], Any], ordered: Callable[[], Any]) -> tuple[float, float, float]:
    """Seconds of both, and the median ratio of pairs."""
    one, other = np.asarray(plain()), np.asarray(ordered())
    assert np.allclose(one, other, rtol=1e-2, atol=1e-3)
    pairs, end = [], time.perf_counter() + SECONDS
    repeats = [max(1, min(1000, int(0.02 / max(seconds(call, 1), 1e-6)))) for call in (plain, ordered)]
    while len(pairs) < PAIRS and (len(pairs) < 2 or time.perf_counter() < end):
        pairs.append((seconds(plain, repeats[0]), seconds(ordered, repeats[1])))
    return median(a for a, _ in pairs), median(b for _, b in pairs), median(a / b for a, b in pairs)


def written(value: float) -> str:
    return f"{value * 1e3:.3g} ms" if value >= 1e-3 else f"{value * 1e6:.3g} µs"


def table(n: int, names: list[str], libraries: list[str]) -> None:
    print(f"| n = {n:,}, float32 | {' | '.join(libraries)} |")
    print("|---" * (len(libraries) + 1) + "|")
    for name in names:
        function, shapes = EXPRESSIONS[name]
        cells = []
        for library in libraries:
            plain, ordered, ratio = compare(*LIBRARIES[library](function, arrays(shapes, n)))
            cells.append(f"{written(plain)} → {written(ordered)}, **{ratio:.3g}×**")
        print(f"| `{name}` | {' | '.join(cells)} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=1500, help="n of the large products")
    parser.add_argument("--library", choices=LIBRARIES, action="append", help="default: all three")
    options = parser.parse_args()
    libraries = options.library or list(LIBRARIES)
    table(options.size, list(EXPRESSIONS), libraries)
    print()
    table(10, list(EXPRESSIONS)[:2], libraries)


if __name__ == "__main__":
    main()
