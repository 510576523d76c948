"""What double-double costs: operators on pairs over float64's own, and mpmath for scale.

    python benchmarks/double_double.py [--size 100000] [--matrix 256] [--repeats 5]

Medians of repeats taken in turns in one run, one thread unless --threads says otherwise. The columns: nanoseconds an
element of float64, of double-double, their ratio, and nanoseconds an element of mpmath at 32 digits.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import mpmath
import torch

from wellposed.shadow.double_double import DoubleDouble
from wellposed.shadow.double_double.arithmetic import Pair, settle

aten = torch.ops.aten
_EXACT_ELEMENTS = 200


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--size", type=int, default=100_000, help="elements of the elementwise operators")
    options.add_argument("--matrix", type=int, default=256, help="rows and columns of the product of matrices")
    options.add_argument("--repeats", type=int, default=5)
    options.add_argument("--threads", type=int, default=1)
    given = options.parse_args()
    torch.set_num_threads(given.threads)
    x, y, a, b = (_random(*shape) for shape in ((given.size,), (given.size,), *[(given.matrix, given.matrix)] * 2))
    exact = mpmath.MPContext()
    exact.dps = 32
    cases: list[tuple[str, Any, tuple[Pair, ...], int, Callable[[list[Any], list[Any]], Any]]] = [
        ("add", aten.add.Tensor, (x, y), given.size, lambda u, v: [p + q for p, q in zip(u, v, strict=True)]),
        ("mul", aten.mul.Tensor, (x, y), given.size, lambda u, v: [p * q for p, q in zip(u, v, strict=True)]),
        ("div", aten.div.Tensor, (x, y), given.size, lambda u, v: [p / q for p, q in zip(u, v, strict=True)]),
        ("exp", aten.exp.default, (x,), given.size, lambda u, _: [exact.exp(p) for p in u]),
        ("log", aten.log.default, (x,), given.size, lambda u, _: [exact.log(p) for p in u]),
        ("sin", aten.sin.default, (x,), given.size, lambda u, _: [exact.sin(p) for p in u]),
        ("erf", aten.erf.default, (x,), given.size, lambda u, _: [exact.erf(p) for p in u]),
        ("sum", aten.sum.default, (x,), given.size, lambda u, _: exact.fsum(u)),
        ("mm", aten.mm.default, (a, b), given.matrix**3, exact.fdot),
    ]
    print(f"{given.size} elements, matrices of {given.matrix}, torch {torch.__version__}, {given.threads} thread(s)")
    print("| operator | float64, ns | double-double, ns | ratio | mpmath, ns |")
    print("|---|---|---|---|---|")
    reference = DoubleDouble()
    for name, operator, pairs, count, by_mpmath in cases:
        plain = tuple(each.high for each in pairs)
        numbers = [[exact.mpf(each) for each in pair.high.flatten()[:_EXACT_ELEMENTS].tolist()] for pair in (x, y)]
        programs = (
            lambda operator=operator, plain=plain: operator(*plain),
            lambda operator=operator, pairs=pairs: reference.apply(operator, pairs, {}),
            lambda by_mpmath=by_mpmath, numbers=numbers: by_mpmath(*numbers),
        )
        float64, double, slow = medians(programs, given.repeats)
        nanoseconds = float64 / count * 1e9, double / count * 1e9
        print(
            f"| {name} | {nanoseconds[0]:.3g} | {nanoseconds[1]:.3g} | {double / float64:.0f} "
            f"| {slow / _EXACT_ELEMENTS * 1e9:.3g} |",
            flush=True,
        )


def _random(*shape: int) -> Pair:
    high = torch.rand(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(len(shape))) + 0.5
    return settle(high, high * 2.0**-55)


def medians(programs: tuple[Callable[[], Any], ...], repeats: int) -> list[float]:
    """Seconds of each, measured in turns after one run that isn't counted."""
    times: list[list[float]] = [[] for _ in programs]
    for turn in range(repeats + 1):
        for place, program in enumerate(programs):
            start = time.perf_counter()
            program()
            if turn:
                times[place].append(time.perf_counter() - start)
    return [statistics.median(each) for each in times]


if __name__ == "__main__":
    main()
