"""Systems of linear equations in double-double, by elimination with partial pivoting.

The backward error is that of Gaussian elimination with 2^-104 for the unit roundoff (Higham, "Accuracy and Stability of
Numerical Algorithms", theorem 9.3), so that matrices of condition up to 1e15 still leave float64's own digits, and
others lose theirs to the condition number.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from wellposed.shadow.double_double.arithmetic import Pair, common_shape, exactly, square_root
from wellposed.shadow.double_double.reductions import both, product

_LARGEST = 512
"""Rows: elimination takes a step for each, of some sixty operators."""


@dataclass(frozen=True, slots=True, eq=False)
class Factors:
    """P·A = L·U: both triangles in one matrix, L without its ones; `rows` holds the row of A at each place."""

    matrix: Pair
    rows: Tensor
    pivots: Tensor
    """The row, counted from 1, that each was exchanged with: LAPACK's."""


def factorised(a: Pair) -> Factors:
    """Factors of (..., n, n). Raises NotImplementedError beyond 512 rows."""
    size = a.shape[-1]
    if size > _LARGEST:
        raise NotImplementedError(f"elimination of more than {_LARGEST} rows")
    left = both(torch.clone, a)
    rows = torch.arange(size, device=a.high.device).expand(a.shape[:-1]).clone()
    pivots = []
    for step in range(size):
        best = left.high[..., step:, step].abs().argmax(-1) + step
        pivots.append(best + 1)
        left, rows = _exchanged(left, rows, step, best)
        if step + 1 == size:
            break
        pivot = both(_block, left, slice(step, step + 1), slice(step, step + 1))
        below = both(_block, left, slice(step + 1, None), slice(step, step + 1))
        right = both(_block, left, slice(step, step + 1), slice(step + 1, None))
        # A column of zeros is left as it is, as LAPACK does: the zero shows on the diagonal.
        factor = below / pivot
        factor = Pair(torch.where(pivot.high == 0, 0.0, factor.high), torch.where(pivot.high == 0, 0.0, factor.low))
        rest = both(_block, left, slice(step + 1, None), slice(step + 1, None)) - factor * right
        _put(left, slice(step + 1, None), slice(step, step + 1), factor)
        _put(left, slice(step + 1, None), slice(step + 1, None), rest)
    empty = torch.zeros(a.shape[:-1], dtype=torch.int32, device=a.high.device)
    return Factors(left, rows, torch.stack(pivots, -1).to(torch.int32) if pivots else empty)


def _block(x: Tensor, rows: slice, columns: slice) -> Tensor:
    return x[..., rows, columns]


def _put(x: Pair, rows: slice, columns: slice, part: Pair) -> None:
    x.high[..., rows, columns] = part.high
    x.low[..., rows, columns] = part.low


def _exchanged(left: Pair, rows: Tensor, step: int, best: Tensor) -> tuple[Pair, Tensor]:
    places = torch.arange(rows.shape[-1], device=rows.device).expand_as(rows).clone()
    places.scatter_(-1, best.unsqueeze(-1), step)
    places[..., step] = best
    index = places.unsqueeze(-1).expand(left.shape)
    return both(torch.gather, left, -2, index), rows.gather(-1, places)


def solved(factors: Factors, b: Pair) -> Pair:
    """X with A·X = B, B of shape (..., n, k)."""
    columns = b.shape[-1]
    batch = common_shape(factors.rows.shape[:-1], b.shape[:-2])
    index = factors.rows.unsqueeze(-1).expand(*batch, -1, columns)
    b = both(torch.gather, both(torch.broadcast_to, b, (*batch, *b.shape[-2:])), -2, index)
    return triangular(factors.matrix, triangular(factors.matrix, b, upper=False, unit=True), upper=True)


