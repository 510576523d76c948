"""Moving averages: x ← (1 − w) · x + w · y in the forms in which programs write it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from wellposed.findings import Location
from wellposed.record import Operand, Operation, Record
from wellposed.rules.numerics.formulas import scalar
from wellposed.rules.tracing import SAME_VALUES, location, origin, producer

LARGEST_SHARE = 0.2
"""w of an average worth the name."""
_BATCH_NORMS = ("native_batch_norm", "_native_batch_norm_legit", "cudnn_batch_norm", "_batch_norm_with_update")
_FORMS = ("lerp", "_foreach_lerp", "add", "_foreach_add", "addcmul", "_foreach_addcmul", *_BATCH_NORMS)
COMPLEMENT = 0.02
"""How far the two factors may be from adding up to 1, relative to the smaller."""


@dataclass(frozen=True, slots=True)
class Average:
    """One place where an average takes in new values."""

    operation: Operation
    share: float
    """w: the share of the new values."""
    dtype: str
    """Of what is kept from step to step."""

    @property
    def where(self) -> Location:
        return location(self.operation)

    @property
    def step(self) -> int:
        return self.operation.step


def averages(record: Record) -> Iterator[Average]:
    """The averages of the recorded steps, at each place the one that takes in least. Those that an optimizer of
    PyTorch's keeps are not among them."""
    seen: dict[tuple[int | None, str, str], Average] = {}
    for operation in record.operations(*_FORMS):
        site = operation.site
        if site is not None and (site.library_file or "").startswith("torch/optim"):
            continue
        if operation.base.endswith("lerp"):
            found = _lerp(operation)
        elif operation.base in _BATCH_NORMS:
            found = _running(operation)
        else:
            found = _sum(record, operation) or _towards(record, operation)
        if found is not None:
            key = (site.id if site else None, operation.operator, found.dtype)
            if key not in seen or found.share < seen[key].share:
                seen[key] = found
    yield from seen.values()


def _towards(record: Record, operation: Operation) -> Average | None:
    """x + w · (y − x): what is added in place is a small part of a difference to the tensor itself."""
    kept = operation.inputs[0] if operation.inputs else None
    if kept is None or operation.base != "add" or len(operation.inputs) < 2:
        return None
    factor, made = 1.0, producer(record, operation.inputs[1])
    alpha = operation.arguments.get("alpha")
    factor *= float(alpha) if isinstance(alpha, (int, float)) else 1.0
    for _ in range(4):
        if made is None or not made.inputs:
            return None
        if made.base == "sub":
            itself = any(_same(each, kept) for each in made.inputs[1:])
            share = abs(factor)
            return Average(operation, share, kept.dtype) if itself and 0 < share <= LARGEST_SHARE else None
        value = next((each for each in (scalar(made, "other"), _one_number(made, 1)) if each is not None), None)
        if made.base in ("mul", "div") and value:
            factor = factor * value if made.base == "mul" else factor / value
        elif made.base not in SAME_VALUES:
            return None
        made = producer(record, made.inputs[0])
    return None


def _same(one: Operand, other: Operand) -> bool:
    known = (one.label, one.producer) if one.label or one.producer else None
    return one.shape == other.shape and (known is None or known == (other.label, other.producer))


def _running(operation: Operation) -> Average | None:
    """The statistics that a batch normalisation keeps while it trains."""
    share = operation.arguments.get("momentum")
    kept = operation.input("running_var")
    if not operation.arguments.get("training", operation.arguments.get("train")) or kept is None:
        return None
    return Average(operation, share, kept.dtype) if isinstance(share, float) and 0 < share <= LARGEST_SHARE else None


def _lerp(operation: Operation) -> Average | None:
    share = scalar(operation, "weight")
    share = _one_number(operation, 2) if share is None else share
    output = operation.output or (operation.inputs[0] if operation.inputs else None)
    if share is None or output is None or not math.isfinite(share):
        return None
    share = min(abs(share), abs(1 - share))
    return Average(operation, share, output.dtype) if 0 < share <= LARGEST_SHARE else None


def _sum(record: Record, operation: Operation) -> Average | None:
    """x · (1 − w) + y · w: one factor of a sum is a kept tensor times nearly 1, the other comes in times the rest."""
    if len(operation.inputs) < 2:
        return None
    kept, new = operation.inputs[0], operation.inputs[1]
    for one, other in ((kept, new), (new, kept)):
        decay = _factor(record, one)
        if decay is None or not 1 - LARGEST_SHARE <= decay < 1:
            continue
        share = _share(record, operation, other)
        if share is not None and abs(share - (1 - decay)) <= COMPLEMENT * (1 - decay):
            return Average(operation, 1 - decay, _kept_dtype(record, operation, one))
    return None


def _factor(record: Record, operand: Operand) -> float | None:
    made = producer(record, operand)
    if made is not None and made.base in SAME_VALUES:
        made = origin(record, operand)
    if made is None or made.base not in ("mul", "_foreach_mul"):
        return None
    value = scalar(made, "other")
    value = scalar(made, "scalar") if value is None else value
    return _one_number(made, 1) if value is None else value


def _share(record: Record, operation: Operation, operand: Operand) -> float | None:
    """The factor that the new values come in with: the sum's own alpha or value, or that of a product before it."""
    for name in ("alpha", "value"):
        value = operation.arguments.get(name)
        if isinstance(value, (int, float)) and value != 1:
            return float(value)
    made: Operation | None = producer(record, operand)
    for _ in range(4):
        if made is None:
            return None
        if made.base in ("mul", "_foreach_mul"):
            for value in (scalar(made, "other"), scalar(made, "scalar"), _one_number(made, 1)):
                if value is not None and abs(value) <= LARGEST_SHARE:
                    return value
        elif made.base not in SAME_VALUES:
            return None
        made = producer(record, made.inputs[0]) if made.inputs else None
    return None


def _kept_dtype(record: Record, operation: Operation, kept: Operand) -> str:
    """Of what the average is stored in: the result itself, or what it is copied into at once; and of what it was read
    from, where that is coarser."""
    output = operation.output
    dtype = output.dtype if output is not None else kept.dtype
    for use in record.consumers(operation.id):
        if use.base in ("copy", "_to_copy") and use.output is not None and use.output.dtype in ("float16", "bfloat16"):
            return use.output.dtype
    return dtype


def _one_number(operation: Operation, index: int) -> float | None:
    if len(operation.inputs) <= index or math.prod(operation.inputs[index].shape) != 1:
        return None
    known = operation.inputs[index].statistics
    return known.maximum if known is not None and known.count == 1 else None
