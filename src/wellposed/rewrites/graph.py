"""What patterns are matched against: a data-flow graph, seen through two attributes of a node."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from wellposed.rewrites.names import TRANSPARENT


class Node(Protocol):
    """One operation, or a leaf. Adapters make these of a recording, a shadowed run, or source text."""

    @property
    def base(self) -> str:
        """The canonical operator (`names.canonical`); empty for a leaf."""

    @property
    def inputs(self) -> Sequence[Operand]:
        """The values it computes from, in order: nodes, and numbers for scalars. Options are left out."""

    @property
    def identity(self) -> Hashable:
        """Equal where the value is the same one."""


Operand: TypeAlias = "Node | float | int"


@dataclass(frozen=True, slots=True)
class Value:
    """A plain node."""

    base: str
    inputs: tuple[Operand, ...] = ()
    identity: Hashable = None
    text: str = ""
    """The user's expression, where it is known."""


_DEEPEST = 12
_COUNTS = ("numel", "size", "len")


def is_count(operand: Operand) -> bool:
    """Whether it is a number, ``x.numel()`` or the like, or a plain name of source text such as ``n``."""
    if isinstance(operand, (int, float)) or operand.base in _COUNTS:
        return True
    return not operand.base and isinstance(operand.identity, tuple) and operand.identity[0] == "source"


def seen_through(operand: Operand) -> Operand:
    """What the operand holds the values of, looking through casts, copies and views."""
    for _ in range(_DEEPEST):
        if isinstance(operand, (int, float)) or operand.base not in TRANSPARENT or not operand.inputs:
            break
        operand = operand.inputs[0]
    return operand


def same(left: Operand, right: Operand, depth: int = _DEEPEST) -> bool:
    """Whether both are the same value: one node, or the same operators on the same values."""
    left, right = seen_through(left), seen_through(right)
    if isinstance(left, (int, float)) or isinstance(right, (int, float)):
        return isinstance(left, (int, float)) and isinstance(right, (int, float)) and left == right
    if left is right or (left.identity is not None and left.identity == right.identity):
        return True
    if not left.base or left.base != right.base or len(left.inputs) != len(right.inputs) or depth == 0:
        return False
    return bool(left.inputs) and all(
        same(one, other, depth - 1) for one, other in zip(left.inputs, right.inputs, strict=True)
    )
