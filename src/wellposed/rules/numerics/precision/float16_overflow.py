"""Overflow of float16.

## What it sees
An operator that makes an infinity in float16 where the same computation in float32 gives an ordinary number: a
product, a sum, a square, an exponential, or the cast itself, written in the program or made by autocast. It counts
where the infinity reaches the loss, a gradient or a result, and where it is silently turned into a zero (1 / inf,
rsqrt(inf)) that should have been a number.

## Why it matters
float16 ends at 65504. A sum of squares reaches that from values around 256, a matrix product of 64 terms from factors
around 32; the infinity then turns into NaN in the next difference, softmax or normalisation.

## A program that shows it
```python
import torch

def compute(x):
    return x.square().mean(-1).sqrt()

safe = torch.tensor([[1.0, 2.0, 3.0], [0.5, 0.5, 4.0]])
rms = compute(torch.tensor([[300.0, 2.0, 3.0]], dtype=torch.float16))
```

## What to do instead
Compute what squares, sums or multiplies in float32 and return to float16 afterwards; scale before a product, not after
it; or use bfloat16, which has the range of float32.
```python
import torch

def compute(x):
    return x.to(torch.promote_types(x.dtype, torch.float32)).square().mean(-1).sqrt().to(x.dtype)

safe = torch.tensor([[1.0, 2.0, 3.0], [0.5, 0.5, 4.0]])
rms = compute(torch.tensor([[300.0, 2.0, 3.0]], dtype=torch.float16))
```
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from wellposed.findings import Evidence, Finding, Fix, Rule
from wellposed.record import Operation, Record
from wellposed.rules.numerics.births import Birth, original_births
from wellposed.rules.numerics.limits import FORMATS
from wellposed.rules.numerics.wording import birth_finding, made, number

RULE = Rule(
    name="float16-overflow",
    code="N250",
    cause="float16-range",
    summary="a result exceeds 65504, the largest that float16 holds, where float32 would hold it",
    specificity=2,
)

LIMIT = FORMATS["float16"].largest
HELD_BY_FLOAT32 = 1e15
"""Far below float32's limit: a value beyond had blown up for other reasons before it came here."""
DIVISIONS = frozenset({"div", "reciprocal", "rsqrt"})
"""There the denominator is at fault, unless what is divided is itself near the limit."""
EXPONENTIALS = frozenset({"exp", "exp2", "expm1", "sinh", "cosh"})
PRODUCTS = frozenset({"mm", "bmm", "addmm", "baddbmm", "matmul", "mv", "dot", "linear", "convolution", "einsum"})
SUMS = frozenset({"sum", "cumsum", "mean", "linalg_vector_norm", "norm", "var", "var_mean", "std", "logsumexp"})
POWERS = frozenset({"pow", "square", "mul"})
BOUNDED = frozenset({"mm", "bmm", "addmm", "mul", "add", "sub", "sum", "mean", "cumsum", "baddbmm", "convolution"})
"""Of finite float16 inputs these make nothing that float32 could not hold."""


def check(record: Record) -> Iterator[Finding]:
    for birth in original_births(record):
        operation = birth.operation
        output = operation.output
        if output is None or output.dtype != "float16" or birth.kind != "infinity":
            continue
        value = true_value(operation)
        if value is None:
            continue
        name = operation.base.lstrip("_")
        what = "The cast to float16" if name in ("to_copy", "copy") else f"`{name}`"
        size = f" of {number(value)}" if value > 0 else ""
        silent = birth.absorbed_by is not None and not birth.reaches_loss
        then = (
            f", which `{birth.absorbed_by.base}` turns into an ordinary number" if silent and birth.absorbed_by else ""
        )
        yield birth_finding(
            RULE,
            birth,
            f"{what} has a result{size} that float16 cannot hold (its limit is 65504, float32 would hold it): "
            f"{made(birth)} results{then}.",
            evidence=_evidence(birth, value),
            fixes=[*_fixes(operation), Fix("use the range of float32", "torch.autocast(device, dtype=torch.bfloat16)")],
        )


def true_value(operation: Operation) -> float | None:
    """The largest true magnitude, where float32 would have held the result; 0.0 where it is only known to be so."""
    finite_inputs = all(not each.nonfinite for each in operation.inputs)
    largest_input = max((_largest(operation, index) for index in range(len(operation.inputs))), default=0.0)
    if not finite_inputs or largest_input > HELD_BY_FLOAT32:
        return None
    if operation.base in DIVISIONS and largest_input < LIMIT / 8:
        return None
    exact = operation.probes.get("float64")
    if isinstance(exact, dict):
        value = exact.get("largest")
        sound = not exact.get("infinite") and not exact.get("nan")
        if isinstance(value, (int, float)) and LIMIT < value < HELD_BY_FLOAT32 and sound:
            return float(value)
        return _exponential(operation)
    if operation.base in EXPONENTIALS:
        return _exponential(operation)
    if operation.base in ("_to_copy", "copy"):
        return largest_input if largest_input > LIMIT else None
    return 0.0 if operation.base in BOUNDED and operation.inputs else None


def _exponential(operation: Operation) -> float | None:
    """exp of the argument, where it overflows float16 alone."""
    if operation.base not in EXPONENTIALS or not operation.inputs or operation.inputs[0].statistics is None:
        return None
    argument = operation.inputs[0].statistics.largest_magnitude
    return math.exp(argument) if argument < FORMATS["float32"].exp_overflow else None


def _largest(operation: Operation, index: int) -> float:
    statistics = operation.inputs[index].statistics
    value = statistics.largest_magnitude if statistics is not None else 0.0
    return 0.0 if math.isnan(value) else value


def _evidence(birth: Birth, value: float) -> list[Evidence]:
    rows = [Evidence("largest result, computed in float64", value, "", LIMIT)] if value > 0 else []
    for index, operand in enumerate(birth.operation.inputs[:2]):
        if operand.statistics is not None:
            rows.append(
                Evidence(f"largest magnitude of {operand.name or 'the input'}", _largest(birth.operation, index))
            )
    return rows


def _fixes(operation: Operation) -> list[Fix]:
    base = operation.base
    if operation.phase == "backward":
        return [Fix("let a GradScaler choose the scale", "scaler.scale(loss).backward(); scaler.step(optimizer)")]
    if base in PRODUCTS:
        return [Fix("scale before the product", "(q * scale) @ k.transpose(-2, -1)  # not (q @ k) * scale")]
    if base in SUMS:
        return [Fix("sum in float32", "x.float().sum()  # or x.sum(dtype=torch.float32)")]
    if base in POWERS:
        return [Fix("square in float32", "x.float().square().mean(-1)")]
    if base in EXPONENTIALS:
        return [Fix("exponentiate in float32", "x.float().exp()  # or stay in the logarithm")]
    if base in ("_to_copy", "copy"):
        return [Fix("scale before the cast, or do not cast", "with torch.autocast(device, enabled=False): ...")]
    return [Fix("compute this in float32", "with torch.autocast(device, enabled=False): y = f(x.float())")]
