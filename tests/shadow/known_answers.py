"""What arrays are made for, with answers known to mpmath: sums, products, softmax, logsumexp, variances, norms.

Each has the function as a program writes it, in a namespace of arrays, and the exact answer from a list of numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from tests.shadow.exact import context

Inputs = Callable[[np.random.Generator], tuple[Any, ...]]


@dataclass(frozen=True)
class Known:
    name: str
    function: Callable[..., Any]
    exact: Callable[..., list[Any]]
    """From lists of exact numbers (nested for matrices)."""
    inputs: Inputs

    def __str__(self) -> str:
        return self.name


def _sum_in_order(xp: Any, x: Any) -> Any:
    total = x[0]
    for index in range(1, len(x)):
        total = total + x[index]
    return total


def _softmax(xp: Any, x: Any) -> Any:
    e = xp.exp(x - xp.max(x))
    return e / xp.sum(e)


def _exact_softmax(x: list[Any]) -> list[Any]:
    parts = [context.exp(a) for a in x]
    return [part / context.fsum(parts) for part in parts]


def _exact_logsumexp(x: list[Any]) -> list[Any]:
    return [context.log(context.fsum(context.exp(a) for a in x))]


def _exact_variance(x: list[Any]) -> list[Any]:
    mean = context.fsum(x) / len(x)
    return [context.fsum((a - mean) ** 2 for a in x) / len(x)]


def _exact_product(a: list[Any], b: list[Any]) -> list[Any]:
    return [context.fdot(row, [line[column] for line in b]) for row in a for column in range(len(b[0]))]


def _normal(count: int, mean: float = 0.0, deviation: float = 1.0) -> Inputs:
    return lambda rng: (mean + deviation * rng.standard_normal(count),)


def _pair(count: int) -> Inputs:
    return lambda rng: (rng.standard_normal(count), rng.standard_normal(count))


def _near_singular(rng: np.random.Generator) -> tuple[Any, ...]:
    matrix = rng.standard_normal((6, 6))
    matrix[5] = matrix[4] + 1e-2 * rng.standard_normal(6)
    return matrix, rng.standard_normal(6)


KNOWN = [
    Known("sum", lambda xp, x: xp.sum(x), lambda x: [context.fsum(x)], _normal(500)),
    Known("sum-of-positive", lambda xp, x: xp.sum(x * x), lambda x: [context.fsum(a * a for a in x)], _normal(500)),
    Known("sum-in-order", _sum_in_order, lambda x: [context.fsum(x)], _normal(200, 3.0)),
    Known("sum-method", lambda xp, x: x.sum(), lambda x: [context.fsum(x)], _normal(500)),
    Known("mean", lambda xp, x: xp.mean(x), lambda x: [context.fsum(x) / len(x)], _normal(500)),
    Known("cumulative-sum", lambda xp, x: xp.cumsum(x), lambda x: [context.fsum(x[: n + 1]) for n in range(len(x))],
          _normal(100)),
    Known("product", lambda xp, x: xp.prod(x), lambda x: [context.fprod(x)], _normal(30, 1.0, 0.1)),
    Known("dot", lambda xp, x, y: xp.dot(x, y), lambda x, y: [context.fdot(x, y)], _pair(300)),
    Known("matmul", lambda xp, a, b: a @ b, _exact_product,
          lambda rng: (rng.standard_normal((4, 40)), rng.standard_normal((40, 3)))),
    Known("einsum", lambda xp, a, b: xp.einsum("ij,jk->ik", a, b), _exact_product,
          lambda rng: (rng.standard_normal((4, 40)), rng.standard_normal((40, 3)))),
    Known("softmax", _softmax, _exact_softmax, _normal(50, 0.0, 4.0)),
    Known("log-of-softmax", lambda xp, x: xp.log(_softmax(xp, x)),
          lambda x: [context.log(a) for a in _exact_softmax(x)], _normal(20, 0.0, 2.0)),
    Known("logsumexp", lambda xp, x: xp.log(xp.sum(xp.exp(x))), _exact_logsumexp, _normal(50)),
    Known("logsumexp-shifted", lambda xp, x: xp.max(x) + xp.log(xp.sum(xp.exp(x - xp.max(x)))), _exact_logsumexp,
          _normal(50)),
    Known("variance", lambda xp, x: xp.var(x), _exact_variance, _normal(200, 10.0)),
    Known("variance-of-squares", lambda xp, x: xp.mean(x * x) - xp.mean(x) * xp.mean(x), _exact_variance,
          _normal(200, 10.0)),
    Known("deviation", lambda xp, x: xp.std(x), lambda x: [context.sqrt(_exact_variance(x)[0])], _normal(200, 10.0)),
    Known("norm", lambda xp, x: xp.linalg.norm(x), lambda x: [context.norm(x)], _normal(200)),
    Known("norm-by-hand", lambda xp, x: xp.sqrt(xp.sum(x**2)), lambda x: [context.norm(x)], _normal(200)),
    Known("squared-distance", lambda xp, x, y: xp.dot(x, x) + xp.dot(y, y) - 2 * xp.dot(x, y),
          lambda x, y: [context.fsum((a - b) ** 2 for a, b in zip(x, y, strict=True))],
          lambda rng: ((x := rng.standard_normal(50)), x + 0.05 * rng.standard_normal(50))),
    Known("solve", lambda xp, a, b: xp.linalg.solve(a, b),
          lambda a, b: list(context.lu_solve(context.matrix(a), context.matrix(b))), _near_singular),
    Known("determinant", lambda xp, a, b: xp.linalg.det(a), lambda a, b: [context.det(context.matrix(a))],
          _near_singular),
    Known("inverse", lambda xp, a, b: xp.linalg.inv(a), lambda a, b: list(context.inverse(context.matrix(a))),
          _near_singular),
]  # fmt: skip
_LINEAR_ALGEBRA = {"solve", "determinant", "inverse"}
WITHOUT_KERNEL = {"float16": _LINEAR_ALGEBRA, "bfloat16": _LINEAR_ALGEBRA | {"einsum"}}
"""What NumPy has not got in a format."""
