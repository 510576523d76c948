"""Values that no program sees: squares in a variance, products in a matrix product, a sum of exponentials.

PyTorch computes them in float32 inside kernels of float16 and bfloat16 (`opmath_t` and `acc_type` in ATen), and matrix
units of GPUs accumulate in float32. What would not fit without that is told with the assumption that keeps it from
harm.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from wellposed.advice.fit_model import Hidden
from wellposed.advice.formats import Target
from wellposed.record import Operand, Operation
from wellposed.rules.tracing import location

_FLOAT32_INSIDE = "the kernel computes it in float32, as PyTorch's do; a kernel of your own must too"
_ACCUMULATOR = (
    "the accumulator is float32, as in PyTorch's kernels and GPU matrix units; not with "
    "torch.backends.cuda.matmul.allow_fp16_accumulation, and on cuBLAS partial sums are rounded to float16 unless "
    "allow_fp16_reduced_precision_reduction is False"
)


def _largest(operand: Operand | None) -> float:
    held = operand.statistics if operand is not None else None
    return held.largest_magnitude if held is not None else math.nan


def _rms(operand: Operand | None) -> float:
    held = operand.statistics if operand is not None else None
    return held.root_mean_square if held is not None else math.nan


def _first(operation: Operation) -> Operand | None:
    return operation.inputs[0] if operation.inputs else None


def _deviation(operation: Operation) -> float:
    """Largest square of a deviation from the mean, at most."""
    held = operand.statistics if (operand := _first(operation)) is not None else None
    return max(abs(held.maximum - held.mean), abs(held.minimum - held.mean)) ** 2 if held is not None else math.nan


def _sum_of_squares(operation: Operation) -> float:
    operand = _first(operation)
    held = operand.statistics if operand is not None else None
    return held.count * held.root_mean_square**2 if held is not None else math.nan


def _sum(operation: Operation) -> float:
    """Of magnitudes: partial sums may come to that before others take it away."""
    operand, result = _first(operation), operation.output
    if operand is None or result is None:
        return math.nan
    terms = math.prod(operand.shape) / max(1, math.prod(result.shape))
    return terms * _rms(operand)


def _sum_of_products(operation: Operation) -> float:
    """By Cauchy and Schwarz with root mean squares: what a row times a column usually stays below."""
    first, second = operation.inputs[-2:] if len(operation.inputs) > 1 else (None, None)
    if operation.base == "convolution":
        first, second = operation.input("input"), operation.input("weight")
        terms = math.prod(second.shape[1:]) if second is not None else 0
    else:
        terms = first.shape[-1] if first is not None and first.shape else 0
    return terms * _rms(first) * _rms(second)


@dataclass(frozen=True, slots=True)
class _Inside:
    what: str
    bound: Callable[[Operation], float]
    assumption: str = _FLOAT32_INSIDE


_INSIDE = {
    **dict.fromkeys(
        ("native_layer_norm", "native_batch_norm", "_native_batch_norm_legit", "native_group_norm", "var", "std",
         "var_mean", "std_mean", "cudnn_batch_norm"),
        _Inside("square of a deviation in the variance", _deviation),
    ),
    **dict.fromkeys(
        ("linalg_vector_norm", "norm", "_fused_rms_norm"), _Inside("sum of squares in the norm", _sum_of_squares)
    ),
    **dict.fromkeys(("sum", "mean"), _Inside("sum before it is divided or cancels", _sum)),
    **dict.fromkeys(
        ("mm", "addmm", "bmm", "baddbmm", "convolution", "dot", "mv"),
        _Inside("sum of products", _sum_of_products, _ACCUMULATOR),
    ),
    "gelu": _Inside("cube in the tanh approximation", lambda each: 0.044715 * _largest(_first(each)) ** 3),
    "_softmax": _Inside("sum of exponentials", lambda each: float(_row(each))),
    "_log_softmax": _Inside("sum of exponentials", lambda each: float(_row(each))),
    "mse_loss": _Inside("square of the difference", lambda each: (_largest(_first(each)) + _other(each)) ** 2),
}  # fmt: skip


def _row(operation: Operation) -> int:
    """Elements of a softmax's row: the largest is exp(0)."""
    operand, dim = _first(operation), operation.arguments.get("dim")
    if operand is None or not isinstance(dim, int) or not operand.shape:
        return 0
    return operand.shape[dim] if -len(operand.shape) <= dim < len(operand.shape) else 0


def _other(operation: Operation) -> float:
    return _largest(operation.inputs[1]) if len(operation.inputs) > 1 else 0.0


def hidden_in(operations: Iterable[Operation], target: Target) -> Iterator[Hidden]:
    """The hidden values that would not fit, the largest of each operator at each place."""
    found: dict[tuple[str, object, str], Hidden] = {}
    for operation in operations:
        inside = _INSIDE.get(operation.base)
        if inside is None:
            continue
        try:
            bound = inside.bound(operation)
        except OverflowError:
            bound = math.inf
        if not bound >= target.overflow:
            continue
        key = (operation.base, operation.site.id if operation.site else None, operation.module)
        if key not in found or bound > found[key].largest:
            found[key] = Hidden(location(operation), inside.what, bound, inside.assumption)
    yield from found.values()
