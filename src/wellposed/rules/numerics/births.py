"""Where NaN and infinities are born, and whether they matter: the ground that many rules stand on.

An operation gives birth to a NaN or an infinity when its results hold one that its inputs did not. Most programs make
infinities on purpose (masks) or let them be replaced before they do harm; a birth matters when it reaches the loss,
the parameters' gradients, or a result that the program keeps.
"""

from __future__ import annotations

import math
import weakref
from dataclasses import dataclass
from typing import Literal

from wellposed.record import Operand, Operation, Record, Step
from wellposed.rules.tracing import descendants, made_nonfinite

Kind = Literal["nan", "infinity"]

SELECTING = frozenset(
    {
        "where", "masked_fill", "masked_scatter", "index_put", "_index_put_impl", "nan_to_num", "clamp", "clamp_min",
        "clamp_max", "minimum", "maximum", "max", "min", "amax", "amin", "fmax", "fmin", "isnan", "isinf", "isfinite",
        "eq", "ne", "gt", "ge", "lt", "le", "index", "masked_select", "topk", "sort", "argmax", "argmin", "nonzero",
        "nanmean", "nansum", "index_select", "gather", "copy", "fill", "zero", "slice_scatter",
    }
)  # fmt: skip
"""Operators that choose among values: an infinity that ends in one was put aside on purpose."""

COMPARING = frozenset({"eq", "ne", "gt", "ge", "lt", "le"})
RANKING = frozenset({"argmin", "argmax", "topk", "sort"})
"""Operators that rank values: a NaN comes out on top, and what is chosen by it is finite and wrong."""

SQUASHING = frozenset({"_softmax", "_log_softmax", "exp", "exp2", "sigmoid", "tanh", "logsumexp", "relu", "softplus"})
"""Operators for which −inf is an ordinary argument: the limit is what the program wants."""

OBSERVING = frozenset({"_local_scalar_dense", "is_nonzero", "equal", "allclose"})
"""Operators that hand a value to Python."""


@dataclass(frozen=True, slots=True)
class Birth:
    """An operation that made a NaN or an infinity, and what became of it."""

    operation: Operation
    kind: Kind
    step: Step | None
    reaches_loss: bool
    reaches_gradient: bool
    """Whether gradients of this step were not finite, for a birth in the backward pass."""
    put_aside_by: Operation | None
    """The operation that chose another value instead."""
    absorbed_by: Operation | None
    """The operation whose finite result hides an infinity: 1 / inf = 0."""
    kept: bool
    """Whether it ends in a result that nobody recorded reads, or in Python."""
    matters: bool
    sources: tuple[int, ...]
    """Ids of the births that this one follows from by data flow; empty for an original one."""


_known: weakref.WeakKeyDictionary[Record, list[Birth]] = weakref.WeakKeyDictionary()


def births(record: Record) -> list[Birth]:
    """All births in the record, in order; of one operator at one place in one phase, only those of its first step."""
    if record not in _known:
        _known[record] = _find(record)
    return _known[record]


def original_births(record: Record) -> list[Birth]:
    """The births that matter, or that one that matters follows from, and that follow from no other."""
    everything = {birth.operation.id: birth for birth in births(record)}
    wanted: dict[int, Birth] = {}
    for birth in everything.values():
        if not birth.matters:
            continue
        for source in birth.sources or (birth.operation.id,):
            if source in everything:
                wanted[source] = everything[source]
    return [wanted[key] for key in sorted(wanted)]


