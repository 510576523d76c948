"""Shapes of products, by the rules of ``numpy.matmul``."""

from __future__ import annotations

from itertools import zip_longest

Shape = tuple[int, ...]


def product_shape(left: Shape, right: Shape) -> Shape | None:
    """The shape of ``left @ right``; None where they do not fit together, which the library is left to say."""
    if not left or not right:
        return None
    inner = right[-2] if len(right) > 1 else right[0]
    if left[-1] != inner:
        return None
    batch = broadcast(left[:-2], right[:-2])
    if batch is None:
        return None
    return (*batch, *(left[-2:-1] if len(left) > 1 else ()), *(right[-1:] if len(right) > 1 else ()))


def broadcast(first: Shape, second: Shape) -> Shape | None:
    """The shape that both batches broadcast to; None where they do not."""
    sizes = []
    for one, other in zip_longest(reversed(first), reversed(second), fillvalue=1):
        if one != other and one != 1 and other != 1:
            return None
        sizes.append(other if one == 1 else one)
    return tuple(reversed(sizes))


def turned(shape: Shape) -> Shape:
    """The last two dimensions the other way round."""
    return (*shape[:-2], shape[-1], shape[-2])
