"""The epsilons of normalisation layers, which stand inside one operator."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from wellposed.advice.distribution import (
    Distribution,
    distribution_of_values,
    recorded_distribution,
    recovered_variances,
)
from wellposed.advice.found import Found
from wellposed.findings import Location
from wellposed.record import Module, Operand, Operation, Record
from wellposed.rules.numerics.epsilon.oversized_epsilon import is_rounding_noise
from wellposed.rules.numerics.limits import format_of
from wellposed.rules.tracing import location

LAYERS: Mapping[str, str] = {
    "native_layer_norm": "layer_norm",
    "native_group_norm": "group_norm",
    "native_batch_norm": "batch_norm",
    "_native_batch_norm_legit": "batch_norm",
    "_native_batch_norm_legit_no_training": "batch_norm",
    "_batch_norm_with_update": "batch_norm",
    "_batch_norm_no_update": "batch_norm",
    "cudnn_batch_norm": "batch_norm",
    "miopen_batch_norm": "batch_norm",
    "_fused_rms_norm": "rms_norm",
}
"""Operators with an epsilon inside, and what users call them."""
_ADDED_IN = {"float16": "float32", "bfloat16": "float32"}
"""The kernels of these layers accumulate in float32 where the input is narrower, and add ε there."""


def layer_epsilon(
    record: Record,
    operation: Operation,
    measured: Mapping[int, Measurement],
    modules: Mapping[str, Module],
    *,
    differentiated: bool,
) -> Iterator[Found]:
    """The epsilon of this operator, one of `LAYERS`; none where it does not say its epsilon."""
    epsilon = operation.arguments.get("eps", operation.arguments.get("epsilon"))
    if not isinstance(epsilon, float) or not epsilon >= 0 or not operation.inputs:
        return
    kind = LAYERS[operation.base]
    called = operation.site.library_function if operation.site is not None else None
    if kind == "batch_norm" and called == "instance_norm":
        kind = "instance_norm"
    dtype = operation.inputs[0].dtype
    inverse = _inverse(operation)
    kept_in = inverse.dtype if inverse is not None else dtype
    added_in = _ADDED_IN.get(dtype, dtype)
    protected = _variances(operation, inverse, epsilon, measured)
    yield Found(
        where=_place(operation, modules),
        kind=kind,
        use="root quotient",
        value=epsilon,
        dtype=added_in,
        forward_dtype=kept_in,
        backward_dtype=added_in,
        quantity="mean of squares" if kind == "rms_norm" else "variance",
        protected=protected,
        literal_power=True,
        differentiated=differentiated,
        spoilt="1/√(v + ε) is infinite" if inverse is not None and _infinite(inverse) else "",
        missing=epsilon == 0 and protected is not None and protected.zero > 0,
        noise=protected is not None and is_rounding_noise(record, operation, protected.typical),
        operation=operation,
    )


Measurement = tuple[Sequence[float], int, int, bool]
"""Order statistics of the magnitudes, the count of elements, of zeros, and whether any is negative."""


def distribution_at(
    operation: Operation, operand: Operand | None, measured: Mapping[int, Measurement]
) -> Distribution | None:
    """Of a guard's operand: as measured where it was, else as recorded."""
    found = measured.get(operation.id)
    if found is not None and found[0]:
        return distribution_of_values(*found)
    return recorded_distribution(operand.statistics if operand is not None else None)


def _variances(
    operation: Operation, inverse: Operand | None, epsilon: float, measured: Mapping[int, Measurement]
) -> Distribution | None:
    found = measured.get(operation.id)
    if found is not None and found[0]:
        return distribution_of_values(*found)
    if inverse is not None:
        resolution = format_of(inverse.dtype).epsilon
        return recovered_variances(inverse.statistics, epsilon, resolution)
    return recorded_distribution(running.statistics) if (running := operation.input("running_var")) else None


def _inverse(operation: Operation) -> Operand | None:
    """1 / sqrt(v + ε) as the layer keeps it for its backward pass; none in evaluation."""
    last = 1 if operation.base == "_fused_rms_norm" else 2
    kept = operation.outputs[last] if len(operation.outputs) > last else None
    return kept if kept is not None and kept.statistics is not None and kept.statistics.count else None


def _infinite(inverse: Operand) -> bool:
    return inverse.statistics is not None and inverse.statistics.positive_infinity > 0


def _place(operation: Operation, modules: Mapping[str, Module]) -> Location:
    """Where the layer is made, which is where its epsilon is set; else where it is called."""
    module = modules.get(operation.module)
    site = module.site if module is not None and module.kind.startswith("torch.nn.") else None
    here = location(operation)
    return here if site is None else replace(here, file=site.file, line=site.line, function=site.function or None)
