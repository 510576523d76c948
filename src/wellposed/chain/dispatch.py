"""Orders for sizes that are known only later: a few are enough, and choosing among them takes O(n).

F. López, L. Karlsson and P. Bientinesi, On the Parenthesisations of Matrix Chains: All Are Useful, Few Are Essential,
arXiv 2303.17352: of all orders of n matrices n + 1 are essential, and without any one of them the penalty is unbounded.
Order h has dimension h in every product: in the polygon of the dimensions, it is the fan of the vertex h.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from wellposed.chain import tree
from wellposed.chain.dimensions import parse

Symbol: TypeAlias = "int | str"


@dataclass(frozen=True)
class Essential:
    """One of the orders."""

    hubs: tuple[int, ...]
    """The dimensions that are in every product: several, where their orders are the same."""
    sequence: tuple[int, ...]
    """The inner dimensions as they are contracted."""
    order: tree.Order
    expression: str


@dataclass(frozen=True)
class Dispatcher:
    """The essential orders of a chain, to choose from when sizes are known."""

    symbols: tuple[Symbol, ...]
    """The n + 1 dimensions: sizes, or names of sizes."""
    orders: tuple[Essential, ...]

    def choose(self, sizes: Mapping[str, int] | Sequence[int]) -> Essential:
        """The order with the fewest multiplications among the essential ones, for sizes by name or for all dimensions.

        It has at most twice as many as the best of all orders (each side of the polygon lies in a triangle, no triangle
        has more than two, and none of its weights is below the least), and up to four matrices as few. Raises
        ValueError for sizes that are missing or no dimensions.
        """
        dimensions = self._dimensions(sizes)
        sides = sum(a * b for a, b in zip(dimensions, dimensions[1:] + dimensions[:1], strict=True))
        return min(self.orders, key=lambda order: _fan_cost(dimensions, sides, order.hubs[0]))

    def cost(self, sizes: Mapping[str, int] | Sequence[int]) -> int:
        """Scalar multiplications of the chosen order."""
        dimensions = self._dimensions(sizes)
        chosen = self.choose(dimensions)
        spans = tree.products(chosen.sequence, len(dimensions) - 1)
        return sum(dimensions[i] * dimensions[k] * dimensions[j] for i, k, j in spans)

    def _dimensions(self, sizes: Mapping[str, int] | Sequence[int]) -> tuple[int, ...]:
        if isinstance(sizes, Mapping):
            missing = [symbol for symbol in self.symbols if isinstance(symbol, str) and symbol not in sizes]
            if missing:
                raise ValueError(f"there is no size for {missing[0]!r}")
            found = [sizes[symbol] if isinstance(symbol, str) else symbol for symbol in self.symbols]
        else:
            found = list(sizes)
        dimensions = parse(found).dimensions
        if len(dimensions) != len(self.symbols):
            raise ValueError(f"{len(dimensions)} dimensions were given for a chain that has {len(self.symbols)}")
        known: dict[str, int] = {}
        for at, (symbol, size) in enumerate(zip(self.symbols, dimensions, strict=True)):
            expected = known.setdefault(symbol, size) if isinstance(symbol, str) else symbol
            if size != expected:
                raise ValueError(f"dimension {at}, {symbol!r}, is {size}, but {expected} elsewhere")
        return dimensions


def dispatcher(chain: int | Sequence[Symbol]) -> Dispatcher:
    """The essential orders of a chain of `chain` matrices, or of n + 1 dimensions that are sizes or names of sizes.

    Raises ValueError for what is no chain.

    >>> few = dispatcher(["batch", 100, "hidden", 50])
    >>> [order.expression for order in few.orders]
    ['(A0·A1)·A2', 'A0·(A1·A2)']
    >>> few.choose({"batch": 10, "hidden": 5}).expression
    '(A0·A1)·A2'
    """
    if isinstance(chain, int) and not isinstance(chain, bool):
        if chain < 1:
            raise ValueError(f"a chain has at least one matrix, not {chain}")
        symbols: tuple[Symbol, ...] = tuple(f"d{at}" for at in range(chain + 1))
    elif isinstance(chain, Sequence) and not isinstance(chain, str):
        symbols = tuple(chain)
        parse([1 if isinstance(symbol, str) else symbol for symbol in symbols])
    else:
        raise ValueError(f"a chain is its number of matrices or its dimensions, not {chain!r}")
    operands = len(symbols) - 1
    hubs: dict[tuple[int, ...], list[int]] = {}
    for hub in range(operands + 1):
        hubs.setdefault(_fan(hub, operands), []).append(hub)
    return Dispatcher(
        symbols,
        tuple(
            Essential(tuple(having), fan, tree.nested(fan, operands), tree.expression(fan, operands))
            for fan, having in hubs.items()
        ),
    )


def _fan(hub: int, operands: int) -> tuple[int, ...]:
    """Every product reaches from the hub outwards, so what is nearest to it is contracted first, and itself last."""
    left, right = range(hub - 1, 0, -1), range(hub + 1, operands)
    return (*left, *right, *([hub] if 0 < hub < operands else []))


def _fan_cost(dimensions: tuple[int, ...], sides: int, hub: int) -> int:
    size = dimensions[hub]
    return size * (sides - size * (dimensions[hub - 1] + dimensions[(hub + 1) % len(dimensions)]))
