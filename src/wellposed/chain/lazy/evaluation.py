"""The value of a node: its chain in the order with the fewest multiplications, by the products of a library.

What several products share is computed once, unless going around it is cheaper. Who is still going to want it is not
known, so an intermediate is skipped while the multiplications that this has cost in all are fewer than those of
computing it. Whoever rents skis until the rent would have bought a pair pays at most twice what was necessary.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import lru_cache
from typing import Any, NamedTuple, Protocol

from wellposed.chain.dimensions import batch_sizes, parse
from wellposed.chain.lazy.expression import Node, Scaling
from wellposed.chain.lazy.flattening import Flat, Span, Step, flatten
from wellposed.chain.lazy.rewrites import Rewrite
from wellposed.chain.lazy.shapes import Shape
from wellposed.chain.plan import matrix_chain_multiplication
from wellposed.chain.planning import LONGEST_BY_INTERVALS

MOST_SHARED = 16
"""Intermediates of one chain for which going around them is weighed; what is shared beyond is computed."""

MOST_USERS = 32
"""Products over a shared intermediate that are counted in."""


class Library(Protocol):
    """How arrays are multiplied."""

    def within(self, node: Node) -> AbstractContextManager[object]:
        """The state under which the operations of this node are done."""

    def operand(self, node: Node) -> Any:
        """The value of a node that has one; the library may see to it that it is still what it was."""

    def matmul(self, left: Any, right: Any) -> Any: ...

    def transpose(self, value: Any) -> Any:
        """The last two dimensions the other way round."""

    def scale(self, value: Any, scaling: Scaling) -> Any: ...

    def with_axis(self, value: Any, axis: int) -> Any:
        """A new dimension of size 1 there, which is -1 or -2."""

    def without_axis(self, value: Any, axis: int) -> Any:
        """Without that dimension, of size 1."""

    def keep(self, node: Node, value: Any) -> Any:
        """What the node is to have for its value: where the user holds something of it, that now is the value."""


def evaluate(root: Node, library: Library, tell: Callable[[Rewrite], None]) -> Any:
    """The value of `root`; `tell` hears of every chain that is multiplied for it."""
    # Chains whose operands are products themselves wait for them: no recursion, programs may nest deeply.
    waiting: list[tuple[Node, Flat | None]] = [(root, None)]
    while waiting:
        node, flat = waiting.pop()
        if node.value is not None:
            continue
        if node.kind != "product":
            assert node.left is not None
            if node.left.value is None:
                waiting += [(node, None), (node.left, None)]
                continue
            with library.within(node):
                _settle(node, _alone(node, library), library)
            continue
        if flat is None:
            flat = _chain(node)
            missing = [(operand, None) for operand in flat.operands if operand.value is None]
            if missing:
                waiting += [(node, flat), *missing]
                continue
        with library.within(node):
            value = _multiply(node, flat, library, tell)
            _settle(node, value, library)
    return root.value


def _settle(node: Node, value: Any, library: Library) -> None:
    node.settle(library.keep(node, value))


def _alone(node: Node, library: Library) -> Any:
    assert node.left is not None
    if node.scaling is not None:
        return library.scale(node.left.value, node.scaling)
    return library.transpose(node.left.value)


# --- what is computed once ------------------------------------------------------------------------------------


def _chain(root: Node) -> Flat:
    """The chain of a product, with an end at those intermediates that are worth being computed."""
    flat = flatten(root)
    shared = [node for node in flat.products if node is not root and node.may_be_used_again()]
    if not shared:
        return flat
    kept = {node for node in shared[MOST_SHARED:] if node.wanted or node.uses > 1 or len(node.waiting_users()) > 1}
    skipped: list[tuple[Node, int]] = []
    flat = flatten(root, kept)
    for node in shared[:MOST_SHARED]:
        if node not in flat.products:
            continue
        without = flatten(root, {*kept, node})
        extra = _cost(flat) - _cost(without)
        price = _cost(flatten(node, kept))
        if node.wanted or node.rent + extra + _extra_elsewhere(node, root, kept, extra, price) >= price:
            kept.add(node)
            flat = without
        else:
            skipped.append((node, extra))
    for node, extra in skipped:
        node.rent += extra
    return flat


def _extra_elsewhere(node: Node, root: Node, kept: set[Node], extra: int, price: int) -> int:
    """What the other products that wait for `node` would pay for going around it."""
    if node.uses > 1:
        return extra * (node.uses - 1)
    total = 0
    for other in _tops(node):
        if other is root:
            continue
        flat = flatten(other, kept) if other.kind == "product" else None
        if flat is None or node not in flat.products:
            total += price
        else:
            total += _cost(flat) - _cost(flatten(other, {*kept, node}))
    return total


def _tops(node: Node) -> list[Node]:
    """The nodes over `node` that no other node waits for."""
    found: list[Node] = []
    seen = {node}
    work = node.waiting_users()
    while work and len(found) < MOST_USERS:
        user = work.pop()
        if user in seen:
            continue
        seen.add(user)
        above = user.waiting_users()
        if above:
            work += above
        else:
            while user.kind != "product" and user.left is not None and user.left is not node:
                user = user.left
            found.append(user)
    return found


# --- orders ---------------------------------------------------------------------------------------------------


class Order(NamedTuple):
    """How a chain is multiplied."""

    steps: tuple[Step, ...]
    cost: int


def _order(flat: Flat) -> Order:
    return _best(flat.shapes(), flat.needs_gradient(), tuple(flat.written))


def _cost(flat: Flat) -> int:
    return _order(flat).cost if flat.written else 0


@lru_cache(maxsize=4096)
def _best(shapes: tuple[Shape, ...], gradients: tuple[bool, ...], written: tuple[Step, ...]) -> Order:
    """The order with the fewest multiplications; that in which it was written where none has fewer."""
    if len(shapes) > LONGEST_BY_INTERVALS:
        return Order(written, sum(_costs(shapes, gradients, written)))
    plan = matrix_chain_multiplication(shapes, requires_grad=gradients or None)
    as_written = sum(_costs(shapes, gradients, written))
    if as_written <= plan.cost:
        return Order(written, as_written)
    return Order(tuple((product.first, product.split, product.end) for product in plan.products), plan.cost)


def _costs(shapes: tuple[Shape, ...], gradients: tuple[bool, ...], steps: tuple[Step, ...]) -> Iterator[int]:
    chain = parse(shapes)
    sizes, d, vertices = batch_sizes(chain), chain.dimensions, len(chain.dimensions)
    needing = [0]
    for needs in gradients or (False,) * len(shapes):
        needing.append(needing[-1] + needs)
    for first, split, end in steps:
        passes = 1 + (needing[split] > needing[first]) + (needing[end] > needing[split])
        yield (sizes[first * vertices + end] if sizes else 1) * d[first] * d[split] * d[end] * passes


def _multiply(node: Node, flat: Flat, library: Library, tell: Callable[[Rewrite], None]) -> Any:
    shapes, order = flat.shapes(), _order(flat)
    before = sum(made.written or 0 for made in flat.products)
    for made in flat.products:
        made.written = None
    values: dict[int, Any] = {}
    scalings = _placed(flat, order.steps, shapes)
    as_matrices = _vectors_among_stacks(shapes)
    for at, (operand, turn) in enumerate(zip(flat.operands, flat.is_turned, strict=True)):
        value = library.operand(operand)
        if turn and len(operand.shape) > 1:
            value = library.transpose(value)
        if at in as_matrices:
            value = library.with_axis(value, as_matrices[at])
        values[at] = _scale(value, scalings.get((at, at + 1)), library)
    for first, split, end in order.steps:
        value = library.matmul(values[first], values.pop(split))
        values[first] = _scale(value, scalings.get((first, end)), library)
    tell(Rewrite(node.site, shapes, tuple(flat.written), order.steps, before, order.cost))
    value = values[0]
    for axis in as_matrices.values():
        value = library.without_axis(value, axis)
    return value


def _vectors_among_stacks(shapes: tuple[Shape, ...]) -> dict[int, int]:
    """The operands that have to be matrices while they are multiplied, and the dimension to be added: a stack of
    matrices times a vector is a stack of vectors, which the next product would take for a matrix."""
    if all(len(shape) <= 2 for shape in shapes):
        return {}
    last = len(shapes) - 1
    return {at: axis for at, axis in ((last, -1), (0, -2)) if len(shapes[at]) == 1}


def _scale(value: Any, scalings: list[Scaling] | None, library: Library) -> Any:
    for scaling in scalings or ():
        value = library.scale(value, scaling)
    return value


def _placed(flat: Flat, steps: tuple[Step, ...], shapes: tuple[Shape, ...]) -> dict[Span, list[Scaling]]:
    """Where each factor goes: to the product that it was written for, where that is done, else to the smallest of the
    products around it and the operands and products in it."""
    placed: dict[Span, list[Scaling]] = {}
    if not flat.scalings:
        return placed
    sizes = _sizes(shapes, steps)
    for first, end, scaling in flat.scalings:
        span = (first, end)
        if span not in sizes:
            nested = [
                other
                for other in sizes
                if (first <= other[0] and other[1] <= end) or (other[0] <= first and end <= other[1])
            ]
            # Of equals the largest span: products are nearer to what was scaled than operands are.
            span = min(nested, key=lambda other: (sizes[other], other[0] - other[1]))
        placed.setdefault(span, []).append(scaling)
    return placed


def _sizes(shapes: tuple[Shape, ...], steps: tuple[Step, ...]) -> dict[Span, int]:
    """Elements of every operand and every product."""
    chain = parse(shapes)
    batches, d, vertices = batch_sizes(chain), chain.dimensions, len(chain.dimensions)
    spans = [(at, at + 1) for at in range(len(shapes))] + [(first, end) for first, _, end in steps]
    return {
        (first, end): (batches[first * vertices + end] if batches else 1) * d[first] * d[end] for first, end in spans
    }
