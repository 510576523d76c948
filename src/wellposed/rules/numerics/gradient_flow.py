"""Where the gradient of one step is lost on its way back: operations that a gradient enters and none leaves."""

from __future__ import annotations

import weakref
from dataclasses import dataclass

from wellposed.record import Operand, Operation, Record, Statistics

NEARLY_ALL = 0.999
"""Share of exact zeros from which on a gradient counts as blocked: one element in a thousand teaches nothing."""
_ARRIVING = ("grad_output", "grad", "grad_out", "self")


@dataclass(frozen=True, slots=True)
class Passage:
    """A backward operation of one forward operation: what gradient came, what went on."""

    forward: Operation
    backward: Operation
    arrived: Statistics
    left: Statistics

    @property
    def factor(self) -> float:
        """Rms of what went on over that of what came."""
        return self.left.root_mean_square / self.arrived.root_mean_square if self.arrived.root_mean_square > 0 else 0.0


_known: weakref.WeakKeyDictionary[Record, dict[int, list[Passage]]] = weakref.WeakKeyDictionary()


def passages(record: Record, step: int) -> list[Passage]:
    """All backward operations of a step whose forward was recorded, from the loss on."""
    cache = _known.setdefault(record, {})
    if step not in cache:
        cache[step] = [
            found
            for operation in record.operations(step=step, phase="backward")
            if not operation.is_view and (found := _passage(record, operation)) is not None
        ]
    return cache[step]


def way_to(record: Record, first: Operation) -> list[Passage]:
    """The passages on the way of the gradient from the loss to the forward operation `first`, the one nearest to it
    first; of gradients that add up, the larger."""
    by_id = {each.backward.id: each for each in passages(record, first.step)}
    reached = [each for each in by_id.values() if each.forward.id == first.id]
    current: Operation | None = max((each.backward for each in reached), key=lambda each: each.id, default=None)
    found: list[Passage] = []
    seen: set[int] = set()
    while current is not None and current.id not in seen and current.phase == "backward":
        seen.add(current.id)
        if current.id in by_id:
            found.append(by_id[current.id])
        arriving = [each for each in current.inputs if each.producer and each.statistics is not None]
        before = [
            made
            for each in sorted(arriving, key=lambda each: -(each.statistics.root_mean_square if each.statistics else 0))
            if (made := record.operation(each.producer or 0)) is not None and made.phase == "backward"
        ]
        current = before[0] if before else None
    return found


def silent(values: Statistics) -> bool:
    """Whether (nearly) every element is exactly zero."""
    return values.count > 0 and values.nonfinite == 0 and values.zero >= NEARLY_ALL * values.count


def _passage(record: Record, operation: Operation) -> Passage | None:
    forward = record.operation(operation.forward) if operation.forward else None
    arriving = _arriving(operation)
    output = operation.output
    if forward is None or arriving is None or arriving.statistics is None:
        return None
    if output is None or output.statistics is None or output.statistics.nonfinite or arriving.statistics.nonfinite:
        return None
    return Passage(forward, operation, arriving.statistics, output.statistics)


def _arriving(operation: Operation) -> Operand | None:
    named = next((each for name in _ARRIVING for each in operation.inputs if each.name == name), None)
    return named or (operation.inputs[0] if operation.inputs else None)
