"""NaN or infinity out of finite numbers.

## What it sees
An operator that made a NaN or an infinity of finite inputs, where it matters and no rule knows the operator better.
Products and sums that overflow because their inputs had already grown beyond all bounds are told apart: then the
growth is the fault, not the operator.

## Why it matters
Nothing that is computed from a NaN is a number again, and a single update with a NaN gradient destroys every weight.

## A program that shows it
```python
import torch

def compute(x):
    return torch.lgamma(x).sum()

safe = torch.tensor([1.5, 2.5])
x = torch.tensor([0.0, 2.0], requires_grad=True)
loss = compute(x)
loss.backward()
```

## What to do instead
Keep the inputs inside the operator's domain.
```python
import torch

def compute(x):
    return torch.lgamma(x.clamp_min(1e-3)).sum()

safe = torch.tensor([1.5, 2.5])
x = torch.tensor([0.0, 2.0], requires_grad=True)
loss = compute(x)
loss.backward()
```
"""

from __future__ import annotations

from collections.abc import Iterator

from wellposed.findings import Finding, Fix, Location, Rule
from wellposed.record import Record
from wellposed.rules.numerics.births import original_births
from wellposed.rules.numerics.wording import birth_finding, made, operand_evidence, overflow_evidence

RULE = Rule(
    name="nonfinite-result",
    code="N200",
    cause="unstable-function",
    summary="an operator makes a NaN or an infinity of finite numbers",
    specificity=-1,
)


_DIVISIONS = frozenset({"div"})


def check(record: Record) -> Iterator[Finding]:
    yield from _found_in_graph(record)
    for birth in original_births(record):
        operation = birth.operation
        name = operation.base.lstrip("_")
        yield birth_finding(
            RULE,
            birth,
            f"`{name}` makes {made(birth)} of inputs that hold none.",
            evidence=[
                *overflow_evidence(birth),
                *(
                    row
                    for operand in operation.inputs[:2]
                    for row in operand_evidence(operand, operand.name or "input")
                ),
            ],
            fixes=[Fix("keep the inputs inside the operator's domain", "x.clamp(low, high)  # before the operator")],
        )


def _found_in_graph(record: Record) -> Iterator[Finding]:
    """Operators that the autograd graph pointed at, in a step that was not watched closely enough to see them run."""
    for event in record.events("found-in-graph"):
        operator = str(event.details.get("operator", ""))
        site = event.site
        yield RULE.finding(
            Location(
                file=site.file if site else None,
                line=site.line if site else None,
                function=(site.function or None) if site else None,
                operator=operator,
                phase="forward",
            ),
            f"The loss is not finite, and in its graph `{operator}` is the first to hold {event.details.get('why')}.",
            step=event.step,
            cause="division-by-small" if operator in _DIVISIONS else "unstable-function",
            fixes=[Fix("see the operators of this step", f"wellposed run --steps {event.step}-{event.step} …")],
        )
