"""Attention and output softmaxes in a record: which operations they are, and what their logits were."""

from __future__ import annotations

import math

from wellposed.record import Operation, Record

FUSED = (
    "_scaled_dot_product_flash_attention_for_cpu",
    "_scaled_dot_product_flash_attention",
    "_scaled_dot_product_efficient_attention",
    "_scaled_dot_product_cudnn_attention",
)
_MIXES = ("bmm", "mm", "matmul")
_FURTHEST = 6
"""Operations between a softmax and the product with the values: dropout, casts, reshapes."""


def places(record: Record, *operators: str) -> dict[object, list[Operation]]:
    """Recorded forward operations by the place and module they stand at, in order."""
    found: dict[object, list[Operation]] = {}
    for each in record.operations(*operators, phase="forward"):
        found.setdefault((each.site.id if each.site else None, each.module), []).append(each)
    return found


def is_attention(record: Record, softmax: Operation) -> bool:
    """Whether the probabilities are the left factor of a product."""
    waiting, seen = [softmax], {softmax.id}
    for _ in range(_FURTHEST):
        if not waiting:
            return False
        now = waiting.pop(0)
        for consumer in record.consumers(now.id):
            if consumer.base in _MIXES and consumer.inputs and consumer.inputs[0].producer == now.id:
                return True
            if consumer.id not in seen and (
                consumer.is_view or consumer.base in ("native_dropout", "mul", "clone", "_to_copy")
            ):
                seen.add(consumer.id)
                waiting.append(consumer)
    return False


def largest_logit(operation: Operation) -> float:
    """NaN where it is not known. Of a fused operator a lower bound, log(number of keys) below its log Σ exp at most."""
    if operation.base in FUSED:
        given = operation.outputs[1].statistics if len(operation.outputs) > 1 else None
        keys = operation.inputs[1].shape[-2] if len(operation.inputs) > 1 and len(operation.inputs[1].shape) > 1 else 1
        return given.maximum - math.log(max(keys, 1)) if given is not None else math.nan
    given = operation.inputs[0].statistics if operation.inputs else None
    return given.maximum if given is not None else math.nan


def log_partition(operation: Operation) -> float:
    """Mean log Z of a log-softmax: the mean of its inputs less that of its results; NaN where either is not finite."""
    if not operation.inputs or not operation.outputs:
        return math.nan
    given, made = operation.inputs[0].statistics, operation.outputs[0].statistics
    if given is None or made is None or given.nonfinite or made.nonfinite:
        return math.nan
    return given.mean - made.mean
