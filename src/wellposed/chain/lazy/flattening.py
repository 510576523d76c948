"""A tree as the chain that it multiplies: operands from left to right, with the products and factors as written.

``(X @ Y).T`` is ``Y.T @ X.T``, so turning is carried down to the operands. A vector is a row on the left of a product
and a column on its right, and where a product that is a vector stands on the other side, its chain is turned.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Literal

from wellposed.chain.lazy.expression import Node, Scaling
from wellposed.chain.lazy.shapes import Shape, turned

Span = tuple[int, int]
"""Operands first … end - 1."""
Step = tuple[int, int, int]
"""Operands first … split - 1 times operands split … end - 1."""


@dataclass
class Flat:
    """The chain under a node."""

    operands: list[Node] = field(default_factory=list)
    is_turned: list[bool] = field(default_factory=list)
    written: list[Step] = field(default_factory=list)
    """The products in the sequence in which they were written."""
    products: list[Node] = field(default_factory=list)
    """Their nodes, the outermost first."""
    scalings: list[tuple[int, int, Scaling]] = field(default_factory=list)
    """Factors, and the spans that they were written for."""

    def shapes(self) -> tuple[Shape, ...]:
        """Of the operands as they enter the products."""
        pairs = zip(self.operands, self.is_turned, strict=True)
        return tuple(turned(node.shape) if turn and len(node.shape) > 1 else node.shape for node, turn in pairs)

    def needs_gradient(self) -> tuple[bool, ...]:
        """One entry an operand; empty where none needs one."""
        needs = tuple(node.needs_gradient for node in self.operands)
        return needs if any(needs) else ()


def flatten(root: Node, kept: Collection[Node] = ()) -> Flat:
    """The chain of the product `root`, which ends at values that are there and at the nodes in `kept`."""
    flat = Flat()
    splits: list[int] = []
    # What is left to do, the next at the end. Programs may nest deeply, so nothing here recurses.
    work: list[_Work] = [("visit", root, _naturally_row(root), 0)]
    while work:
        what, node, turn, first = work.pop()
        here = len(flat.operands)
        if what == "split":
            splits.append(here)
        elif what == "multiplied":
            flat.written.append((first, splits.pop(), here))
        elif what == "scaled":
            if node.scaling is not None:
                flat.scalings.append((first, here, node.scaling))
        elif node is not root and not _continues(node, root, kept):
            flat.operands.append(node)
            flat.is_turned.append(turn)
        elif node.kind == "product":
            flat.products.append(node)
            work += _factors(node, turn, here)
        else:
            assert node.left is not None
            inner = turn != (node.kind == "transposed")
            work += [("scaled", node, turn, here), ("visit", node.left, inner, 0)]
    return flat


_Work = tuple[Literal["visit", "split", "multiplied", "scaled"], Node, bool, int]
"""What to do, with which node, whether it is turned (of a vector: whether it is to be a row), and where it began."""


def _factors(node: Node, turn: bool, here: int) -> list[_Work]:
    """What to do for a product; its factors change places where it is turned."""
    left, right = node.left, node.right
    assert left is not None and right is not None
    if len(node.shape) == 1:
        turn = turn != _naturally_row(node)
    # A vector is a row where it comes first: the left one unless turned, the right one if turned.
    pairs = [(left, turn if len(left.shape) > 1 else not turn), (right, turn)]
    if turn:
        pairs.reverse()
    (first, first_turn), (second, second_turn) = pairs
    return [
        ("multiplied", node, turn, here),
        ("visit", second, second_turn, 0),
        ("split", node, turn, here),
        ("visit", first, first_turn, 0),
    ]


def _naturally_row(node: Node) -> bool:
    """Of a node that is a vector: whether it is a vector times a matrix, and not a matrix times a vector."""
    return len(node.shape) == 1 and node.left is not None and len(node.left.shape) == 1


def _continues(node: Node, root: Node, kept: Collection[Node]) -> bool:
    """Whether the chain goes on below `node`."""
    if node.value is not None or node.group != root.group or node in kept:
        return False
    if node.kind != "product":
        return True
    assert node.left is not None and node.right is not None
    # A stack of matrices times a vector is a matrix in name: its columns are not those of a product.
    both = len(node.left.shape) > 1 and len(node.right.shape) > 1
    return both or len(node.shape) == 1