def _find(record: Record) -> list[Birth]:
    steps = {step.id: step for step in record.steps()}
    skipping = _scaler_is_settling(list(steps.values()))
    trains = any(step.loss is not None for step in steps.values())
    suspects: list[tuple[Operation, Kind]] = []
    first_step: dict[tuple[str, int | None, str], int] = {}
    lost_at = _weights_lost_at(list(steps.values()))
    for operation in record.operations(nonfinite=True):
        if operation.step > lost_at:
            break
        kind = _kind(record, operation, steps.get(operation.step))
        if kind is None:
            continue
        key = (operation.operator, operation.site.id if operation.site else None, operation.phase)
        if first_step.setdefault(key, operation.step) == operation.step:
            suspects.append((operation, kind))
    ids = {operation.id for operation, _ in suspects}
    return [_judge(record, operation, kind, steps, ids, trains, skipping) for operation, kind in suspects]


def _weights_lost_at(steps: list[Step]) -> float:
    """The first step whose update spoils the weights: whatever is born later, is born of them."""
    spoiling = (step.id for step in steps if step.gradient_nonfinite and not step.skipped and step.learning_rate)
    return next(spoiling, math.inf)


def _kind(record: Record, operation: Operation, step: Step | None) -> Kind | None:
    """What the operation's results hold that its inputs did not; None where they hold nothing new.

    While the loss is finite, a backward operation is judged by the gradients it was given: a NaN among the forward
    values that it saved is what it brings to life, whatever `where` chose to show in the forward pass.
    """
    if any(isinstance(value, float) and not math.isfinite(value) for value in operation.arguments.values()):
        return None  # put there on purpose
    if operation.operator.split(".")[1].endswith("_") and operation.inputs and operation.inputs[0].statistics is None:
        return None  # written in place over values that nobody saw
    inputs = [each for each in operation.inputs if each.statistics is not None and each.nonfinite]
    loss_is_finite = step is None or step.loss is None or math.isfinite(step.loss)
    if operation.phase == "backward" and loss_is_finite:
        inputs = [each for each in inputs if not _saved_by_forward(record, each)]
    had_nan = any(each.statistics and each.statistics.nan for each in inputs)
    had_infinity = any(each.statistics and each.statistics.infinite for each in inputs)
    nan = any(each.statistics and each.statistics.nan for each in operation.outputs)
    infinite = any(each.statistics and each.statistics.infinite for each in operation.outputs)
    if nan and not had_nan:
        return "nan"
    return "infinity" if infinite and not had_nan and not had_infinity else None


def _saved_by_forward(record: Record, operand: Operand) -> bool:
    made = record.operation(operand.producer) if operand.producer else None
    return made is not None and made.phase == "forward"


def _judge(
    record: Record, operation: Operation, kind: Kind, steps: dict[int, Step], suspects: set[int], trains: bool,
    settling: set[int],
) -> Birth:  # fmt: skip
    step = steps.get(operation.step)
    put_aside = absorbed = None
    reaches_loss = kept = False
    read = False
    for consumer in descendants(record, operation, nonfinite=True):
        read = True
        if step is not None and consumer.id == step.loss_operation:
            reaches_loss = True
        if consumer.base in OBSERVING or (kind == "nan" and consumer.base in RANKING and not trains):
            kept = True
        elif not made_nonfinite(consumer) and consumer.outputs and consumer.phase == operation.phase:
            if kind == "nan" and consumer.base in COMPARING and not _with_itself(consumer):
                continue  # a comparison with NaN is False, and chooses nothing
            if consumer.base in SELECTING:
                put_aside = put_aside or consumer
            elif consumer.base not in SQUASHING or _positive(operation):
                absorbed = absorbed or consumer
        elif made_nonfinite(consumer) and all(each.is_view for each in record.consumers(consumer.id)):
            kept = True
    if step is not None and operation.id == step.loss_operation:
        reaches_loss = True
    kept = kept or not read
    spoiled = bool(step is not None and step.gradient_nonfinite)
    reaches_gradient = operation.phase == "backward" and spoiled
    in_place = operation.operator.split(".")[1].endswith("_")  # in the first step parameters have no names yet
    writes_parameter = operation.phase == "optimizer" and (
        any(each.label for each in operation.outputs) or (in_place and kept)
    )
    if operation.step in settling and operation.phase == "backward":
        matters = False  # a GradScaler is finding its scale: that is what its skipped steps are for
    elif operation.phase == "backward":
        matters = reaches_gradient or (step is not None and step.gradient_nonfinite is None and kept)
    elif operation.phase == "optimizer":
        matters = writes_parameter or (kept and kind == "nan")
    else:
        matters = reaches_loss or (kept and not put_aside and (not trains or kind == "nan") and not _ends_well(steps))
    if absorbed is not None and not matters and operation.phase == "forward":
        matters = _lost_in_half_precision(operation, absorbed)
    return Birth(
        operation=operation, kind=kind, step=step, reaches_loss=reaches_loss, reaches_gradient=reaches_gradient,
        put_aside_by=put_aside, absorbed_by=absorbed, kept=kept, matters=matters,
        sources=_sources(record, operation, suspects),
    )  # fmt: skip


