"""What the operators of a graph are to a product: another look at a tensor, a part of the product, or its end.

`through_view` and `addends` read a node against the axes of its result. Nodes whose result is not made of
floating-point numbers of one dtype on one device are ends, as is every operator that is not named here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from torch.fx import Node

from wellposed.integrations.torch_reorder.indices import Axes, Axis, Indices, hint_of, size_of

aten = torch.ops.aten

Operand: TypeAlias = "tuple[Node, Axes]"
"""A tensor and what its axes are in the expression."""


@dataclass(frozen=True)
class Addend:
    """A number times a product of tensors, summed over the indices that the result does not have."""

    coefficient: float
    operands: tuple[Operand, ...]
    summed: Axis = ()
    """The indices that are summed over."""


def value_of(node: object) -> torch.Tensor | None:
    """The tensor's metadata: shape, dtype and device. None for what is no tensor."""
    value = node.meta.get("val") if isinstance(node, Node) else None
    return value if isinstance(value, torch.Tensor) else None


# --- views ----------------------------------------------------------------------------------------------------

_RESHAPES = {
    aten.view.default,
    aten.reshape.default,
    aten._unsafe_view.default,
    aten.unsqueeze.default,
    aten.squeeze.default,
    aten.squeeze.dim,
    aten.squeeze.dims,
}
_COPIES = {aten.clone.default, aten.alias.default, aten.detach.default, aten.contiguous.default}
_PERMUTATIONS = {aten.permute.default, aten.t.default, aten.transpose.int}
VIEWS = _RESHAPES | _COPIES | _PERMUTATIONS | {aten.expand.default}
"""Operators that arrange the same numbers differently, or repeat them."""


def is_view(node: Node) -> bool:
    return node.op == "call_function" and node.target in VIEWS and value_of(node) is not None


def through_view(node: Node, axes: Axes, indices: Indices) -> Operand | None:
    """The tensor that `node` is a view of, with the axes that follow from those of `node`."""
    source = node.args[0]
    value, seen = value_of(source), value_of(node)
    if not isinstance(source, Node) or value is None or seen is None or value.dtype != seen.dtype:
        return None
    if node.target in _COPIES:
        return source, axes
    if node.target in _RESHAPES:
        reshaped = indices.reshaped(axes, value.shape)
        return None if reshaped is None else (source, reshaped)
    if node.target is aten.expand.default:
        return source, _broadcast(value, seen, axes)
    order = _permutation(node, value.dim())
    inverse = sorted(range(value.dim()), key=order.__getitem__)
    return source, tuple(axes[position] for position in inverse)


def swaps_matrix(node: Node) -> bool:
    """Whether the view has the last two dimensions swapped, and nothing else."""
    value = value_of(node)
    if node.target not in _PERMUTATIONS or value is None or value.dim() < 2:
        return False
    order = list(range(value.dim()))
    order[-2:] = order[:-3:-1]
    return _permutation(node, value.dim()) == order


def _permutation(node: Node, dimensions: int) -> list[int]:
    if node.target is aten.permute.default:
        given: Any = node.args[1]
        return [axis % dimensions for axis in given]
    order = list(range(dimensions))
    if node.target is aten.t.default:
        return order[::-1]
    swapped: Any = node.args[1:3]
    first, second = (axis % dimensions for axis in swapped)
    order[first], order[second] = order[second], order[first]
    return order


def _broadcast(value: torch.Tensor, result: torch.Tensor, axes: Axes) -> Axes:
    """The axes of `value`, which was broadcast to `result`."""
    kept = axes[result.dim() - value.dim() :]
    return tuple(() if size_of(dimension) == 1 else axis for dimension, axis in zip(value.shape, kept, strict=True))


# --- products, scalings and sums ------------------------------------------------------------------------------

_Reader: TypeAlias = "Callable[[Node, Axes, Indices], list[Addend] | None]"


def _inner(node: Node, axis: int, indices: Indices) -> tuple[int, ...] | None:
    value = value_of(node)
    assert value is not None
    hint = hint_of(value.shape[axis])
    return None if hint is None else indices.new(size_of(value.shape[axis]), hint)


