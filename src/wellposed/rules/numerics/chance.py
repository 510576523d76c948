"""The loss of a guess: what a cross entropy costs that knows nothing of its input."""

from __future__ import annotations

import math
from dataclasses import dataclass

from wellposed.record import Operation, Record


@dataclass(frozen=True, slots=True)
class Chance:
    """Of a program whose loss is a cross entropy."""

    loss: float
    """ln C for C classes: the entropy of a uniform guess."""
    classes: int
    operation: Operation


def chance_of(record: Record) -> Chance | None:
    """For the loss of the first step that has one; None where that is no mean cross entropy."""
    first = next((step for step in record.steps() if step.loss is not None), None)
    if first is None or first.loss is None or not math.isfinite(first.loss):
        return None
    for operation in record.operations("nll_loss_forward", "nll_loss2d_forward", step=first.id, phase="forward"):
        shape = operation.inputs[0].shape if operation.inputs else ()
        if operation.id == first.loss_operation and len(shape) >= 2 and shape[1] > 1:
            return Chance(math.log(shape[1]), shape[1], operation)
    for operation in record.operations("binary_cross_entropy_with_logits", "binary_cross_entropy", step=first.id):
        if operation.id == first.loss_operation:
            return Chance(math.log(2.0), 2, operation)
    return None
