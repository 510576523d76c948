"""Linear algebra awareness: what an expression costs as it is written, over its best form by hand.

    python benchmarks/awareness.py [--size 1500] [--repeats 3]

The expressions are those of Sankaran, Alamian and Bientinesi, arXiv 2202.09888. Each is written plainly and run by
NumPy, by PyTorch, by ``torch.compile`` and by ``torch.compile(…, backend="wellposed")``, and its optimised form by
PyTorch; all in one run, in turns, float32. Printed is the median of each time over that of the form by hand.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy
import torch

import wellposed.torch  # noqa: F401  (the backend's name)

Function = Callable[..., Any]

EXPRESSIONS: dict[str, tuple[Function, Function, str]] = {
    # name: as written, by hand, operands (capital letters are matrices)
    "HᵀHx": (lambda h, x: h.T @ h @ x, lambda h, x: h.T @ (h @ x), "Hx"),
    "yᵀHᵀH": (lambda y, h: y.T @ h.T @ h, lambda y, h: (y.T @ h.T) @ h, "yH"),
    "HᵀyxᵀH": (lambda h, x, y: h.T @ y @ x.T @ h, lambda h, x, y: (h.T @ y) @ (x.T @ h), "Hxy"),
    "(AᵀB)ᵀ(AᵀB)": (lambda a, b: (a.T @ b).T @ (a.T @ b), lambda a, b: (s := a.T @ b).T @ s, "AB"),
    "(AᵀB)ᵀAᵀB": (lambda a, b: (a.T @ b).T @ a.T @ b, lambda a, b: (s := a.T @ b).T @ s, "AB"),
    "AᵀBAᵀBy": (lambda a, b, y: a.T @ b @ a.T @ b @ y, lambda a, b, y: a.T @ (b @ (a.T @ (b @ y))), "ABy"),
    "AB + AC": (lambda a, b, c: a @ b + a @ c, lambda a, b, c: a @ (b + c), "ABC"),
    "(A − HᵀH)x": (lambda a, h, x: (a - h.T @ h) @ x, lambda a, h, x: a @ x - h.T @ (h @ x), "AHx"),
    "BᵀAAᵀB": (lambda a, b: b.T @ a @ a.T @ b, lambda a, b: (s := a.T @ b).T @ s, "AB"),
}


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--size", type=int, default=1500)
    options.add_argument("--repeats", type=int, default=3)
    options.add_argument("--threads", type=int, default=1)
    given = options.parse_args()
    torch.set_num_threads(given.threads)
    print(f"n = {given.size}, torch {torch.__version__}, {given.threads} thread(s); times over the form by hand")
    print('| expression | by hand, ms | NumPy | torch | torch.compile | backend="wellposed" |')
    print("|---|---|---|---|---|---|")
    for name, (written, by_hand, operands) in EXPRESSIONS.items():
        print(row(name, written, by_hand, operands, given.size, given.repeats), flush=True)


def row(name: str, written: Function, by_hand: Function, operands: str, size: int, repeats: int) -> str:
    generator = torch.Generator().manual_seed(1)
    tensors = [
        torch.randn((size, size if letter.isupper() else 1), generator=generator) / size**0.5 for letter in operands
    ]
    arrays = [tensor.numpy() for tensor in tensors]
    torch._dynamo.reset()
    runs: list[tuple[Function, list[Any]]] = [
        (by_hand, tensors),
        (written, arrays),
        (written, tensors),
        (torch.compile(written), tensors),
        (torch.compile(written, backend="wellposed"), tensors),
    ]
    expected = by_hand(*(tensor.double() for tensor in tensors))
    for function, arguments in runs:
        result = torch.as_tensor(numpy.asarray(function(*arguments)))  # compiles, and warms up
        assert torch.allclose(result.double(), expected, rtol=1e-3, atol=1e-3 * float(expected.abs().max())), name
    times = [[seconds(function, arguments) for function, arguments in runs] for _ in range(repeats)]
    medians = [statistics.median(column) for column in zip(*times, strict=True)]
    ratios = [statistics.median(one[at] / one[0] for one in times) for at in range(1, len(runs))]
    return f"| {name} | {medians[0] * 1e3:.3g} | " + " | ".join(f"{ratio:.3g}" for ratio in ratios) + " |"


def seconds(function: Function, arguments: list[Any]) -> float:
    """Of one call; short ones are called until 20 ms have gone by."""
    calls, began = 0, time.perf_counter()
    while (gone := time.perf_counter() - began) < 0.02 or not calls:
        function(*arguments)
        calls += 1
    return gone / calls


if __name__ == "__main__":
    with torch.no_grad():
        main()
