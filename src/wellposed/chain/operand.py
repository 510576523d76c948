"""Operands that are more than their shape: what is declared of them, what a product of two costs, and what it is.

Multiplications are counted where both factors may have an element that is not zero. A matrix that is declared to be
inverted is never inverted where it meets one that is not: the product solves a system. What a product of several is
depends on which they are and not on their order, so the dynamic programme over intervals is exact under this model;
only densities are estimates, made from left to right.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

STRUCTURES = (
    "general", "diagonal", "lower triangular", "upper triangular", "symmetric", "positive definite", "orthogonal",
    "identity",
)  # fmt: skip
"""What may be declared; all but the first are square."""


@dataclass(frozen=True)
class Operand:
    """A matrix of a chain, and what is known of it.

    `shape` is that of the matrix as it is stored, `transposed` and `inverse` say how it enters the product. `density`
    is the fraction of elements that are not zero, spread evenly. `rank` says that the matrix is held as two factors of
    that inner dimension. Raises ValueError for what contradicts itself.
    """

    shape: tuple[int, int]
    structure: str = "general"
    transposed: bool = False
    inverse: bool = False
    density: float = 1.0
    rank: int | None = None

    def __post_init__(self) -> None:
        if self.structure not in STRUCTURES:
            near = difflib.get_close_matches(str(self.structure), STRUCTURES, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise ValueError(f"structure is {self.structure!r}, but there are {', '.join(STRUCTURES)}{hint}")
        if len(self.shape) != 2:
            raise ValueError(f"an operand with a structure has two dimensions, not the shape {self.shape}")
        if (self.structure != "general" or self.inverse) and self.shape[0] != self.shape[1]:
            what = "inverse" if self.inverse else self.structure
            raise ValueError(f"an operand of shape {self.shape} is not square, so it is not {what}")
        if not 0 < self.density <= 1:
            raise ValueError(f"density is {self.density}, but it is more than 0 and at most 1")
        if self.rank is not None and not 0 < self.rank <= max(1, min(self.shape)):
            raise ValueError(f"rank is {self.rank}, which a matrix of shape {self.shape} cannot have")
        if self.rank is not None and (self.inverse or self.structure != "general" or self.density != 1):
            raise ValueError("an operand held as two factors has no other structure and no inverse")
        if self.inverse and self.density != 1:
            raise ValueError("the inverse of a sparse operand is not sparse; leave its density out")


@dataclass(frozen=True)
class Matrix:
    """A factor or a product, as it enters the next product."""

    rows: int
    columns: int
    lower: bool = False
    """Nothing above the diagonal; with `upper`, diagonal."""
    upper: bool = False
    identity: bool = False
    orthogonal: bool = False
    solved: str = ""
    """``positive definite`` or ``general`` where it is an inverse that costs a factorization."""
    density: float = 1.0
    rank: int | None = None


def effective_shape(operand: Operand) -> tuple[int, int]:
    """Rows and columns as the operand enters its product."""
    rows, columns = operand.shape
    return (columns, rows) if operand.transposed else (rows, columns)


def matrix_of(operand: Operand) -> Matrix:
    """The operand as it enters its product."""
    rows, columns = effective_shape(operand)
    name, turned = operand.structure, operand.transposed
    diagonal, identity = name in ("diagonal", "identity"), name == "identity"
    orthogonal = name in ("orthogonal", "identity")
    # Inverses of triangular matrices are applied by substitution, as many multiplications as a product; those of
    # orthogonal ones are transposes.
    plain = diagonal or orthogonal or "triangular" in name
    return Matrix(
        rows,
        columns,
        lower=diagonal or name == ("upper triangular" if turned else "lower triangular"),
        upper=diagonal or name == ("lower triangular" if turned else "upper triangular"),
        identity=identity,
        orthogonal=orthogonal,
        solved=""
        if plain or not operand.inverse
        else "positive definite"
        if name == "positive definite"
        else "general",
        density=operand.density,
        rank=operand.rank,
    )


def product_of(left: Matrix, right: Matrix) -> Matrix:
    """What the product is: diagonal, triangular or orthogonal where both are, of low rank where one is."""
    ranks = [matrix.rank for matrix in (left, right) if matrix.rank is not None]
    if left.identity:
        return right
    if right.identity:
        return left
    if left.lower and left.upper:
        density = right.density
    elif right.lower and right.upper:
        density = left.density
    else:
        # Of elements that are zero independently of each other.
        density = -math.expm1(left.columns * math.log1p(-left.density * right.density)) if _sparse(left, right) else 1.0
    return Matrix(
        left.rows,
        right.columns,
        lower=left.lower and right.lower,
        upper=left.upper and right.upper,
        orthogonal=left.orthogonal and right.orthogonal,
        density=1.0 if left.solved or right.solved else density,
        rank=min(ranks) if ranks else None,
    )


def _sparse(left: Matrix, right: Matrix) -> bool:
    return left.density * right.density < 1


def multiplications(left: Matrix, right: Matrix) -> int:
    """Scalar multiplications of the product, expected ones where there is a density, rounded up.

    Factorizations and substitutions as in G. H. Golub and C. F. Van Loan, Matrix Computations, 4th ed., sections 3.2,
    4.2: n³/3 for LU, n³/6 for Cholesky, n² for each right-hand side.
    """
    if left.identity or right.identity:
        return 0
    if left.solved or right.solved:
        return _solve(left, right)
    if left.rank is not None and right.rank is not None:
        inner = left.rank * left.columns * right.rank
        outer = right.columns if left.rank <= right.rank else left.rows
        return inner + left.rank * right.rank * outer
    if left.rank is not None:
        return _overlaps(replace(left, rows=left.rank, rank=None), right)
    if right.rank is not None:
        return _overlaps(left, replace(right, columns=right.rank, rank=None))
    return _overlaps(left, right)


def unfolding(matrix: Matrix) -> int:
    """Multiplications to make one array of a matrix that is held as two factors."""
    return 0 if matrix.rank is None else matrix.rows * matrix.rank * matrix.columns


def _solve(left: Matrix, right: Matrix) -> int:
    n = left.columns
    inverted, other = (left, right) if left.solved else (right, left)
    factorization = -(-(n**3) // (6 if inverted.solved == "positive definite" else 3))
    if other.solved:
        # The second is inverted for good: n³.
        return factorization + n**3 + n**3
    sides = other.rank if other.rank is not None else other.columns if left.solved else other.rows
    return factorization + n * n * sides


def _overlaps(left: Matrix, right: Matrix) -> int:
    """Pairs of elements that meet: the sum over inner positions k of those in column k times those in row k.

    Of a triangular matrix column k has n - k or k + 1 elements, and the sums have closed forms.
    """
    n = left.columns
    left_kind, right_kind = _kind(left), _kind(right)
    left_count = {"diagonal": 1, "full": left.rows}.get(left_kind)
    right_count = {"diagonal": 1, "full": right.columns}.get(right_kind)
    if left_count is not None and right_count is not None:
        count = n * left_count * right_count
    elif left_count is not None:
        count = n * (n + 1) // 2 * left_count
    elif right_count is not None:
        count = n * (n + 1) // 2 * right_count
    elif left_kind == right_kind:
        count = n * (n + 1) * (n + 2) // 6
    else:
        count = n * (n + 1) * (2 * n + 1) // 6
    return math.ceil(count * left.density * right.density) if _sparse(left, right) else count


def _kind(matrix: Matrix) -> str:
    if matrix.lower and matrix.upper:
        return "diagonal"
    return "lower" if matrix.lower else "upper" if matrix.upper else "full"


def plan_structured(operands: Sequence[Operand]) -> tuple[int, list[int]]:
    """The fewest multiplications, and the inner dimensions as they are contracted; O(n³)."""
    table = Products(operands)
    count = len(operands)
    best = [[0] * (count + 1) for _ in range(count + 1)]
    split = [[0] * (count + 1) for _ in range(count + 1)]
    for length in range(2, count + 1):
        for i in range(count - length + 1):
            j = i + length
            # The last of several equals: left to right where it makes no difference.
            best[i][j], negative = min((best[i][k] + best[k][j] + table.cost(i, k, j), -k) for k in range(i + 1, j))
            split[i][j] = -negative
    sequence: list[int] = []
    waiting = [(0, count)]
    while waiting:
        i, j = waiting.pop()
        if j - i > 1:
            sequence.append(split[i][j])
            waiting += [(i, split[i][j]), (split[i][j], j)]
    return best[0][count], sequence[::-1]


class Products:
    """What the product of each run of operands is, and what each product costs."""

    def __init__(self, operands: Sequence[Operand]) -> None:
        self._count = len(operands)
        self._made: dict[tuple[int, int], Matrix] = {}
        for i, operand in enumerate(operands):
            self._made[i, i + 1] = matrix_of(operand)
            for start in range(i):
                self._made[start, i + 1] = product_of(self._made[start, i], self._made[i, i + 1])

    def cost(self, i: int, k: int, j: int) -> int:
        """Multiplications of operands i … k-1 times k … j-1; the result of all is made one array."""
        cost = multiplications(self._made[i, k], self._made[k, j])
        return cost + unfolding(self._made[i, j]) if j - i == self._count else cost
