"""What ran, kept so that it can run again in the reference with an error put in: what did that error do to the outputs?

Buffers are never written to but replaced (`numpy_store`), so an entry holds what its inputs were without copying. Only
what depends on a change is done again.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from wellposed.shadow.numpy_dtypes import Array
from wellposed.shadow.numpy_store import View, looking_at

BYTES_KEPT = 2**30
OPERATIONS_KEPT = 20_000


@dataclass(slots=True)
class Read:
    """An input: where it lay, and what it was in the reference."""

    number: int | None
    """Of the buffer; None for a constant."""
    view: View
    shadow: Array
    roundoff: float = 0.0
    """Unit roundoff of the dtype that the program holds it in."""


@dataclass(slots=True)
class Write:
    """An output: where it went, what it was in the reference, what was added by rounding, what the program had."""

    number: int
    view: View
    shadow: Array
    buffer: Array
    """The whole buffer after the write."""
    rounding: Array | None
    error: Array


@dataclass(slots=True)
class Step:
    group: int
    run: Callable[[list[Array]], list[Array]] | None
    """The operation in the reference; None where the result is shared with the program and never changes."""
    reads: list[Read]
    writes: list[Write]


@dataclass(slots=True)
class Tape:
    steps: list[Step] = field(default_factory=list)
    size: int = 0
    overrun: str = ""
    """Why it was given up; empty while it is whole."""
    _counted: dict[int, Array] = field(default_factory=dict)

    def add(self, step: Step) -> None:
        """Keep a step, unless there is no room: then keep nothing any more and say why in `overrun`."""
        if self.overrun:
            return
        for read in step.reads:
            self._count(read.shadow)
        for write in step.writes:
            self._count(write.shadow)
            self._count(write.buffer)
            self._count(write.error)
        self.steps.append(step)
        if self.size > BYTES_KEPT:
            self.overrun = f"more than {BYTES_KEPT >> 20} MiB of intermediate values"
        elif len(self.steps) > OPERATIONS_KEPT:
            self.overrun = f"more than {OPERATIONS_KEPT:,} operations"
        if self.overrun:
            self.steps.clear()
            self._counted.clear()

    def _count(self, array: Array) -> None:
        owner = array if array.base is None else array.base
        if isinstance(owner, np.ndarray) and id(owner) not in self._counted:
            self._counted[id(owner)] = owner
            self.size += owner.nbytes

    def again(self, group: int, how: str) -> dict[int, Array]:
        """The buffers that differ when the operations of `group` alone err, the rest being exact.

        `how` is ``rounding``: what each of their kernels added; or ``total``: all that their results were off.
        """
        changed: dict[int, Array] = {}
        for step in self.steps:
            injects = step.group == group
            touched = any(read.number in changed for read in step.reads)
            if not injects and not touched:
                for write in step.writes:
                    if write.number in changed:
                        self._lay(changed, write, write.shadow)
                continue
            if step.run is not None and touched:
                inputs = [
                    looking_at(changed[read.number], read.view) if read.number in changed else read.shadow
                    for read in step.reads
                ]
                try:
                    outputs = step.run(inputs)
                except (NotImplementedError, ArithmeticError):
                    outputs = [write.shadow for write in step.writes]
            else:
                outputs = [write.shadow for write in step.writes]
            for write, output in zip(step.writes, outputs, strict=True):
                added = write.rounding if how == "rounding" else write.error
                if injects and added is not None:
                    output = np.asarray((output if how == "rounding" else write.shadow) + added)
                if write.number in changed or not _same(output, write.shadow):
                    self._lay(changed, write, output)
        return changed

    def perturbed(self) -> dict[int, Array]:
        """The buffers that differ when every value that the run started from is off by one unit roundoff of its dtype,
        up or down as its own digits decide, so that a value is off alike wherever it is read."""
        changed: dict[int, Array] = {}
        made: set[int] = set()
        for step in self.steps:
            inputs, touched = [], False
            for read in step.reads:
                if read.number in changed:
                    inputs.append(looking_at(changed[read.number], read.view))
                elif read.number is None or read.number in made or not read.roundoff:
                    inputs.append(read.shadow)
                    continue
                else:
                    inputs.append(_nudged(read.shadow, read.roundoff))
                touched = True
            outputs = [write.shadow for write in step.writes]
            if step.run is not None and touched:
                with contextlib.suppress(NotImplementedError, ArithmeticError):
                    outputs = step.run(inputs)
            for write, output in zip(step.writes, outputs, strict=True):
                made.add(write.number)
                if write.number in changed or not _same(output, write.shadow):
                    self._lay(changed, write, output)
        return changed

    def sinks(self) -> list[tuple[int, Write]]:
        """What was computed and read by no later operation, with its group: what the program is after."""
        read: set[int] = set()
        found = []
        for step in reversed(self.steps):
            found += [(step.group, write) for write in step.writes if write.number not in read]
            read.update(each.number for each in step.reads if each.number is not None)
            read.update(write.number for write in step.writes)
        return found[::-1]

    def reaching(self, numbers: set[int]) -> set[int]:
        """The groups of operations on whose results the buffers `numbers` depend."""
        wanted, groups = set(numbers), set[int]()
        for step in reversed(self.steps):
            if any(write.number in wanted for write in step.writes):
                groups.add(step.group)
                wanted.update(read.number for read in step.reads if read.number is not None)
        return groups

    def _lay(self, changed: dict[int, Array], write: Write, output: Array) -> None:
        buffer = changed.get(write.number)
        buffer = write.buffer.copy() if buffer is None or buffer.shape != write.buffer.shape else buffer.copy()
        if np.result_type(buffer, output) != buffer.dtype:
            buffer = buffer.astype(np.result_type(buffer, output))
        looking_at(buffer, write.view)[...] = output
        changed[write.number] = buffer


def _nudged(values: Array, roundoff: float) -> Array:
    if values.dtype.kind != "f":
        return values
    with np.errstate(all="ignore"):
        mantissa = np.frexp(values)[0]
        up = np.floor(np.abs(mantissa) * (1 << 20) * 1.618033988749895) % 2
    return np.asarray(values * (1 + roundoff * (2 * np.nan_to_num(up) - 1)), dtype=values.dtype)


def _same(one: Array, other: Array) -> bool:
    return bool(np.all((one == other) | ((one != one) & (other != other))))