def _with_itself(comparison: Operation) -> bool:
    """``x != x`` asks for NaN."""
    producers = [each.producer for each in comparison.inputs]
    return len(producers) == 2 and producers[0] is not None and producers[0] == producers[1]


def _positive(operation: Operation) -> bool:
    return any(each.statistics and each.statistics.positive_infinity for each in operation.outputs)


def _ends_well(steps: dict[int, Step]) -> bool:
    """Whether the program trained and its losses and gradients stayed finite throughout."""
    losses = [step.loss for step in steps.values() if step.loss is not None]
    bad = [step for step in steps.values() if step.gradient_nonfinite and not step.skipped]
    return bool(losses) and all(math.isfinite(loss) for loss in losses) and not bad


def _lost_in_half_precision(operation: Operation, absorbed: Operation) -> bool:
    """Whether a float16 overflow was turned into a zero where the true value would have been a number.

    An exponential that overflows into 1 / (1 + inf) = 0 is right; a sum of squares that overflows into
    rsqrt(inf) = 0 is wrong, since the root of the true sum would have been representable.
    """
    output = operation.output
    if output is None or output.dtype != "float16" or not _positive(operation):
        return False
    if absorbed.base not in ("rsqrt", "pow", "reciprocal", "div"):
        return False  # tanh(inf) = 1 is what the true value would have given
    true_value = operation.probes.get("float64", {}).get("largest")
    if not isinstance(true_value, float) or not math.isfinite(true_value) or true_value <= 0:
        return False
    result = true_value**-0.5 if absorbed.base in ("rsqrt", "pow") else 1.0 / true_value
    return result >= 5.960464477539063e-08  # float16's smallest subnormal number


def _sources(record: Record, operation: Operation, suspects: set[int]) -> tuple[int, ...]:
    """The births among what the operation's spoiled inputs came from, earliest origins only."""
    found: list[int] = []
    seen = {operation.id}
    waiting = [operation]
    forward = record.operation(operation.forward) if operation.forward else None
    if forward is not None and (made_nonfinite(forward) or any(each.nonfinite for each in forward.inputs)):
        waiting.append(forward)
    while waiting:
        current = waiting.pop()
        before = [each.producer for each in current.inputs if each.nonfinite and each.producer]
        unseen = [each for each in before if each not in seen]
        seen.update(unseen)
        nearer = [made for made in map(record.operation, unseen) if made is not None]
        waiting.extend(nearer)
        if current is not operation and current.id in suspects and not before:
            found.append(current.id)
    return tuple(sorted(found))


def _scaler_is_settling(steps: list[Step]) -> set[int]:
    """Steps that a GradScaler skipped on its way to a scale that works: a few, with updates that succeed after them."""
    skipped = [step.id for step in steps if step.skipped]
    if not skipped:
        return set()
    succeeded = [step.id for step in steps if not step.skipped and step.gradient_norm is not None]
    few = len(skipped) <= max(20, len(steps) // 20)
    return set(skipped) if succeeded and max(succeeded) > min(skipped) and few else set()
