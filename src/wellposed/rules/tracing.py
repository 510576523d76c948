"""Following values through a recording: where an operand came from, and what became of a result."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator

from wellposed.findings import Location
from wellposed.record import Operand, Operation, Record

SAME_VALUES = frozenset({"clone", "_to_copy", "detach", "contiguous", "expand", "copy", "alias", "to", "lift_fresh"})
"""Operators whose result holds the same values, but for rounding to another dtype."""
_FURTHEST = 4_000


def producer(record: Record, operand: Operand | None) -> Operation | None:
    """The operation that wrote the operand's values, where it was recorded."""
    return record.operation(operand.producer) if operand is not None and operand.producer else None


def origin(
    record: Record, operand: Operand | None, through: frozenset[str] = SAME_VALUES, limit: int = 8
) -> Operation | None:
    """The operation that made the operand's values, looking back through the operators of `through`."""
    made = producer(record, operand)
    for _ in range(limit):
        if made is None or made.base not in through or not made.inputs:
            break
        before = producer(record, made.inputs[0])
        if before is None:
            break
        made = before
    return made


def descendants(
    record: Record, operation: Operation, *, nonfinite: bool, limit: int = _FURTHEST
) -> Iterator[Operation]:
    """What was computed from the operation's results, nearest first.

    With `nonfinite`, only through results that hold NaN or infinities; an operation that makes finite results of them
    is yielded and not followed further.
    """
    seen = {operation.id}
    waiting = deque([operation])
    while waiting and len(seen) < limit:
        for consumer in record.consumers(waiting.popleft().id):
            if consumer.id in seen or consumer.is_view:
                continue
            seen.add(consumer.id)
            yield consumer
            if not nonfinite or made_nonfinite(consumer):
                waiting.append(consumer)


def made_nonfinite(operation: Operation) -> bool:
    return any(operand.nonfinite for operand in operation.outputs)


def line_of(record: Record, operation: Operation) -> str:
    """The text of the user's line that the operation stands on, stripped; empty where unknown."""
    if operation.site is None:
        return ""
    lines = (record.source(operation.site.file) or "").splitlines()
    return lines[operation.site.line - 1].strip() if 0 < operation.site.line <= len(lines) else ""


def location(operation: Operation) -> Location:
    """Where the operation stands, for a finding."""
    site = operation.site
    library = None
    if site is not None and site.library_file:
        library = f"{site.library_file}:{site.library_line} in {site.library_function}"
    return Location(
        file=site.file if site else None,
        line=site.line if site else None,
        function=(site.function or None) if site else None,
        module=operation.module or None,
        operator=operation.operator,
        phase=operation.phase,
        library=library,
    )


def first_at_each_place(operations: Iterable[Operation]) -> Iterator[Operation]:
    """The first operation of each operator at each place in the source."""
    seen: set[tuple[str, int | None, str]] = set()
    for operation in operations:
        key = (operation.operator, operation.site.id if operation.site else None, operation.phase)
        if key not in seen:
            seen.add(key)
            yield operation