def _matrix_product(left: Any, right: Any, axes: Axes, indices: Indices) -> tuple[Operand, ...] | None:
    """mm, bmm, mv and dot: the last axis of `left` meets the first axis of `right` behind the batch."""
    left_value, right_value = value_of(left), value_of(right)
    if left_value is None or right_value is None:
        return None
    inner = _inner(left, -1, indices)
    if inner is None:
        return None
    batch = axes[:1] if left_value.dim() == 3 else ()
    rows = axes[len(batch) : len(batch) + left_value.dim() - 1 - len(batch)]
    columns = axes[len(batch) + len(rows) :]
    return (left, (*batch, *rows, inner)), (right, (*batch, inner, *columns))


def _product(node: Node, axes: Axes, indices: Indices) -> list[Addend] | None:
    operands = _matrix_product(node.args[0], node.args[1], axes, indices)
    return None if operands is None else [Addend(1, operands, operands[0][1][-1])]


def _biased_product(node: Node, axes: Axes, indices: Indices) -> list[Addend] | None:
    bias, left, right = node.args[:3]
    operands = _matrix_product(left, right, axes, indices)
    beta, alpha = node.kwargs.get("beta", 1), node.kwargs.get("alpha", 1)
    value, result = value_of(bias), value_of(node)
    if operands is None or value is None or result is None or not _is_number(beta) or not _is_number(alpha):
        return None
    if beta == 0:  # then the bias is not even read, so that a NaN in it does not count
        return [Addend(alpha, operands, operands[0][1][-1])]  # type: ignore[arg-type]
    return [Addend(beta, ((bias, _broadcast(value, result, axes)),)), Addend(alpha, operands, operands[0][1][-1])]  # type: ignore[arg-type]


def _elementwise_product(node: Node, axes: Axes, indices: Indices) -> list[Addend] | None:
    coefficient: Any = 1.0
    operands = []
    result = value_of(node)
    for given in node.args[:2]:
        value = value_of(given)
        if value is not None and result is not None:
            operands.append((given, _broadcast(value, result, axes)))
        elif _is_number(given):
            coefficient *= given
        else:
            return None
    return [Addend(coefficient, tuple(operands))] if operands else None  # type: ignore[arg-type]


def _division(node: Node, axes: Axes, indices: Indices) -> list[Addend] | None:
    given, divisor = node.args[:2]
    value, result = value_of(given), value_of(node)
    if value is None or result is None or node.kwargs or not _is_number(divisor) or divisor == 0:
        return None
    return [Addend(1 / divisor, ((given, _broadcast(value, result, axes)),))]  # type: ignore[operator,arg-type]


def _negation(node: Node, axes: Axes, indices: Indices) -> list[Addend] | None:
    return [Addend(-1, ((node.args[0], axes),))]  # type: ignore[arg-type]


def _addition(node: Node, axes: Axes, indices: Indices) -> list[Addend] | None:
    first, second = node.args[:2]
    scale: Any = node.kwargs.get("alpha", 1)
    values, result = (value_of(first), value_of(second)), value_of(node)
    if values[0] is None or values[1] is None or result is None or not _is_number(scale):
        return None
    if node.target is aten.sub.Tensor:
        scale = -scale
    return [
        Addend(1, ((first, _broadcast(values[0], result, axes)),)),  # type: ignore[arg-type]
        Addend(scale, ((second, _broadcast(values[1], result, axes)),)),  # type: ignore[arg-type]
    ]


def _sum(node: Node, axes: Axes, indices: Indices) -> list[Addend] | None:
    source = node.args[0]
    value = value_of(source)
    if not isinstance(source, Node) or value is None or node.kwargs.get("dtype") is not None:
        return None
    given: Any = node.args[1] if len(node.args) > 1 else None
    summed = {axis % value.dim() for axis in given} if given else set(range(value.dim()))
    keeps = bool(node.args[2]) if len(node.args) > 2 else bool(node.kwargs.get("keepdim", False))
    result, below = list(axes), []
    over: list[int] = []
    for position in range(value.dim()):
        if position in summed:
            inner = _inner(source, position, indices)
            if inner is None:
                return None
            below.append(inner)
            over += inner
            if keeps:
                result.pop(0)
        else:
            below.append(result.pop(0))
    return [Addend(1, ((source, tuple(below)),), tuple(over))]


