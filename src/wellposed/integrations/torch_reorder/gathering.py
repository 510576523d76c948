"""Finds the products of a graph: which computations belong together, and what they are a sum of.

The expression of a root is a sum of terms, each a number times a product of leaves. Reading goes from the root down,
through views, through computations that nothing else uses, and through those that it is told to see through though
others use them (they are then computed again, or by nobody any more).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch.fx import Graph, Node

from wellposed.integrations.torch_reorder.indices import Axes, Axis, Indices, hint_of
from wellposed.integrations.torch_reorder.operations import (
    ADDITIONS,
    addends,
    is_computation,
    is_sum_of_several,
    is_view,
    swaps_matrix,
    through_view,
    value_of,
)

MOST_TERMS = 8
"""Of one expression; distributing further is not tried."""

MOST_FACTORS = 24
"""Of one term: a longer one keeps an intermediate as a leaf."""


@dataclass(frozen=True)
class Leaf:
    """A tensor of the graph as one factor of a term."""

    node: Node
    axes: Axes
    transposed: bool = False
    """Whether the product has it transposed, for people to read."""
    others: tuple[tuple[float, Leaf], ...] = ()
    """What is added to the tensor, each times a number; they have the same indices, maybe in another order."""

    @property
    def nodes(self) -> tuple[Node, ...]:
        return (self.node, *(other.node for _, other in self.others))


@dataclass(frozen=True)
class Term:
    coefficient: float
    leaves: tuple[Leaf, ...]
    summed: Axis = ()
    """The indices that are summed over."""


@dataclass(frozen=True)
class Expression:
    """What a root is: the sum of `terms`, with `axes` as its own."""

    root: Node
    axes: Axes
    terms: tuple[Term, ...]
    indices: Indices
    inside: frozenset[Node]
    """The computations that were seen through, the root among them."""


class Computations:
    """The computations of a graph, each known by the first node that computes the same, and who uses them."""

    def __init__(self, graph: Graph, half_precision: bool = False) -> None:
        self._first: dict[Node, Node] = {}
        self.nodes: list[Node] = []
        """Those computations that are the first of their kind, in the graph's order."""
        self.needed: set[Node] = set()
        """Computations whose result something else than a product needs."""
        self.users: dict[Node, set[Node]] = {}
        """For each computation, those that use it, directly or through views."""
        self.shared: set[Node] = set()
        """Computations that products use more than once."""
        seen: dict[Any, Node] = {}
        self._computes: set[Node] = set()
        self._live = _live(graph)
        for node in graph.nodes:
            computes = is_computation(node, half_precision)
            if node not in self._live or not (computes or is_view(node)):
                continue
            key = (node.target, self._key(node.args), self._key(tuple(sorted(node.kwargs.items()))))
            try:
                first = seen.setdefault(key, node)
            except TypeError:  # an argument that cannot be hashed
                first = node
            self._first[node] = first
            if first is node and computes:
                self.nodes.append(node)
                self._computes.add(node)
        self._find_users(graph)

    def first(self, node: Node) -> Node:
        """The first node of the graph that computes the same."""
        return self._first.get(node, node)

    def every(self) -> Iterable[Node]:
        """All computations, those that are there twice included."""
        return [node for node, first in self._first.items() if first in self._computes]

    def computes(self, node: Node) -> bool:
        return node in self._computes

    def base(self, node: Node) -> Node:
        """What `node` is a view of."""
        node = self.first(node)
        while is_view(node) and isinstance(node.args[0], Node):
            node = self.first(node.args[0])
        return node

    def _key(self, given: Any) -> Any:
        if isinstance(given, Node):
            return ("node", self.first(given))
        if isinstance(given, (list, tuple)):
            return tuple(map(self._key, given))
        return (type(given), given)

    def _find_users(self, graph: Graph) -> None:
        self.users = {node: set() for node in self.nodes}
        for node in graph.nodes:
            if is_view(node) or node not in self._live:
                continue
            reader = self.first(node)
            for base in map(self.base, _tensors(node)):
                if base not in self.users:
                    continue
                if node is not reader:
                    continue  # the same computation a second time
                if reader in self._computes:
                    if self.users[base]:
                        self.shared.add(base)
                    self.users[base].add(reader)
                else:
                    self.needed.add(base)

    def expression(self, root: Node, through: Iterable[Node] = ()) -> Expression | None:
        """What `root` is, seen through the computations in `through` and those that it alone uses.

        None where there is nothing to be seen through, or a size depends on data.
        """
        value = value_of(root)
        assert value is not None
        indices = Indices()
        axes = indices.of_shape(value.shape)
        if axes is None:
            return None
        reading = _Reading(self, root, frozenset(through), indices)
        terms = reading.opened(root, axes, only_sums=True)
        if terms is None:
            return None
        resolved = [_resolved(term, indices) for term in terms]
        if None in resolved:
            return None
        return Expression(
            root, indices.resolve_all(axes), tuple(filter(None, resolved)), indices, frozenset(reading.inside)
        )


