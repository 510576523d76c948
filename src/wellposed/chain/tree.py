"""An order of a chain in the forms that others speak, all made from one: the sequence of inner dimensions.

The inner dimensions 1 … n-1 of a chain of n matrices are contracted one after another; contracting dimension k
multiplies what lies left of it by what lies right of it. Chains may have a million matrices, so nothing here recurses.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias

Order: TypeAlias = "int | tuple[Any, Any]"
"""An operand's number, or a pair of orders."""


def products(sequence: Sequence[int], operands: int) -> Iterator[tuple[int, int, int]]:
    """Positions (i, k, j) of the dimensions of each product: operands i … k-1 times operands k … j-1."""
    before = list(range(-1, operands))
    after = list(range(1, operands + 2))
    for k in sequence:
        i, j = before[k], after[k]
        yield i, k, j
        after[i] = j
        before[j] = i


def nested(sequence: Sequence[int], operands: int) -> Order:
    """The order as nested pairs: ``((0, 1), 2)`` is ``(A0·A1)·A2``."""
    starting: list[Order] = list(range(operands))
    whole: Order = 0
    # A product is kept where its first operand is; its right factor starts where it was cut.
    for i, k, _ in products(sequence, operands):
        starting[i] = whole = (starting[i], starting[k])
    return whole


def path(sequence: Sequence[int], operands: int) -> list[tuple[int, ...]]:
    """The order as positions in a list of operands: both are taken out, and their product is put at its end."""
    if operands == 1:
        return [(0,)]
    here = _Positions(2 * operands - 1)
    numbers = list(range(operands))
    steps: list[tuple[int, ...]] = []
    for new, (i, k, _) in enumerate(products(sequence, operands), start=operands):
        left, right = sorted((numbers[i], numbers[k]))
        steps.append((here.position(left), here.position(right)))
        here.take_out(left)
        here.take_out(right)
        numbers[i] = new
    return steps


class _Positions:
    """Positions in a list that only grows at its end, counted in O(log n): numbers in it keep their order.

    A Fenwick tree over those taken out; numbers that are not there yet lie behind all others and change no position.
    """

    def __init__(self, total: int) -> None:
        self._gone = [0] * (total + 1)

    def position(self, number: int) -> int:
        gone, at = 0, number
        while at:
            gone += self._gone[at]
            at &= at - 1
        return number - gone

    def take_out(self, number: int) -> None:
        at = number + 1
        while at < len(self._gone):
            self._gone[at] += 1
            at += at & -at


def expression(sequence: Sequence[int], operands: int, name: str = "A") -> str:
    """The order with parentheses: ``(A0·A1)·A2``."""
    opened, closed = [0] * operands, [0] * operands
    for i, _, j in products(sequence, operands):
        if j - i < operands:
            opened[i] += 1
            closed[j - 1] += 1
    return "·".join("(" * opened[at] + f"{name}{at}" + ")" * closed[at] for at in range(operands))