def _is_number(given: object) -> bool:
    return isinstance(given, (int, float)) and not isinstance(given, bool)


PRODUCTS = {aten.mm.default, aten.bmm.default, aten.mv.default, aten.dot.default, aten.vdot.default}
BIASED = {aten.addmm.default, aten.baddbmm.default, aten.addmv.default}
SUMS = {aten.sum.dim_IntList, aten.sum.default}
ADDITIONS = {aten.add.Tensor, aten.sub.Tensor}
_READERS: dict[Any, _Reader] = {
    **dict.fromkeys(PRODUCTS, _product),
    **dict.fromkeys(BIASED, _biased_product),
    **dict.fromkeys(ADDITIONS, _addition),
    aten.mul.Tensor: _elementwise_product,
    aten.mul.Scalar: _elementwise_product,
    aten.div.Tensor: _division,
    aten.div.Scalar: _division,
    aten.neg.default: _negation,
    **dict.fromkeys(SUMS, _sum),
}

HALVES = {torch.float16, torch.bfloat16}
_FLOATS = {torch.float32, torch.float64}


def is_computation(node: Node, half_precision: bool) -> bool:
    """Whether `node` is one of the operators that products are made of, on tensors that can be rearranged."""
    if node.op != "call_function" or node.target not in _READERS:
        return False
    value = value_of(node)
    if value is None or value.dtype not in (_FLOATS | HALVES if half_precision else _FLOATS):
        return False
    for given in node.all_input_nodes:
        seen = value_of(given)
        if seen is None or seen.dtype != value.dtype or seen.device != value.device or seen.layout != torch.strided:
            return False
        if any(dimension == 0 for dimension in map(size_of, seen.shape)):
            return False
    return bool(node.all_input_nodes)


def addends(node: Node, axes: Axes, indices: Indices) -> list[Addend] | None:
    """What `node`, a computation, is the sum of; None where its arguments are not of the plain kind."""
    return _READERS[node.target](node, axes, indices)


def is_sum_of_several(node: Node) -> bool:
    """Whether the node has several addends, so that distributing a product over it makes several products."""
    return node.target in ADDITIONS or node.target in BIASED


def multiplications(node: Node) -> int:
    """The scalar multiplications of a computation; an addition counts as one, as does one element of a sum."""
    value = value_of(node)
    assert value is not None
    elements = _elements(value.shape)
    if node.target in PRODUCTS or node.target in BIASED:
        left = value_of(node.args[1 if node.target in BIASED else 0])
        assert left is not None
        return elements * _elements(left.shape[-1:]) + (elements if node.target in BIASED else 0)
    if node.target in SUMS:
        source = value_of(node.args[0])
        assert source is not None
        return _elements(source.shape)
    return elements


def in_products(node: Node, inside: frozenset[Node]) -> int:
    """Of `multiplications`, those in products that sum: matrix products, and sums over an elementwise product, as which
    matrices times vectors are written in graphs, where that is `inside` the same expression."""
    if node.target in SUMS:
        source = node.args[0]
        multiplied = isinstance(source, Node) and source in inside and source.target is aten.mul.Tensor
        return multiplications(node) if multiplied else 0
    if node.target not in PRODUCTS | BIASED:
        return 0
    value = value_of(node)
    assert value is not None
    return multiplications(node) - (_elements(value.shape) if node.target in BIASED else 0)


def may_be_thin(node: Node) -> bool:
    """Whether the node may have been made of less than it holds: products, outer products, and numbers times those."""
    value = value_of(node)
    assert value is not None
    if node.target in PRODUCTS | BIASED or len(node.all_input_nodes) == 1:
        return True
    inputs = [seen for given in node.all_input_nodes if (seen := value_of(given)) is not None]
    return _elements(value.shape) > max(_elements(seen.shape) for seen in inputs)


def _elements(shape: Sequence[int | torch.SymInt]) -> int:
    product = 1
    for dimension in shape:
        product *= hint_of(dimension) or 1
    return product
