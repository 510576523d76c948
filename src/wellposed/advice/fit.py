"""Would a run recorded in float32 survive in float16, bfloat16 or an 8-bit format, and what would it take?

A prediction: each recorded value against what the format can hold. An operator is assumed to compute in float32 inside
and to round its result once, as PyTorch's kernels for float16 and bfloat16 do; `hidden` names what that assumption
keeps from harm.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable

from wellposed.advice.fit_gradients import propose_scale
from wellposed.advice.fit_harm import Spreads, harm_of
from wellposed.advice.fit_hidden import hidden_in
from wellposed.advice.fit_model import Fit, Harm, Keep, LossScale, OperationFit, Verdict
from wellposed.advice.fit_parameters import gradients_of, notes_about, parameters_in
from wellposed.advice.formats import Fate, Target, fate_of, target_of
from wellposed.findings import Location
from wellposed.record import Operand, Operation, Record
from wellposed.rules.tracing import line_of, location

_ORDER: tuple[Harm | None, ...] = ("raises", "overflow", "zero-divisor", "lost", None)
_MOST_REASONS = 3
_FLOATS = ("float", "bfloat")


class _Place:
    """An operator at one place, gathered over its calls."""

    def __init__(self, operation: Operation, scope: str, text: str):
        self.where: Location = location(operation)
        self.scope = scope
        self.text = text
        self.calls = 0
        self.fate: Fate | None = None
        self.harm: Harm | None = None
        self.why = ""
        self.harmed: list[int] = []
        self.touched: list[int] = []
        self.overflows: list[int] = []
        self.vanishes: list[int] = []

    def add(self, operation: Operation, fates: list[tuple[Operand, Fate]], harm: Harm | None, why: str) -> None:
        self.calls += 1
        for _, fate in fates:
            if self.fate is None or _badness(fate) > _badness(self.fate):
                self.fate = fate
        if harm is not None:
            self.harmed.append(operation.id)
        if any(not fate.harmless for _, fate in fates):
            self.touched.append(operation.id)
        if harm == "zero-divisor" or any(fate.overflow for _, fate in fates):
            self.overflows.append(operation.id)
        if any(fate.vanish for _, fate in fates):
            self.vanishes.append(operation.id)
        if _ORDER.index(harm) < _ORDER.index(self.harm) or (harm is self.harm and not self.why):
            self.harm, self.why = harm, why

    def told(self) -> OperationFit | None:
        if self.fate is None or not (self.harmed or self.touched):
            return None
        ids = tuple(self.harmed or self.touched)
        return OperationFit(
            self.where,
            self.text,
            self.scope,
            self.calls,
            self.fate,
            self.harm,
            self.why,
            ids,
            tuple(self.overflows),
            tuple(self.vanishes),
        )


def fit(record: Record, dtype: object) -> Fit:
    """What a format would make of the values in this record; `dtype` is one of `formats.TARGETS`.

    Steps recorded in full are looked at, which are the first ones and those around trouble. Pure: nothing is run.
    Raises ValueError for another dtype, RecordError where the record is damaged.
    """
    target = target_of(dtype)
    spreads = record.result_exponents()
    places: dict[tuple[object, ...], _Place] = {}
    forward: list[Operation] = []
    gradients = gradients_of(record)
    # Gradients that are beyond the format only in between are those of a module to keep; where the parameters' own are,
    # the loss is too large.
    beyond = max((row.gradient.largest_magnitude for row, _ in gradients if row.gradient), default=0.0)
    scales_down = beyond >= target.overflow
    magnitudes: dict[str, float] = defaultdict(float)
    looked_at = 0
    for operation in record.operations():
        if operation.phase == "optimizer":
            continue
        looked_at += 1
        scope = _scope(record, operation)
        if operation.phase == "forward":
            forward.append(operation)
        elif scope:
            magnitudes[scope] = max(magnitudes[scope], _largest(operation))
        if operation.is_view:
            continue
        fates = _fates(operation, spreads, target)
        harm, why = harm_of(record, operation, fates, target)
        if fates:
            key = (operation.operator, operation.site.id if operation.site else None, scope, operation.phase)
            if key not in places:
                places[key] = _Place(operation, scope, line_of(record, operation))
            places[key].add(operation, fates, harm, why)
    told = sorted(
        (found for place in places.values() if (found := place.told()) is not None),
        key=lambda each: (_ORDER.index(each.harm), each.operations),
    )
    largest = max((each for each in magnitudes.values() if scales_down or each < target.overflow), default=0.0)
    scale = propose_scale(largest, gradients, target)
    parameters = tuple(parameters_in(record, gradients, target, scale.scale if scale else 1.0))
    keep = tuple(_keep(told, gradients_too=not scales_down))
    verdict, message = _judge(target, keep, scale, told)
    return Fit(
        target=target,
        verdict=verdict,
        message=message,
        steps=sum(each.level == "full" for each in record.steps()),
        operations=tuple(told),
        hidden=tuple(hidden_in(forward, target)),
        parameters=parameters,
        scale=scale,
        keep=keep,
        notes=tuple(notes_about(record, parameters, target)),
        exact=bool(spreads),
        looked_at=looked_at,
    )


def _scope(record: Record, operation: Operation) -> str:
    """The module in whose forward the operation was written."""
    if operation.phase == "backward" and operation.forward is not None:
        forward = record.operation(operation.forward)
        if forward is not None:
            return forward.module
    return operation.module


def _fates(operation: Operation, spreads: Spreads, target: Target) -> list[tuple[Operand, Fate]]:
    return [
        (operand, fate_of(operand.statistics, spreads.get((operation.id, operand.position)), target))
        for operand in operation.outputs
        if operand.statistics is not None and operand.dtype.startswith(_FLOATS)
    ]


def _largest(operation: Operation) -> float:
    """Largest magnitude of the gradients that a backward operation makes."""
    found = 0.0
    for operand in operation.outputs:
        held = operand.statistics
        if held is not None and math.prod(operand.shape) > 1 and operand.dtype.startswith(_FLOATS):
            found = max(found, held.largest_magnitude if not math.isnan(held.largest_magnitude) else 0.0)
    return found


def _badness(fate: Fate) -> tuple[float, ...]:
    return fate.overflow, fate.vanish, fate.subnormal, fate.largest


def _keep(operations: Iterable[OperationFit], *, gradients_too: bool) -> Iterable[Keep]:
    """The modules in whose forward something breaks. An operator whose operand is beyond the format breaks as well:
    the value would have to enter it in float32."""
    reasons: dict[str, list[str]] = defaultdict(list)
    for each in sorted(operations, key=lambda each: each.operations):
        if each.harm is not None and each.scope and (gradients_too or each.where.phase == "forward"):
            operator = (each.where.operator or "").split(".")
            name = operator[1] if len(operator) > 1 else operator[0]
            phase = "in backward, " if each.where.phase == "backward" else ""
            reasons[each.scope].append(f"{phase}{name}: {each.why}")
    return [Keep(module, tuple(dict.fromkeys(whys))[:_MOST_REASONS]) for module, whys in reasons.items()]


def _judge(
    target: Target, keep: tuple[Keep, ...], scale: LossScale | None, operations: list[OperationFit]
) -> tuple[Verdict, str]:
    wide = scale is not None and not scale.works
    needs_scale = scale is not None and scale.needed and scale.works
    outside = any(each.harm is not None and each.where.phase == "forward" and not each.scope for each in operations)
    parts = []
    if keep:
        more = f" and {len(keep) - 5} more" if len(keep) > 5 else ""
        parts.append(f"{', '.join(each.module for each in keep[:5])}{more} kept in float32")
    if needs_scale and scale is not None:
        parts.append(f"a loss scale of {scale.scale:g}")
    if outside:
        parts.append("what is computed outside of modules in float32, as autocast does")
    if wide and scale is not None:
        return "gradients-too-wide", f"Would not train in {target.name} at any loss scale: {scale.reason}." + (
            f" It needs as well: {'; '.join(parts)}." if parts else ""
        )
    if not parts:
        return "fits", f"Everything that was seen fits into {target.name}."
    verdict: Verdict = "with-modules-kept" if keep or outside else "with-loss-scale"
    return verdict, f"Would survive in {target.name} with {', and '.join(parts)}."
