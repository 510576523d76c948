"""The plan of a chain: the best order, what it costs, and how it compares."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from wellposed import _native
from wellposed.chain import tree
from wellposed.chain.cost import MULTIPLICATIONS, Minimize, Objective, objective
from wellposed.chain.dimensions import Chain, Dims, batch_sizes, parse, same_batch_everywhere
from wellposed.chain.operand import Products
from wellposed.chain.planning import Planned, front, plan_chain


class Product(NamedTuple):
    """One product of a plan: operands ``first`` … ``split - 1`` times operands ``split`` … ``end - 1``."""

    first: int
    split: int
    end: int
    rows: int
    inner: int
    columns: int
    batch: int
    """How many matrices are multiplied at once; 1 without a batch."""
    multiplications: int
    """Scalar multiplications; those of the backward pass included where gradients are asked for."""
    elements: int
    """Elements of the product: ``batch · rows · columns``."""


@dataclass(frozen=True, repr=False)
class Plan:
    """The best order of a chain; its ``repr`` is a report.

    Forms of the order (``order``, ``path``, ``expression``, ``sequence``) and what it is compared with are worked out
    when they are first asked for.
    """

    chain: Chain
    """The operands' dimensions and batches."""
    minimize: Objective
    memory_limit: int | None
    """In elements."""
    requires_grad: tuple[bool, ...]
    """One entry an operand; empty where no gradient is asked for."""
    value: float
    """What the order has of the objective: multiplications or elements (an int), seconds, or the weighted sum."""
    packed: bytes = field(repr=False)
    """The inner dimensions as they are contracted, as native 32-bit integers."""
    counted: int | None = field(default=None, repr=False, compare=False)

    @property
    def operands(self) -> int:
        """How many matrices there are."""
        return self.chain.operands

    @property
    def dimensions(self) -> tuple[int, ...]:
        """The n + 1 dimensions, vectors at the ends as matrices with one row or column."""
        return self.chain.dimensions

    @cached_property
    def cost(self) -> int:
        """Scalar multiplications of the order, exactly; with `requires_grad`, those of the backward pass too."""
        if self.counted is not None:
            return self.counted
        return sum(product.multiplications for product in self.products)

    @cached_property
    def _peak(self) -> tuple[int, bytes]:
        return _native.chain_peak(self.chain.dimensions, self.packed, self._batches)

    @cached_property
    def _batches(self) -> list[int]:
        return batch_sizes(self.chain)

    @property
    def sequence(self) -> Sequence[int]:
        """The inner dimensions 1 … n-1 in the order of their contraction.

        One factor of a product is finished before the other is begun: the one first with which less is alive at once.
        """
        return memoryview(self._peak[1]).cast("i")

    @property
    def peak_elements(self) -> int:
        """The most elements alive at once beyond the operands: intermediates, and the product being written."""
        return self._peak[0]

    @cached_property
    def order(self) -> tree.Order:
        """Nested pairs of operands' numbers: ``((0, 1), 2)`` is ``(A0·A1)·A2``; 0 for one matrix."""
        return tree.nested(memoryview(self.packed).cast("i"), self.operands)

    @cached_property
    def path(self) -> list[tuple[int, ...]]:
        """The contraction path, as ``numpy.einsum_path`` and opt_einsum have it: positions in the list of operands that
        are left, whose product goes to its end. In the sequence that needs the least memory. Positions ascend, so which
        factor is the left one is not told here but by `products`."""
        return tree.path(self.sequence, self.operands)

    @cached_property
    def expression(self) -> str:
        """The order with parentheses: ``(A0·A1)·A2``."""
        return tree.expression(memoryview(self.packed).cast("i"), self.operands)

    @cached_property
    def products(self) -> tuple[Product, ...]:
        """The products, in the sequence of evaluation."""
        return tuple(self._products(tree.products(self.sequence, self.operands)))

    @cached_property
    def cost_as_written(self) -> int:
        """Scalar multiplications from left to right, as Python, NumPy and PyTorch evaluate ``A0 @ A1 @ A2``."""
        return self._total((0, k, k + 1) for k in range(1, self.operands))

    @cached_property
    def cost_right_to_left(self) -> int:
        """Scalar multiplications from right to left, ``A0 @ (A1 @ A2)``."""
        return self._total((k - 1, k, self.operands) for k in range(self.operands - 1, 0, -1))

    @property
    def speedup(self) -> float:
        """Multiplications as written over those of the plan; 1 where both have none, inf where the plan has none."""
        if self.cost_as_written == self.cost:
            return 1.0
        try:
            return self.cost_as_written / self.cost if self.cost else math.inf
        except OverflowError:
            return math.inf

    def pareto(self) -> list[Plan]:
        """The orders that none beats in both memory and the rest of the objective, the least memory first.

        Exact, by dynamic programming. Where memory alone is minimized, the rest is multiplications. Raises ValueError
        for more than 500 matrices.
        """
        rest = self.minimize
        if rest.only_memory:
            rest = MULTIPLICATIONS
        found = front(self.chain, rest, self.memory_limit, self.requires_grad)
        return [_plan(self.chain, rest, self.memory_limit, self.requires_grad, point) for point in found]

    def _total(self, products: Iterator[tuple[int, int, int]]) -> int:
        if same_batch_everywhere(self.chain) and not self.requires_grad and not self.chain.structures:
            d = self.chain.dimensions
            once = sum(d[i] * d[k] * d[j] for i, k, j in products)
            return once * math.prod(self.chain.batches[0]) if self.chain.batches else once
        return sum(product.multiplications for product in self._products(products))

    def _products(self, spans: Iterator[tuple[int, int, int]]) -> Iterator[Product]:
        d, vertices = self.chain.dimensions, self.operands + 1
        structured = Products(self.chain.structures) if self.chain.structures else None
        needing = [0]
        for needs in self.requires_grad:
            needing.append(needing[-1] + needs)
        for i, k, j in spans:
            batch = self._batches[i * vertices + j] if self._batches else 1
            passes = 1
            if self.requires_grad:
                passes += (needing[k] > needing[i]) + (needing[j] > needing[k])
            cost = structured.cost(i, k, j) if structured else batch * d[i] * d[k] * d[j] * passes
            yield Product(i, k, j, d[i], d[k], d[j], batch, cost, batch * d[i] * d[j])

    def __repr__(self) -> str:
        from wellposed.chain.text import report

        return report(self)


