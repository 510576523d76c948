"""A recording as the graph that rewrites are matched against: which unstable formula an operation ends."""

from __future__ import annotations

from collections.abc import Hashable
from functools import cached_property

from wellposed.record import Operand, Operation, Record
from wellposed.rewrites import Match, Value, match
from wellposed.rewrites.graph import Operand as Input
from wellposed.rewrites.names import VALUE_ARGUMENTS, canonical
from wellposed.rewrites.source import Found, matches_on
from wellposed.rules.tracing import producer

_SCALARS = ("self", "other", "exponent", "min", "max", "value")
"""Schema names under which an operator's values may be plain numbers."""


class RecordedNode:
    """An operation of a recording; its inputs are looked up when they are asked for."""

    def __init__(self, record: Record, operation: Operation):
        self._record, self._operation = record, operation

    @property
    def base(self) -> str:
        name = canonical(self._operation.base)
        arguments = self._operation.arguments
        if name == "clamp" and not self._operation.input("min") and arguments.get("min") is None:
            return "clamp_max"
        if name == "norm" and arguments.get("ord", arguments.get("p", 2)) not in (2, 2.0, None):
            return "norm_of_other_order"
        return name

    @property
    def identity(self) -> Hashable:
        return self._operation.id

    @cached_property
    def inputs(self) -> tuple[Input, ...]:
        tensors: list[Input] = [self._input(operand) for operand in self._operation.inputs]
        numbers = [
            (name, value)
            for name, value in self._operation.arguments.items()
            if name in _SCALARS and isinstance(value, (int, float)) and not isinstance(value, bool)
        ]
        # `pow.Scalar` and `sub` of a number keep their number first.
        first: list[Input] = [value for name, value in numbers if name == "self"]
        last: list[Input] = [value for name, value in numbers if name != "self"]
        return tuple([*first, *tensors, *last][: VALUE_ARGUMENTS.get(canonical(self._operation.base), 1)])

    def _input(self, operand: Operand) -> Input:
        made = producer(self._record, operand)
        if made is not None:
            return RecordedNode(self._record, made)
        # What no operation made is known by its name, else by where it was read.
        known: Hashable = operand.label or (self._operation.id, operand.position)
        return Value("", (), ("read", known))


def rewrites_at(record: Record, operation: Operation) -> list[Match]:
    """The rewrites whose formula ends in this operation and fails in its dtype, the most specific first."""
    dtype = operation.output.dtype if operation.output else None
    return match(RecordedNode(record, operation), dtype)


def rewrites_on_line(record: Record, operation: Operation) -> list[Found]:
    """Those that the operation's line of source calls for, with the user's own names; none where it is not known."""
    if operation.site is None:
        return []
    return matches_on(record.source(operation.site.file) or "", operation.site.line)
