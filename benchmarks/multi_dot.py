"""What `wellposed.multi_dot` costs to call, and what its order saves, beside others.

    OMP_NUM_THREADS=1 python benchmarks/multi_dot.py [--quick]

Small matrices: microseconds of a call, the least of several rounds in which all take turns, so that a busy machine
strikes everyone alike. Large chains: the time of the other over ours, the median of pairs taken side by side; above 1
is slower than wellposed. Before it is timed, every result is compared with ours.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from statistics import median
from timeit import Timer
from typing import Any

import numpy
import torch

import wellposed

Call = Callable[[], Any]


def matrices(dims: Sequence[int], scale: float = 1.0) -> list[Any]:
    random = numpy.random.default_rng(0)
    return [random.standard_normal(shape, dtype="float32") * scale for shape in pairwise(dims)]


# --- small matrices -------------------------------------------------------------------------------------------


def numpy_operator(operands: Sequence[Any]) -> Call:
    """Spelled out: a loop would be timed with it."""
    if len(operands) == 3:
        a, b, c = operands
        return lambda: a @ b @ c
    a, b, c, d, e, f = operands
    return lambda: a @ b @ c @ d @ e @ f


def letters(operands: Sequence[Any]) -> str:
    return ",".join("abcdefgh"[at : at + 2] for at in range(len(operands))) + "->a" + "abcdefgh"[len(operands)]


def contract(operands: Sequence[Any]) -> Call:
    import opt_einsum

    equation = letters(operands)
    return lambda: opt_einsum.contract(equation, *operands)


def contract_expression(operands: Sequence[Any]) -> Call:
    import opt_einsum

    expression = opt_einsum.contract_expression(letters(operands), *(operand.shape for operand in operands))
    return lambda: expression(*operands)


def call_overhead(rounds: int) -> None:
    print("Microseconds of a call, 10×10 float32\n")
    print("| | three | six |\n|---|---|---|")
    rows: dict[str, list[str]] = {}
    for number in (3, 6):
        arrays = matrices([10] * (number + 1))
        tensors = [torch.from_numpy(array) for array in arrays]
        calls = {
            "NumPy `@`": numpy_operator(arrays),
            "`numpy.linalg.multi_dot`": lambda arrays=arrays: numpy.linalg.multi_dot(arrays),
            "`wellposed.multi_dot`, NumPy": lambda arrays=arrays: wellposed.multi_dot(arrays),
            "PyTorch `@`": numpy_operator(tensors),
            "`torch.linalg.multi_dot`": lambda tensors=tensors: torch.linalg.multi_dot(tensors),
            "`wellposed.multi_dot`, PyTorch": lambda tensors=tensors: wellposed.multi_dot(tensors),
            "opt_einsum `contract`, NumPy": contract(arrays),
            "opt_einsum `contract_expression`, NumPy": contract_expression(arrays),
            "opt_einsum `contract_expression`, PyTorch": contract_expression(tensors),
        }
        for name, least in least_microseconds(calls, rounds).items():
            rows.setdefault(name, []).append(f"{least:.3g}")
    for name, cells in rows.items():
        print(f"| {name} | {' | '.join(cells)} |")


def least_microseconds(calls: dict[str, Call], rounds: int) -> dict[str, float]:
    timers = {name: Timer(call) for name, call in calls.items()}
    for timer in timers.values():
        timer.timeit(100)
    repeats = {name: max(10, int(0.01 / max(timer.timeit(10) / 10, 1e-7))) for name, timer in timers.items()}
    least = dict.fromkeys(calls, float("inf"))
    for _ in range(rounds):
        for name, timer in timers.items():
            least[name] = min(least[name], timer.timeit(repeats[name]) / repeats[name] * 1e6)
    return least


# --- large chains ---------------------------------------------------------------------------------------------


def chains() -> dict[str, tuple[Call, dict[str, Call]]]:
    """Ours, and the others, for each chain."""
    found: dict[str, tuple[Call, dict[str, Call]]] = {}
    h, x = (numpy.random.default_rng(0).standard_normal(shape, dtype="float32") for shape in [(2000, 2000), 2000])
    gram = [h.T, h, x]
    gram_torch = [torch.from_numpy(h).T, torch.from_numpy(h), torch.from_numpy(x)]
    found["`H.T @ H @ x`, 2,000, NumPy"] = against(gram, {"@": operator, "multi_dot": numpy.linalg.multi_dot})
    found["`H.T @ H @ x`, 2,000, PyTorch"] = against(gram_torch, {"@": operator, "multi_dot": torch.linalg.multi_dot})
    six = matrices([300, 350, 150, 50, 100, 200, 250], 0.05)
    six_torch = [torch.from_numpy(each) for each in six]
    found["six matrices, NumPy"] = against(six, {"@": operator, "multi_dot": numpy.linalg.multi_dot})
    found["six matrices, PyTorch"] = against(six_torch, {"@": operator, "multi_dot": torch.linalg.multi_dot})
    found["a stack of 500, `(500, 4, 100) @ (100, 120) @ (120, 50)`, PyTorch"] = stacked()
    found["three matrices, forward and backward, the last one trained, PyTorch"] = training()
    positive = (h[:800, :800] @ h[:800, :800].T / 800 + numpy.eye(800)).astype("float32")
    found["`inv(S) @ U @ U.T @ x`, 800, positive definite, NumPy"] = solved(positive, h[:800, :200], x[:800])
    try:
        found["dimensions four times `[34, 1, 478, 254, 130, 382]`, JAX, jit"] = compiled()
    except ImportError:
        print("JAX is not installed")
    return found


def operator(operands: Sequence[Any]) -> Any:
    out = operands[0]
    for operand in operands[1:]:
        out = out @ operand
    return out


def against(operands: Sequence[Any], others: dict[str, Callable[[Sequence[Any]], Any]]) -> tuple[Call, dict[str, Call]]:
    calls = {name: lambda other=other: other(operands) for name, other in others.items()}
    return (lambda: wellposed.multi_dot(operands)), calls


def stacked() -> tuple[Call, dict[str, Call]]:
    generator = torch.Generator().manual_seed(0)
    stack, first, second = (torch.randn(shape, generator=generator) for shape in [(500, 4, 100), (100, 120), (120, 50)])
    mapped = torch.vmap(lambda each: torch.linalg.multi_dot([each, first, second]))
    others = {"@": lambda: stack @ first @ second, "multi_dot": lambda: mapped(stack)}
    return (lambda: wellposed.multi_dot([stack, first, second])), others


def training() -> tuple[Call, dict[str, Call]]:
    tensors = [torch.from_numpy(each) for each in matrices([480, 600, 240, 180], 0.05)]
    tensors[2].requires_grad_()

    def train(product: Callable[[Sequence[Any]], Any]) -> Call:
        return lambda: torch.autograd.grad(product(tensors).sum(), tensors[2])[0]

    return train(wellposed.multi_dot), {"@": train(operator), "multi_dot": train(torch.linalg.multi_dot)}


def solved(positive: Any, tall: Any, vector: Any) -> tuple[Call, dict[str, Call]]:
    from wellposed.chain import Operand

    declared = [Operand(positive.shape, "positive definite", inverse=True), None, None, None]
    operands = [positive, tall, tall.T, vector]
    others = {
        "@": lambda: numpy.linalg.inv(positive) @ tall @ tall.T @ vector,
        "multi_dot": lambda: numpy.linalg.multi_dot([numpy.linalg.inv(positive), tall, tall.T, vector]),
    }
    return (lambda: wellposed.multi_dot(operands, structures=declared)), others


def compiled() -> tuple[Call, dict[str, Call]]:
    import jax

    operands = [jax.numpy.asarray(each) for each in matrices([136, 4, 1912, 1016, 520, 1528], 0.05)]

    def jitted(product: Callable[[Sequence[Any]], Any]) -> Call:
        function = jax.jit(lambda *given: product(given))
        return lambda: function(*operands).block_until_ready()

    return jitted(wellposed.multi_dot), {"@": jitted(operator), "multi_dot": jitted(jax.numpy.linalg.multi_dot)}


def seconds(call: Call) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def large_chains(rounds: int) -> None:
    print("\nTime over that of `wellposed.multi_dot`\n")
    print("| | wellposed | `@` | the library's own multi_dot |\n|---|---|---|---|")
    for name, (ours, others) in chains().items():
        expected = numpy.asarray(ours())
        scale = abs(expected).max()
        cells = []
        for other, call in others.items():
            assert abs(numpy.asarray(call()) - expected).max() <= 1e-2 * scale, (name, other)
            pairs = [(seconds(ours), seconds(call)) for _ in range(rounds)]
            cells.append(f"{median(theirs / own for own, theirs in pairs):.3g}")
        own = median(seconds(ours) for _ in range(rounds))
        print(f"| {name} | {own * 1e3:.3g} ms | {' | '.join(cells)} |")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="few rounds")
    quick = parser.parse_args().quick
    torch.set_num_threads(1)
    call_overhead(5 if quick else 60)
    large_chains(3 if quick else 15)