def matrix_chain_multiplication(
    dims: Dims,
    *,
    minimize: Minimize = "multiplications",
    memory_limit: int | None = None,
    requires_grad: bool | Sequence[bool] | None = None,
) -> Plan:
    """The best order in which to multiply a chain of matrices.

    `dims` are the n + 1 dimensions of n matrices (matrix i is ``dims[i]`` by ``dims[i + 1]``), or their n shapes: the
    first and the last may be vectors, and shapes may have batch dimensions in front, which broadcast as in
    ``numpy.matmul``. An `Operand` in place of a shape declares what else is known of it: diagonal, triangular, an
    inverse, sparse, of low rank …; multiplications are then those that are left, see `wellposed.chain.operand`.

    `minimize` is ``"multiplications"`` (scalar multiplications), ``"memory"`` (elements alive at once beyond the
    operands; of the orders with the fewest, the one with the fewest multiplications), ``"time"`` (a model of this
    machine: multiplications and elements moved, see ``wellposed plan --calibrate``), or a mapping of weights of a sum:
    ``{"multiplications": 1, "moved": 20, "memory": 0.5}``. `memory_limit`, in elements, leaves out the orders that have
    more alive at once. `requires_grad` says which operands need a gradient, one boolean each or one for all: the
    products of the backward pass are then counted too, one more for each factor with a gradient to pass on.

    The order is an exact optimum, whatever is minimized, among all orders that multiply neighbours and finish one
    factor of a product before they begin the other. Fewest multiplications of a plain chain: any number of matrices,
    in O(n log n) time (Hu and Shing, SIAM J. Comput. 1982 and 1984); everything else by dynamic programming, O(n³).

    Raises ValueError, naming the position, for what is no dimension or does not fit together, and where no order fits
    into `memory_limit`.

    >>> matrix_chain_multiplication([10, 100, 5, 50]).expression
    '(A0·A1)·A2'
    """
    chain = parse(dims)
    what = MULTIPLICATIONS if minimize == "multiplications" else objective(minimize)
    limit = None if memory_limit is None else _limit(memory_limit)
    gradients = () if requires_grad is None else _gradients(requires_grad, chain.operands)
    return _plan(chain, what, limit, gradients, plan_chain(chain, what, limit, gradients))


def _plan(chain: Chain, what: Objective, limit: int | None, gradients: tuple[bool, ...], planned: Planned) -> Plan:
    return Plan(chain, what, limit, gradients, planned.value, planned.sequence, planned.cost)


def _limit(memory_limit: object) -> int:
    if isinstance(memory_limit, bool) or not isinstance(memory_limit, int) or memory_limit < 0:
        raise ValueError(f"memory_limit is {memory_limit!r}, where a number of elements, 0 or more, is expected")
    return memory_limit


def _gradients(requires_grad: bool | Sequence[bool], operands: int) -> tuple[bool, ...]:
    given = (requires_grad,) * operands if isinstance(requires_grad, bool) else tuple(requires_grad)
    for at, needs in enumerate(given):
        if not isinstance(needs, bool):
            raise ValueError(f"requires_grad of operand {at} is {needs!r}, where True or False is expected")
    if len(given) != operands:
        raise ValueError(f"requires_grad has {len(given)} entries for {operands} operands")
    return given if any(given) else ()
