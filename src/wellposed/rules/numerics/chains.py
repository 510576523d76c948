"""Recurrences: the same operator at the same line, with the same weights, each pass fed by the one before.

A loop over layers is told from a loop over time by its weights: at every pass of a recurrence the operator meets the
same tensor again (the matrix of a recurrent layer, the decay of a filter, the rate of a map).
"""

from __future__ import annotations

import math
import weakref
from collections import defaultdict, deque
from dataclasses import dataclass, replace

from wellposed.findings import Location
from wellposed.record import Operand, Operation, Phase, Record
from wellposed.rules.sources import line_of_loop
from wellposed.rules.tracing import location

SHORTEST = 8
"""Passes from which on a chain is called a recurrence: growth over fewer is a matter of depth."""
HOPS = 48
"""Operations looked at on the way from one pass back to the one before: a gated cell has about thirty."""
FUSED = {"mkldnn_rnn_layer_backward": (5, 6), "_cudnn_rnn_backward": (1, 2), "miopen_rnn_backward": (1, 2)}
"""Backward passes of whole layers, and which of their results are gradients of the state before the first pass."""
RECURRENT_LAYERS = frozenset({"RNN", "LSTM", "GRU"})
"""Classes whose own code holds the loop; where one is made is where the user can change it."""

_Key = tuple[str, int | None, str, str | int]


@dataclass(frozen=True, slots=True)
class Chain:
    """The passes of one recurrence within one step, in the order in which they were computed."""

    operations: tuple[Operation, ...]
    sizes: tuple[float, ...]
    """Rms of what each pass made; NaN where it was not finite throughout."""

    @property
    def phase(self) -> Phase:
        return self.operations[0].phase

    @property
    def step(self) -> int:
        return self.operations[0].step


_known: weakref.WeakKeyDictionary[Record, dict[tuple[int, Phase], list[Chain]]] = weakref.WeakKeyDictionary()


def recurrences(record: Record, step: int, phase: Phase) -> list[Chain]:
    """The chains of a step, longest first, one for each line and module."""
    cache = _known.setdefault(record, {})
    if (step, phase) not in cache:
        cache[step, phase] = _find(record, step, phase)
    return cache[step, phase]


@dataclass(frozen=True, slots=True)
class Fused:
    """A recurrent layer whose backward pass is one operator: only its two ends are seen."""

    operation: Operation
    passes: int
    left: float
    """Rms of the gradient at the state before the first pass, against that at the output of the last."""


def fused_recurrences(record: Record, step: int) -> list[Fused]:
    found: list[Fused] = []
    for operation in record.operations(*FUSED, step=step, phase="backward"):
        arriving = operation.input("grad_output")
        if arriving is None or arriving.statistics is None or len(arriving.shape) != 3:
            continue
        states = [operation.outputs[index] for index in FUSED[operation.base] if index < len(operation.outputs)]
        sizes = [each.statistics.root_mean_square for each in states if each.statistics and not each.nonfinite]
        first_is_batch = (
            operation.base != "mkldnn_rnn_layer_backward" and operation.arguments.get("batch_first") is True
        )
        passes = arriving.shape[1 if first_is_batch else 0]
        # Where the loss reads the last output alone, the rest of what arrives is zero.
        read = max(1, arriving.statistics.count - arriving.statistics.zero)
        size = arriving.statistics.root_mean_square * math.sqrt(arriving.statistics.count / read)
        if sizes and size > 0 and passes >= SHORTEST:
            found.append(Fused(operation, passes, max(sizes) / size))
    return found


def place(record: Record, operation: Operation) -> Location:
    """Where the recurrence of one of its operations stands: the line of a hand-written loop, or the line that makes a
    recurrent layer."""
    here = location(operation)
    looped = line_of_loop(record, operation.site)
    if looped is not None:
        here = replace(here, line=looped[0], function=looped[1])
    layer = next(
        (
            each.site
            for each in record.parameters()
            if each.site is not None
            and each.module in RECURRENT_LAYERS
            and operation.module
            and each.name.startswith(operation.module + ".")
        ),
        None,
    )
    if layer is None:
        return here
    return replace(here, file=layer.file, line=layer.line, function=layer.function or None)


def _find(record: Record, step: int, phase: Phase) -> list[Chain]:
    made: dict[int, Operation] = {}
    groups: dict[_Key, list[Operation]] = defaultdict(list)
    for operation in record.operations(step=step, phase=phase):
        made[operation.id] = operation
        if not operation.is_view and operation.output is not None and operation.output.statistics is not None:
            for key in _keys(operation):
                groups[key].append(operation)
    best: dict[tuple[int | None, str], Chain] = {}
    for members in groups.values():
        if len(members) < SHORTEST:
            continue
        found = _longest(members, made)
        if len(found) < SHORTEST:
            continue
        chain = Chain(tuple(found), tuple(_size(each) for each in found))
        spot = (found[0].site.id if found[0].site else None, found[0].module)
        if spot not in best or _prefer(chain, best[spot]):
            best[spot] = chain
    return sorted(best.values(), key=lambda each: (-len(each.operations), each.operations[0].id))


def _keys(operation: Operation) -> list[_Key]:
    """One for each tensor that the operator may meet again at the next pass; none for an operator with one operand,
    which has nothing to be recognised by."""
    if len(operation.inputs) < 2:
        return []
    site = operation.site.id if operation.site else None
    names = {_identity(each) for each in operation.inputs}
    return [(operation.operator, site, operation.module, name) for name in names]


def _identity(operand: Operand) -> str | int:
    """What tells the operand from others: its name, its producer, or that it came from outside in this shape."""
    return operand.label or operand.producer or f"outside {operand.shape} {operand.dtype}"


def _longest(members: list[Operation], made: dict[int, Operation]) -> list[Operation]:
    """The longest sequence of members in which each is computed from the one before."""
    group = {each.id for each in members}
    length: dict[int, int] = {}
    before: dict[int, int | None] = {}
    for member in members:
        found = _nearest(member, group, made)
        previous = max(found, key=lambda each: length.get(each, 0), default=None)
        before[member.id] = previous
        length[member.id] = 1 + (length.get(previous, 0) if previous is not None else 0)
    last: int | None = max(length, key=lambda each: length[each])
    chain: list[Operation] = []
    while last is not None:
        chain.append(made[last])
        last = before[last]
    return chain[::-1]


def _nearest(member: Operation, group: set[int], made: dict[int, Operation]) -> list[int]:
    """The members of the group that this one is computed from, not looking past any of them."""
    found: list[int] = []
    seen = {member.id}
    waiting = deque([member])
    while waiting and len(seen) < HOPS:
        for operand in waiting.popleft().inputs:
            source = operand.producer
            if source is None or source in seen:
                continue
            seen.add(source)
            if source in group:
                found.append(source)
            elif source in made:
                waiting.append(made[source])
    return found


def _size(operation: Operation) -> float:
    output = operation.output
    if output is None or output.statistics is None or output.nonfinite:
        return math.nan
    return output.statistics.root_mean_square


def _prefer(one: Chain, other: Chain) -> bool:
    return len(one.operations) > len(other.operations)
