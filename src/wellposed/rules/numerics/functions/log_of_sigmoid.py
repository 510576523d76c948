"""Logarithm of a sigmoid.

## What it sees
A logarithm whose argument is a sigmoid or tanh, or one minus it (a binary cross-entropy written by hand, the
log-probability of a squashed action), where the function has rounded to its limit and the −inf or NaN reaches the
loss, a gradient or a result.

## Why it matters
In float32 `sigmoid(x)` is exactly 1 above 16.6 and exactly 0 below −88.7, `tanh(x)` exactly 1 above 9.0 (in float16
8.3, −17.3 and 4.5). What is left for the logarithm is log(0) = −inf, although the true value, about −|x|, is an
ordinary number. It comes just when the network is most sure of itself.

## A program that shows it
```python
import torch

def compute(logits):
    return -torch.log(1 - torch.sigmoid(logits)).mean()

safe = torch.tensor([-2.0, 0.5, 3.0])
logits = torch.tensor([0.5, 20.0], requires_grad=True)
loss = compute(logits)
loss.backward()
```

## What to do instead
Keep the logits and take both functions in one operation.
```python
import torch
import torch.nn.functional as F

def compute(logits):
    return -F.logsigmoid(-logits).mean()

safe = torch.tensor([-2.0, 0.5, 3.0])
logits = torch.tensor([0.5, 20.0], requires_grad=True)
loss = compute(logits)
loss.backward()
```
"""

from __future__ import annotations

from collections.abc import Iterator

from wellposed.findings import Evidence, Finding, Fix, Rule
from wellposed.record import Operation, Record
from wellposed.rules.numerics.births import original_births
from wellposed.rules.numerics.formulas import LOGARITHMS, SHIFTED, before, statistics_of, subject
from wellposed.rules.numerics.wording import birth_finding, made, number

RULE = Rule(
    name="log-of-sigmoid",
    code="N233",
    cause="unstable-function",
    summary="the logarithm of a sigmoid or tanh that has rounded to its limit",
    specificity=1,
)

_SQUASHING = ("sigmoid", "tanh", "erf", "erfc", "special_ndtr")
_THROUGH = SHIFTED | {"pow", "square"}


def check(record: Record) -> Iterator[Finding]:
    for birth in original_births(record):
        logarithm = subject(record, birth)
        if logarithm.base not in LOGARITHMS or not logarithm.inputs:
            continue
        squashing = _squashing(record, logarithm)
        if squashing is None:
            continue
        argument = statistics_of(squashing)
        evidence = []
        if argument is not None:
            evidence += [
                Evidence(f"smallest argument of {squashing.base}", argument.minimum),
                Evidence(f"largest argument of {squashing.base}", argument.maximum),
            ]
        met = statistics_of(logarithm)
        yield birth_finding(
            RULE,
            birth,
            f"The logarithm of a {_name(squashing)} meets {number(met.minimum if met else None)}, because the "
            f"{_name(squashing)} has rounded to its limit: {made(birth)} results.",
            evidence=evidence,
            fixes=_fixes(squashing),
        )


def _squashing(record: Record, logarithm: Operation) -> Operation | None:
    """The sigmoid, tanh or written-out 1 / (1 + exp(-x)) that the logarithm's argument was computed from."""
    made_of = list(before(record, logarithm.inputs[0], _THROUGH))
    named = next((each for each in made_of if each.base in _SQUASHING), None)
    if named is not None:
        return named if _at_limit(named) else None
    if any(each.base == "reciprocal" for each in made_of):
        return next((each for each in made_of if each.base == "exp"), None)
    return None


def _at_limit(squashing: Operation) -> bool:
    output = squashing.output.statistics if squashing.output is not None else None
    if output is None:
        return False
    between_signs = squashing.base in ("tanh", "erf")
    return output.largest_magnitude >= 1.0 or (output.zero > 0 and not between_signs)


def _name(squashing: Operation) -> str:
    return "sigmoid" if squashing.base == "exp" else squashing.base


def _fixes(squashing: Operation) -> list[Fix]:
    if squashing.base == "tanh":
        return [Fix("log(1 - tanh²) without the tanh", "2 * (math.log(2) - x - F.softplus(-2 * x))")]
    if squashing.base in ("erf", "erfc", "special_ndtr"):
        return [Fix("the logarithm of the normal distribution", "torch.special.log_ndtr(x)")]
    return [
        Fix("keep the logits", "F.binary_cross_entropy_with_logits(logits, target)"),
        Fix("log(sigmoid) and log(1 - sigmoid) in one operation", "F.logsigmoid(x), F.logsigmoid(-x)"),
    ]
