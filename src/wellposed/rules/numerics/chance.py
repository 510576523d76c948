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


def variance_of_targets(record: Record) -> float | None:
    """What a mean squared error costs that guesses the mean: the variance of the first step's targets. None where the
    loss is no `mse_loss` over at least two targets."""
    first = next((step for step in record.steps() if step.loss is not None), None)
    if first is None:
        return None
    for operation in record.operations("mse_loss", step=first.id, phase="forward"):
        values = operation.inputs[1].statistics if len(operation.inputs) > 1 else None
        if operation.id == first.loss_operation and operation.arguments.get("reduction", 1) == 1 and values is not None:
            return values.standard_deviation**2 if values.count > 1 and values.nonfinite == 0 else None
    return None


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
