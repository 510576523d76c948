"""Products of operands that are more than their shape: what a declaration saves is saved.

A system is solved in place of an inverse, by Cholesky's factorization where the matrix is positive definite and by
substitution where it is triangular; the inverse of an orthogonal matrix is its transpose; a diagonal scales; an
identity is skipped; a matrix that is held as two factors stays two factors until the end. The order is that of
`wellposed.chain.operand`, which counts just these operations.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from wellposed.chain.libraries import library_of
from wellposed.chain.operand import STRUCTURES, Operand
from wellposed.chain.ordering import multiply_in_order, structured_order, without_added_axes


@dataclass(frozen=True, slots=True)
class Factor:
    """An operand, or a product of several, as far as it has been made."""

    kind: str
    """``full``, ``lower``, ``upper``, ``diagonal``, ``identity`` or ``factors``."""
    array: Any
    """The matrix; of a diagonal the vector; of two factors the first."""
    second: Any = None
    inverse: bool = False
    """Whether it is the inverse of `array`; of matrices that are ``full``, ``lower`` or ``upper``."""
    positive: bool = False


def multiply_structured(arrays: Sequence[Any], structures: Sequence[Operand | str | None], out: Any = None) -> Any:
    """The product of `arrays`, with one declaration each; None declares nothing.

    The array of a diagonal operand may be its diagonal, a vector; that of one with a `rank` is a pair of factors, of
    shapes (rows, rank) and (rank, columns). The operand declared to be an identity is not read. Raises ValueError for
    declarations that do not fit the arrays, and for batches; TypeError for scipy.sparse, whose zeros need none; the
    library's error for systems that have no solution.
    """
    if len(structures) != len(arrays):
        raise ValueError(f"structures has {len(structures)} entries for {len(arrays)} operands")
    single = [part for array in arrays for part in (array if isinstance(array, tuple) else (array,))]
    library = library_of(single)
    if not hasattr(library, "Toolbox"):
        raise TypeError("structures are not for scipy.sparse, which knows its zeros")
    tools = library.Toolbox(single)
    parts = iter(tools.promote(single))
    same: list[Any] = [(next(parts), next(parts)) if isinstance(array, tuple) else next(parts) for array in arrays]
    last = len(same) - 1
    ends = [getattr(same[at], "shape", ()) if structures[at] is None else () for at in (0, last)]
    declared, factors = [], []
    for at, (array, structure) in enumerate(zip(same, structures, strict=True)):
        if structure is None and len(getattr(array, "shape", ())) == 1 and at in (0, last):
            array = array[None, :] if at == 0 else array[:, None]
        operand = _declared(array, structure, at)
        declared.append(operand)
        factors.append(_factor(array, operand, tools, at))
    order = structured_order(tuple(declared))
    product = Multiplication(tools)
    result = product.made(multiply_in_order(factors, order, product))
    result = without_added_axes(result, ends[0], ends[1] if last else ())
    return result if out is None else _write(library, result, out)


def _write(library: Any, result: Any, out: Any) -> Any:
    if not hasattr(library, "multiply_into"):
        raise TypeError(f"out is for arrays that can be written to, not for {type(result).__name__}")
    return library.multiply_into([result], out)


# --- reading declarations -------------------------------------------------------------------------------------


def _declared(array: Any, structure: Operand | str | None, at: int) -> Operand:
    shape = _shape(array, structure, at)
    if isinstance(structure, Operand):
        if tuple(structure.shape) != shape:
            raise ValueError(f"operand {at} is declared to have the shape {structure.shape}, but has {shape}")
        if structure.rank is not None and not (isinstance(array, tuple) and array[0].shape[1] == structure.rank):
            raise ValueError(f"operand {at} is declared to have rank {structure.rank}: give its two factors as a tuple")
        return structure
    if isinstance(array, tuple):
        return Operand(shape, rank=array[0].shape[1])
    if structure is not None and structure not in STRUCTURES:
        raise ValueError(f"structures[{at}] is {structure!r}, but there are {', '.join(STRUCTURES)}")
    return Operand(shape, structure or "general")


def _shape(array: Any, structure: Operand | str | None, at: int) -> tuple[int, int]:
    if isinstance(array, tuple):
        first, second = (tuple(part.shape) for part in array)
        if len(first) != 2 or len(second) != 2 or first[1] != second[0]:
            raise ValueError(f"the two factors of operand {at} have the shapes {first} and {second}")
        return first[0], second[1]
    shape = tuple(array.shape)
    name = structure.structure if isinstance(structure, Operand) else structure
    if len(shape) == 1 and name in ("diagonal", "identity"):
        return shape[0], shape[0]
    if len(shape) != 2:
        raise ValueError(f"operand {at} has the shape {shape}, but beside structures there are no vectors and batches")
    return shape


def _factor(array: Any, operand: Operand, tools: Any, at: int) -> Factor:
    name = operand.structure
    if isinstance(array, tuple):
        first, second = array
        if operand.transposed:
            first, second = tools.transpose(second), tools.transpose(first)
        return Factor("factors", first, second)
    if name == "identity":
        return Factor("identity", array)
    if name == "diagonal":
        vector = array if len(array.shape) == 1 else tools.diagonal(array)
        return Factor("diagonal", 1 / vector if operand.inverse else vector)
    turned, inverse = operand.transposed, operand.inverse
    if name == "orthogonal" and inverse:
        if tools.is_complex(array):
            raise ValueError(f"operand {at} is complex: give the conjugate transpose in place of an orthogonal inverse")
        turned, inverse = not turned, False
    kind = {"lower triangular": "lower", "upper triangular": "upper"}.get(name, "full")
    factor = Factor(kind, array, inverse=inverse, positive=name == "positive definite")
    return _transposed(factor, tools) if turned and name != "symmetric" else factor


_TURNED = {"lower": "upper", "upper": "lower"}


def _transposed(factor: Factor, tools: Any) -> Factor:
    return replace(factor, kind=_TURNED.get(factor.kind, factor.kind), array=tools.transpose(factor.array))


# --- multiplying ----------------------------------------------------------------------------------------------


class Multiplication:
    """The product of two factors, by what they are."""

    def __init__(self, tools: Any) -> None:
        self.tools = tools

    def __call__(self, left: Factor, right: Factor) -> Factor:
        if left.kind == "identity":
            return right
        if right.kind == "identity":
            return left
        if left.kind == "factors" or right.kind == "factors":
            return self._of_factors(left, right)
        if left.kind == "diagonal" or right.kind == "diagonal":
            return self._scaled(left, right)
        kind = left.kind if left.kind == right.kind else "full"
        if left.inverse:
            return Factor(kind, self.solved(left, self.made(right)))
        if right.inverse:
            return Factor(kind, self._solved_from_the_right(left.array, right))
        return Factor(kind, left.array @ right.array)

    def solved(self, factor: Factor, right: Any) -> Any:
        """The inverse of the factor's array times `right`."""
        if factor.positive:
            return self.tools.solve_positive(factor.array, right)
        if factor.kind == "full":
            return self.tools.solve(factor.array, right)
        return self.tools.solve_triangular(factor.array, right, lower=factor.kind == "lower")

    def made(self, factor: Factor) -> Any:
        """The factor as one matrix."""
        if factor.kind == "factors":
            return factor.array @ factor.second
        if factor.kind == "identity":
            return self.tools.eye(factor.array.shape[0], factor.array)
        if factor.kind == "diagonal":
            return self.tools.eye(factor.array.shape[0], factor.array) * factor.array[:, None]
        if factor.inverse:
            return self.solved(factor, self.tools.eye(factor.array.shape[0], factor.array))
        return factor.array

    def _solved_from_the_right(self, left: Any, factor: Factor) -> Any:
        transpose = self.tools.transpose
        return transpose(self.solved(_transposed(factor, self.tools), transpose(left)))

    def _scaled(self, left: Factor, right: Factor) -> Factor:
        if left.kind == right.kind:
            return Factor("diagonal", left.array * right.array)
        if left.kind == "diagonal":
            return Factor(right.kind, left.array[:, None] * self.made(right))
        return Factor(left.kind, self.made(left) * right.array[None, :])

    def _of_factors(self, left: Factor, right: Factor) -> Factor:
        if left.kind == right.kind:
            middle = left.second @ right.array
            if left.array.shape[1] <= right.array.shape[1]:
                return Factor("factors", left.array, middle @ right.second)
            return Factor("factors", left.array @ middle, right.second)
        if left.kind == "factors":
            return Factor("factors", left.array, self(Factor("full", left.second), right).array)
        return Factor("factors", self(left, Factor("full", right.array)).array, right.second)