def solved_transposed(factors: Factors, b: Pair) -> Pair:
    """X with Aᵀ·X = B, B of shape (..., n, k)."""
    turned = both(torch.transpose, factors.matrix, -1, -2)
    inner = triangular(turned, b, upper=False)
    # Lᵀ has ones on its diagonal, which holds U's.
    x = triangular(turned, inner, upper=True, unit=True)
    index = factors.rows.argsort(-1).unsqueeze(-1).expand(*x.shape[:-2], -1, x.shape[-1])
    return both(torch.gather, x, -2, index)


def triangular(a: Pair, b: Pair, *, upper: bool, unit: bool = False) -> Pair:
    """X with T·X = B for one triangle T of a, by substitution: a column of T at a time."""
    size = a.shape[-1]
    if size > _LARGEST:
        raise NotImplementedError(f"substitution in more than {_LARGEST} rows")
    batch = common_shape(a.shape[:-2], b.shape[:-2])
    left = both(torch.clone, both(torch.broadcast_to, b, (*batch, *b.shape[-2:])))
    for step in reversed(range(size)) if upper else range(size):
        row = both(_block, left, slice(step, step + 1), slice(None))
        if not unit:
            row = row / both(_block, a, slice(step, step + 1), slice(step, step + 1))
            _put(left, slice(step, step + 1), slice(None), row)
        others = slice(0, step) if upper else slice(step + 1, size)
        if others.start < others.stop:
            rest = both(_block, left, others, slice(None)) - both(_block, a, others, slice(step, step + 1)) * row
            _put(left, others, slice(None), rest)
    return left


def inverse(a: Pair) -> Pair:
    identity = torch.eye(a.shape[-1], dtype=torch.float64, device=a.high.device).expand(a.shape)
    return solved(factorised(a), exactly(identity, a.high))


def determinant(factors: Factors) -> Pair:
    diagonal = both(torch.diagonal, factors.matrix, 0, -2, -1)
    places = torch.arange(1, factors.pivots.shape[-1] + 1, device=factors.pivots.device)
    sign = 1.0 - 2.0 * ((factors.pivots != places).sum(-1) % 2).double()
    return product(diagonal, -1) * sign


def failed(factors: Factors) -> Tensor:
    """LAPACK's info: the first zero on U's diagonal, counted from 1, else 0."""
    zero = torch.diagonal(factors.matrix.high, 0, -2, -1) == 0
    return _first(zero)


def _first(bad: Tensor) -> Tensor:
    if not bad.shape[-1]:
        return torch.zeros(bad.shape[:-1], dtype=torch.int32, device=bad.device)
    return torch.where(bad.any(-1), bad.to(torch.uint8).argmax(-1) + 1, 0).to(torch.int32)


def cholesky(a: Pair, upper: bool = False) -> tuple[Pair, Tensor]:
    """L with L·Lᵀ = A from one triangle of A, and LAPACK's info; NaN from where A isn't positive definite."""
    size = a.shape[-1]
    if size > _LARGEST:
        raise NotImplementedError(f"elimination of more than {_LARGEST} rows")
    left = both(torch.clone, both(torch.transpose, a, -1, -2) if upper else a)
    bad = []
    for step in range(size):
        corner = both(_block, left, slice(step, step + 1), slice(step, step + 1))
        bad.append(~(corner.high > 0).reshape(corner.shape[:-2]))
        root = square_root(corner)
        below = both(_block, left, slice(step + 1, None), slice(step, step + 1)) / root
        _put(left, slice(step, step + 1), slice(step, step + 1), root)
        if step + 1 < size:
            rest = both(_block, left, slice(step + 1, None), slice(step + 1, None))
            rest = rest - below * both(torch.transpose, below, -1, -2)
            _put(left, slice(step + 1, None), slice(step, step + 1), below)
            _put(left, slice(step + 1, None), slice(step + 1, None), rest)
    result = both(torch.tril, left)
    info = _first(torch.stack(bad, -1)) if bad else torch.zeros(a.shape[:-2], dtype=torch.int32, device=a.high.device)
    return (both(torch.transpose, result, -1, -2) if upper else result), info
