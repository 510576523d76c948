"""ATen's products of matrices and linear algebra in double-double."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from wellposed.shadow.double_double import exponentials, systems
from wellposed.shadow.double_double.arithmetic import Pair, ieee_nonfinite
from wellposed.shadow.double_double.products import matmul
from wellposed.shadow.double_double.reductions import both, total
from wellposed.shadow.double_double.registry import Operand, form, pairs


@form("mm", "bmm", "mv", "dot", "vdot", "inner", "matmul")
def product(a: Operand, b: Operand) -> Pair:
    return matmul(*pairs(a, b))


@form("linear")
def linear(x: Operand, weight: Operand, bias: Operand | None = None) -> Pair:
    x, weight = pairs(x, weight)
    result = matmul(x, both(torch.transpose, weight, 0, 1) if weight.high.dim() == 2 else weight)
    return result if bias is None else result + pairs(bias)[0]


@form("outer", "ger")
def outer(a: Operand, b: Operand) -> Pair:
    a, b = pairs(a, b)
    return both(torch.unsqueeze, a, 1) * b


@form("addmm", "addmv", "baddbmm")
def added_product(x: Operand, a: Operand, b: Operand, *, beta: Any = 1, alpha: Any = 1) -> Pair:
    x, a, b = pairs(x, a, b)
    return _combined(x, matmul(a, b), beta, alpha)


@form("addbmm")
def added_products(x: Operand, a: Operand, b: Operand, *, beta: Any = 1, alpha: Any = 1) -> Pair:
    x, a, b = pairs(x, a, b)
    return _combined(x, total(matmul(a, b), 0), beta, alpha)


@form("addr")
def added_outer(x: Operand, a: Operand, b: Operand, *, beta: Any = 1, alpha: Any = 1) -> Pair:
    return _combined(pairs(x)[0], outer(a, b), beta, alpha)


def _combined(x: Pair, result: Pair, beta: Any, alpha: Any) -> Pair:
    if alpha != 1:
        result = result * alpha
    if beta == 0:
        return result
    return result + (x if beta == 1 else x * beta)


@form("linalg_inv_ex")
def inverse(a: Pair, *, check_errors: bool = False) -> tuple[Pair, Tensor]:
    factors = systems.factorised(a)
    identity = pairs(torch.eye(a.shape[-1], device=a.high.device).expand(a.shape))[0]
    return systems.solved(factors, identity), systems.failed(factors)


@form("linalg_inv", "inverse")
def plain_inverse(a: Pair) -> Pair:
    return inverse(a)[0]


@form("_linalg_solve_ex")
def solution(
    a: Operand, b: Operand, *, left: bool = True, check_errors: bool = False
) -> tuple[Pair, Pair, Tensor, Tensor]:
    a, b = pairs(a, b)
    vector = b.high.dim() == 1 or (b.high.dim() == a.high.dim() - 1 and b.shape == a.shape[:-1])
    columns = both(torch.unsqueeze, b, -1) if vector else b
    matrix = a if left else _transposed(a)
    factors = systems.factorised(matrix)
    x = systems.solved(factors, columns if left or vector else _transposed(columns))
    if vector:
        x = both(torch.squeeze, x, -1)
    elif not left:
        x = _transposed(x)
    return x, factors.matrix, factors.pivots, systems.failed(factors)


@form("linalg_solve")
def plain_solution(a: Operand, b: Operand, *, left: bool = True) -> Pair:
    return solution(a, b, left=left)[0]


def _transposed(x: Pair) -> Pair:
    return both(torch.transpose, x, -1, -2)


@form("_linalg_det")
def determinant(a: Pair) -> tuple[Pair, Pair, Tensor]:
    factors = systems.factorised(a)
    return systems.determinant(factors), factors.matrix, factors.pivots


@form("linalg_det", "det")
def plain_determinant(a: Pair) -> Pair:
    return determinant(a)[0]


@form("_linalg_slogdet")
def logarithm_of_determinant(a: Pair) -> tuple[Pair, Pair, Pair, Tensor]:
    factors = systems.factorised(a)
    diagonal = both(torch.diagonal, factors.matrix, 0, -2, -1)
    places = torch.arange(1, factors.pivots.shape[-1] + 1, device=a.high.device)
    exchanges = (factors.pivots != places).sum(-1) % 2
    sign = torch.sign(diagonal.high).prod(-1) * (1.0 - 2.0 * exchanges.double())
    size = total(exponentials.log(abs(diagonal)), -1)
    size = ieee_nonfinite(size, torch.where(sign == 0, -torch.inf, 0.0))
    return pairs(sign)[0], size, factors.matrix, factors.pivots


@form("linalg_lu_factor_ex")
def factors(a: Pair, *, pivot: bool = True, check_errors: bool = False) -> tuple[Pair, Tensor, Tensor]:
    if not pivot:
        raise NotImplementedError("factors without pivoting")
    made = systems.factorised(a)
    return made.matrix, made.pivots, systems.failed(made)


@form("linalg_lu_solve")
def solution_by_factors(lu: Operand, pivots: Tensor, b: Operand, *, left: bool = True, adjoint: bool = False) -> Pair:
    lu, b = pairs(lu, b)
    rows = torch.arange(lu.shape[-1], device=lu.high.device).expand(lu.shape[:-1]).clone()
    for step in range(lu.shape[-1]):
        chosen = pivots[..., step : step + 1].to(torch.int64) - 1
        there = rows.gather(-1, chosen)
        rows.scatter_(-1, chosen, rows[..., step : step + 1].clone())
        rows[..., step : step + 1] = there
    made = systems.Factors(lu, rows, pivots)
    if left:
        return systems.solved_transposed(made, b) if adjoint else systems.solved(made, b)
    turned = _transposed(b)
    return _transposed(systems.solved(made, turned) if adjoint else systems.solved_transposed(made, turned))


@form("linalg_solve_triangular")
def triangular_solution(a: Operand, b: Operand, *, upper: bool, left: bool = True, unitriangular: bool = False) -> Pair:
    a, b = pairs(a, b)
    if left:
        return systems.triangular(a, b, upper=upper, unit=unitriangular)
    turned = systems.triangular(_transposed(a), _transposed(b), upper=not upper, unit=unitriangular)
    return _transposed(turned)


@form("linalg_cholesky_ex")
def root(a: Pair, *, upper: bool = False, check_errors: bool = False) -> tuple[Pair, Tensor]:
    return systems.cholesky(a, upper)


@form("linalg_cholesky", "cholesky")
def plain_root(a: Pair, upper: bool = False) -> Pair:
    return systems.cholesky(a, upper)[0]


@form("cholesky_solve")
def solution_by_root(b: Operand, root_of_a: Operand, upper: bool = False) -> Pair:
    b, lower = pairs(b, root_of_a)
    if upper:
        lower = _transposed(lower)
    return systems.triangular(_transposed(lower), systems.triangular(lower, b, upper=False), upper=True)
