"""Writes a planned expression into the graph: permutations, reshapes, products, and the metadata of all nodes."""

from __future__ import annotations

import contextlib
import operator
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch._guards import detect_fake_mode
from torch.fx import Graph, Node

from wellposed.integrations.torch_reorder.choosing import Planned
from wellposed.integrations.torch_reorder.contraction import Again, Tree
from wellposed.integrations.torch_reorder.gathering import Leaf, Term
from wellposed.integrations.torch_reorder.indices import Axes, Axis, Indices, Size, size_of
from wellposed.integrations.torch_reorder.operations import value_of

aten = torch.ops.aten


@dataclass(frozen=True)
class Value:
    """A node and what its axes are."""

    node: Node
    axes: Axes

    @property
    def indices(self) -> list[int]:
        return [index for axis in self.axes for index in axis]


class Rebuilder:
    """Inserts nodes into one graph; what was inserted before is used again."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._made: dict[object, Node] = {}
        self._root: Node | None = None
        self._indices = Indices()
        self._size_nodes: dict[Size, Node] = {}
        self._replaced: dict[Node, Node] = {}

    def rebuild(self, planned: Planned) -> Node | None:
        """Inserts the expression before its root and gives its node, which the caller puts in the root's place.

        None, with the graph as it was but for nodes that nobody uses, where a size cannot be had at that place.
        """
        expression = planned.expression
        self._root, self._indices = expression.root, expression.indices
        with self._graph.inserting_before(expression.root), _without_guards(expression.root):
            try:
                total: Value | None = None
                for term, order in zip(expression.terms, planned.orders, strict=True):
                    value = self._term(term, order.tree, expression.axes)
                    total = value if total is None else self._sum(total, value, expression.axes)
                assert total is not None
                return self._finished(total, expression.axes)
            except _SizeUnknownError:
                return None

    def replaced(self, node: Node, by: Node) -> None:
        """Tells that leaves which are `node` are now `by`."""
        self._replaced[node] = by

    def made(self) -> Iterable[Node]:
        """Everything inserted so far."""
        return self._made.values()

    # --- terms --------------------------------------------------------------------------------------------------

    def _term(self, term: Term, tree: Tree, axes: Axes) -> Value:
        wanted = {index for axis in axes for index in axis}
        values = [self._leaf(leaf) for leaf in term.leaves]
        holders: dict[int, int] = {}
        for value in values:
            for index in value.indices:
                holders[index] = holders.get(index, 0) + 1
        values = [
            self._summed(value, [i for i in value.indices if i not in wanted and holders[i] == 1]) for value in values
        ]
        # A number scales what is smallest: a leaf, or the result.
        sizes = [self._indices.hint(value.indices) for value in values]
        smallest = min(range(len(values)), key=sizes.__getitem__)
        early = sizes[smallest] < self._indices.hint(wanted)
        if early:
            values[smallest] = self._scaled(values[smallest], term.coefficient)
        result = self._tree(tree, values, wanted, [index for axis in axes for index in axis])
        return result if early else self._scaled(result, term.coefficient)

    def _leaf(self, leaf: Leaf) -> Value:
        value = Value(self._replaced.get(leaf.node, leaf.node), leaf.axes)
        for number, other in leaf.others:
            value = self._sum(value, self._scaled(self._leaf(other), number), value.axes)
        return value

    def _tree(self, tree: Tree, values: Sequence[Value], wanted: set[int], order: list[int]) -> Value:
        if not isinstance(tree, tuple):
            return values[tree]
        numbers = set(_numbers(tree))
        outside = {index for at, value in enumerate(values) if at not in numbers for index in value.indices}
        outside |= wanted
        left = self._tree(tree[0], values, outside | _indices_of(values, _numbers(tree[1])), order)
        if isinstance(tree[1], Again):
            renamed = dict(tree[1].renamed)
            axes = tuple(tuple(renamed[index] for index in axis) for axis in left.axes)
            return self._product(left, Value(left.node, axes), outside, order)
        right = self._tree(tree[1], values, outside | _indices_of(values, _numbers(tree[0])), order)
        return self._product(left, right, outside, order)

    def _product(self, left: Value, right: Value, kept: set[int], order: list[int]) -> Value:
        """The product of two tensors, summed over the indices of both that nobody needs any more."""
        rank = {index: at for at, index in enumerate(order)}
        if min((rank.get(i, len(rank)) for i in right.indices if i not in left.indices), default=len(rank)) < min(
            (rank.get(i, len(rank)) for i in left.indices if i not in right.indices), default=len(rank)
        ):
            left, right = right, left
        both = [index for index in left.indices if index in right.indices]
        inner = tuple(index for index in both if index not in kept)
        batch = tuple(index for index in both if index in kept)
        rows = tuple(index for index in left.indices if index not in both)
        columns = tuple(index for index in right.indices if index not in both)
        if not inner:
            return self._elementwise(left, right, order)
        if not batch:
            node = self._call(
                aten.mm.default, self._arranged(left, (rows, inner)), self._arranged(right, (inner, columns))
            )
            return Value(node, (rows, columns))
        node = self._call(
            aten.bmm.default,
            self._arranged(left, (batch, rows, inner)),
            self._arranged(right, (batch, inner, columns)),
        )
        return Value(node, (batch, rows, columns))

    def _elementwise(self, left: Value, right: Value, order: list[int]) -> Value:
        axes = self._common_axes(left, right, order)
        node = self._call(aten.mul.Tensor, self._spread(left, axes), self._spread(right, axes))
        return Value(node, axes)

    def _sum(self, total: Value, value: Value, axes: Axes) -> Value:
        common = self._common_axes(total, value, [index for axis in axes for index in axis])
        return Value(self._call(aten.add.Tensor, self._spread(total, common), self._spread(value, common)), common)

    def _common_axes(self, left: Value, right: Value, order: list[int]) -> Axes:
        """Axes for the two broadcast together; indices that always stand together share one."""
        present = {*left.indices, *right.indices}
        sequence = [index for index in order if index in present]
        sequence += [index for index in dict.fromkeys([*left.indices, *right.indices]) if index not in sequence]
        runs: list[list[int]] = []
        for index in sequence:
            where = (index in left.indices, index in right.indices)
            if runs and (runs[-1][-1] in left.indices, runs[-1][-1] in right.indices) == where:
                runs[-1].append(index)
            else:
                runs.append([index])
        return tuple(map(tuple, runs))

    def _spread(self, value: Value, axes: Axes) -> Node:
        """The tensor with `axes`, where those that it does not have are of size 1."""
        held = set(value.indices)
        return self._arranged(value, tuple(axis if held.issuperset(axis) and axis else () for axis in axes))

    def _summed(self, value: Value, over: Sequence[int]) -> Value:
        if not over:
            return value
        flat = self._flat(value)
        positions = [at for at, axis in enumerate(flat.axes) if axis[0] in over]
        node = self._call(aten.sum.dim_IntList, flat.node, positions)
        return Value(node, tuple(axis for axis in flat.axes if axis[0] not in over))

    def _scaled(self, value: Value, coefficient: float) -> Value:
        if coefficient == 1:
            return value
        return Value(self._call(aten.mul.Tensor, value.node, coefficient), value.axes)

    # --- arrangement --------------------------------------------------------------------------------------------

    def _arranged(self, value: Value, axes: Axes) -> Node:
        """The tensor with just these axes, in this order; they hold the same indices."""
        if value.axes == axes:
            return value.node
        if [axis for axis in value.axes if axis] == [axis for axis in axes if axis]:
            return self._reshaped(value.node, axes)
        wanted = [index for axis in axes for index in axis]
        if value.indices != wanted:
            at = {axis: position for position, axis in enumerate(value.axes)}
            if all(axis in at for axis in axes if axis):
                # Whole axes change places.
                used = [at[axis] for axis in axes if axis]
                ones = [position for position, axis in enumerate(value.axes) if not axis]
                node = value.node
                if ones:
                    node = self._reshaped(node, tuple(axis for axis in value.axes if axis))
                    used = [sum(1 for one in value.axes[:position] if one) for position in used]
                permuted = self._call(aten.permute.default, node, used)
                return self._arranged(Value(permuted, tuple(axis for axis in axes if axis)), axes)
            flat = self._flat(value)
            positions = {axis[0]: position for position, axis in enumerate(flat.axes)}
            permuted = self._call(aten.permute.default, flat.node, [positions[index] for index in wanted])
            return self._arranged(Value(permuted, tuple((index,) for index in wanted)), axes)
        return self._reshaped(value.node, axes)

    def _flat(self, value: Value) -> Value:
        """One index an axis, none of size 1."""
        axes = tuple((index,) for index in value.indices)
        return value if axes == value.axes else Value(self._reshaped(value.node, axes), axes)

    def _reshaped(self, node: Node, axes: Axes) -> Node:
        return self._call(aten.reshape.default, node, [self._size(axis) for axis in axes])

    def _finished(self, value: Value, axes: Axes) -> Node:
        """The tensor as its root was: the same axes, repeated where no factor has them, and contiguous."""
        root = value_of(self._root)
        assert root is not None
        held = set(value.indices)
        order = [index for axis in axes for index in axis]
        if held.issuperset(order):
            node = self._arranged(value, axes)
        else:
            node = self._spread(value, tuple((index,) for index in order))
            node = self._call(aten.expand.default, node, [self._size((index,)) for index in order])
            node = self._arranged(Value(node, tuple((index,) for index in order)), axes)
        made = value_of(node)
        assert made is not None
        if not made.is_contiguous() or node.op == "placeholder":
            node = self._call(aten.clone.default, node, memory_format=torch.contiguous_format)
        return node

    # --- nodes --------------------------------------------------------------------------------------------------

    def _size(self, axis: Axis) -> int | Node:
        """A size as an argument of a node."""
        total: int | Node = 1
        for index in axis:
            size = self._indices.sizes[index]
            factor = size if isinstance(size, int) else self._size_node(size)
            if isinstance(total, int) and isinstance(factor, int):
                total *= factor
            else:
                total = factor if total == 1 else self._call(operator.mul, total, factor)
        return total

    def _size_node(self, size: Size) -> Node:
        """A node before the root whose value is the size."""
        known: Node | None = self._size_nodes.get(size)
        if known is not None:
            return known
        node: Node
        for node in self._graph.nodes:
            if node is self._root:
                break
            value = node.meta.get("val")
            if isinstance(value, torch.SymInt) and size_of(value) == size:
                self._size_nodes[size] = node
                return node
            if node.op == "placeholder" and isinstance(value, torch.Tensor):
                for dimension, measured in enumerate(value.shape):
                    if size_of(measured) == size:
                        made = self._call(aten.sym_size.int, node, dimension)
                        self._size_nodes[size] = made
                        return made
        raise _SizeUnknownError

    def _call(self, target: Callable[..., Any], *args: Any, **kwargs: Any) -> Node:
        key = (target, _frozen(args), _frozen(tuple(kwargs.items())))
        if key in self._made:
            return self._made[key]
        assert self._root is not None
        node = self._graph.call_function(target, args, kwargs)
        node.meta.update((name, kept) for name, kept in self._root.meta.items() if name in _INHERITED)
        measured, named = torch.fx.map_arg((args, kwargs), lambda given: given.meta["val"])
        mode = detect_fake_mode([value_of(self._root)])
        with mode if mode is not None else contextlib.nullcontext():
            node.meta["val"] = target(*measured, **named)
        if isinstance(node.meta["val"], torch.Tensor):
            node.meta["tensor_meta"] = _tensor_metadata(node.meta["val"])
        self._made[key] = node
        return node


_INHERITED = {
    "stack_trace",
    "nn_module_stack",
    "source_fn_stack",
    "fwd_nn_module_stack",
    "fwd_source_fn_stack",
    "original_aten",
    "seq_nr",
    "partitioner_tag",
    "custom",
    "recompute",
    "ac_graph_id",
}
"""What a node says of where it comes from; its successors come from there too."""


class _SizeUnknownError(Exception):
    """A dynamic size that nothing before the root has."""


def _tensor_metadata(value: torch.Tensor) -> Any:
    from torch.fx.passes.shape_prop import _extract_tensor_metadata

    return _extract_tensor_metadata(value)


@contextlib.contextmanager
def _without_guards(root: Node) -> Iterator[None]:
    """Shapes are computed without new conditions on them: whatever holds here held for the original."""
    mode = detect_fake_mode([value_of(root)])
    if mode is None or mode.shape_env is None:
        yield
        return
    with mode.shape_env.suppress_guards():
        yield


def _frozen(given: Any) -> Any:
    if isinstance(given, (list, tuple)):
        return tuple(map(_frozen, given))
    return (type(given), given)


def _numbers(tree: Tree) -> list[int]:
    if isinstance(tree, Again):
        return list(tree.tensors)
    return [*_numbers(tree[0]), *_numbers(tree[1])] if isinstance(tree, tuple) else [tree]


def _indices_of(values: Sequence[Value], numbers: Iterable[int]) -> set[int]:
    return {index for at in numbers for index in values[at].indices}