class _Reading:
    """One walk from a root down to its leaves."""

    def __init__(self, known: Computations, root: Node, through: frozenset[Node], indices: Indices) -> None:
        self._known, self._root, self._through, self._indices = known, root, through, indices
        self.inside: set[Node] = set()

    def read(self, node: Node, axes: Axes, only_sums: bool, transposed: bool = False) -> list[Term]:
        node = self._known.first(node)
        if is_view(node):
            below = through_view(node, axes, self._indices)
            if below is not None and _known_sizes(below[0]):
                return self.read(*below, only_sums, transposed ^ swaps_matrix(node))
        elif self._sees_through(node, only_sums):
            terms = self.opened(node, axes, only_sums, transposed)
            if terms is not None:
                return terms
        return [Term(1, (Leaf(node, axes, transposed),))]

    def _sees_through(self, node: Node, only_sums: bool) -> bool:
        if not self._known.computes(node):
            return False
        if node in self._through:
            return True
        if node in self._known.needed or node in self._known.shared:
            return False
        return only_sums or not is_sum_of_several(node)

    def opened(self, node: Node, axes: Axes, only_sums: bool, transposed: bool = False) -> list[Term] | None:
        """The terms of a computation; None where it has to stay a leaf."""
        parts = addends(node, axes, self._indices)
        if parts is None:
            return None
        inside = set(self.inside)
        self.inside.add(node)
        only_sums = only_sums and (node.target in ADDITIONS or node is self._root)
        total: list[Term] = []
        for part in parts:
            terms = [Term(part.coefficient, (), part.summed)]
            for operand, below in part.operands:
                still_sums = only_sums and len(part.operands) == 1 and len(parts) > 1
                factors = self.read(operand, below, still_sums, transposed)
                terms = [_multiplied(one, other) for one in terms for other in factors]
                if len(terms) > MOST_TERMS:
                    break
            total += terms
            if len(total) > MOST_TERMS or any(len(term.leaves) > MOST_FACTORS for term in total):
                self.inside = inside
                return None
        return total


def _multiplied(one: Term, other: Term) -> Term:
    return Term(one.coefficient * other.coefficient, one.leaves + other.leaves, one.summed + other.summed)


def _live(graph: Graph) -> set[Node]:
    """The nodes that a result, or an effect, depends on. Tracing leaves others behind, and they are nobody's users."""
    waiting = [node for node in graph.nodes if node.op == "output" or node.is_impure()]
    live = set(waiting)
    while waiting:
        below = [node for node in waiting.pop().all_input_nodes if node not in live]
        live.update(below)
        waiting += below
    return live


def _resolved(term: Term, indices: Indices) -> Term | None:
    """The term with the indices as they ended up. None where it is to be multiplied by a size that is no number."""
    leaves = tuple(replace(leaf, axes=indices.resolve_all(leaf.axes)) for leaf in term.leaves)
    held = {index for leaf in leaves for axis in leaf.axes for index in axis}
    # A sum over an index that nothing has, since it came by broadcasting, counts the same as often as there are values.
    times = indices.size(index for index in indices.resolve(term.summed) if index not in held)
    return Term(term.coefficient * times, leaves) if isinstance(times, int) else None


def _tensors(node: Node) -> list[Node]:
    """The arguments of `node`, as often as they stand there."""
    found: list[Node] = []
    torch.fx.map_arg((node.args, node.kwargs), found.append)
    return found


def _known_sizes(node: Node) -> bool:
    value = value_of(node)
    return value is not None and all(hint_of(dimension) not in (None, 0) for dimension in value.shape)


def leaf_computations(expression: Expression, known: Computations) -> Sequence[Node]:
    """The leaves that are computed in the graph by operators of products, each once."""
    found = dict.fromkeys(node for term in expression.terms for leaf in term.leaves for node in leaf.nodes)
    return [node for node in found if known.computes(node)]
