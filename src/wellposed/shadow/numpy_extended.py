"""Operations on shadows in float64 and extended precision: NumPy's own, and linear algebra where LAPACK has none."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from wellposed.shadow.numpy_dtypes import Array, component_name


def evaluate(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """`function(*args, **kwargs)`, its `dtype` argument widened; see `Reference.apply`."""
    operands = list(_arrays((args, kwargs)))
    extended = any(operand.dtype.char in "gG" for operand in operands)
    if extended and function in _EXTENDED:
        return _EXTENDED[function](*args, **kwargs)
    if any(_names_float(value) for value in (*args, kwargs.get("dtype"))):
        wide = np.dtype(np.longdouble if extended or not operands else np.float64)
        args = tuple(wide if _names_float(value) else value for value in args)
        kwargs = {**kwargs, **({"dtype": wide} if _names_float(kwargs.get("dtype")) else {})}
    try:
        result = function(*args, **kwargs)
    except (TypeError, ValueError, np.linalg.LinAlgError) as error:
        raise NotImplementedError(
            f"{_name(function)} does not take {'longdouble' if extended else 'float64'}"
        ) from error
    if extended and any(part.dtype.char in "dD" for part in _arrays(result)):
        raise NotImplementedError(f"{_name(function)} has no longdouble")
    return result


def _names_float(value: Any) -> bool:
    if not isinstance(value, (type, np.dtype, str)):
        return False
    if isinstance(value, str) and value not in np.sctypeDict:
        return False
    if isinstance(value, type) and not issubclass(value, (np.generic, float)):
        return False
    return component_name(np.dtype(value)) is not None and np.dtype(value).kind != "c"


def _arrays(value: Any) -> Iterator[Any]:
    if isinstance(value, (np.ndarray, np.generic)):
        yield value
    elif isinstance(value, dict):
        for part in value.values():
            yield from _arrays(part)
    elif isinstance(value, (tuple, list)):
        for part in value:
            yield from _arrays(part)


def _name(function: Any) -> str:
    return str(getattr(function, "__name__", function))


# --- linear algebra by elimination with partial pivoting (Golub & Van Loan, 4th edition, sections 3.4 and 4.2) ---


def _eliminated(matrix: Array, right: Array) -> tuple[Array, Array, Any]:
    """Upper triangle, right-hand sides carried along, and the determinant's sign, of one matrix."""
    upper, carried, sign = matrix.copy(), right.copy(), 1
    for column in range(len(upper)):
        pivot = column + int(np.argmax(np.abs(upper[column:, column])))
        if upper[pivot, column] == 0:
            raise NotImplementedError("the matrix is singular in the reference")
        if pivot != column:
            upper[[column, pivot]], carried[[column, pivot]] = upper[[pivot, column]], carried[[pivot, column]]
            sign = -sign
        factors = upper[column + 1 :, column] / upper[column, column]
        upper[column + 1 :] -= factors[:, None] * upper[column]
        carried[column + 1 :] -= factors[:, None] * carried[column]
    return upper, carried, sign


def _solve_one(matrix: Array, right: Array) -> Array:
    upper, carried, _ = _eliminated(matrix, right)
    solution = np.empty_like(carried)
    for row in range(len(upper) - 1, -1, -1):
        solution[row] = (carried[row] - upper[row, row + 1 :] @ solution[row + 1 :]) / upper[row, row]
    return solution


def _each(function: Callable[..., Any], *stacks: Array) -> Array:
    """`function` of every matrix of stacks."""
    lead = np.broadcast_shapes(*(stack.shape[:-2] for stack in stacks))
    spread = [np.broadcast_to(stack, lead + stack.shape[-2:]) for stack in stacks]
    parts = [function(*(stack[index] for stack in spread)) for index in np.ndindex(*lead)]
    return np.array(parts).reshape(lead + np.shape(parts[0])) if lead else np.asarray(parts[0])


def solve(a: Array, b: Array) -> Array:
    kind = np.result_type(a, b)
    a, b = np.asarray(a, kind), np.asarray(b, kind)
    return _each(_solve_one, a, b[:, None])[..., 0] if b.ndim == 1 else _each(_solve_one, a, b)


def inverse(a: Array) -> Array:
    return _each(lambda one: _solve_one(one, np.eye(len(one), dtype=one.dtype)), a)


def determinant(a: Array) -> Array:
    def one(matrix: Array) -> Any:
        upper, _, sign = _eliminated(matrix, matrix[:, :0])
        return sign * np.prod(np.diagonal(upper))

    return _each(one, a)


def cholesky(a: Array, *, upper: bool = False) -> Array:
    def one(matrix: Array) -> Array:
        lower = np.zeros_like(matrix)
        for column in range(len(matrix)):
            rest = matrix[column:, column] - lower[column:, :column] @ lower[column, :column].conj()
            if not rest[0].real > 0:
                raise NotImplementedError("the matrix is not positive definite in the reference")
            lower[column:, column] = rest / np.sqrt(rest[0])
        return lower.conj().T if upper else lower

    return _each(one, a)


_EXTENDED: dict[Any, Callable[..., Any]] = {
    np.linalg.solve: solve,
    np.linalg.inv: inverse,
    np.linalg.det: determinant,
    np.linalg.cholesky: cholesky,
}
