"""Loss on probabilities instead of logits.

## What it sees
`F.binary_cross_entropy` on a sigmoid that has rounded to 0 or 1, `F.cross_entropy` on the output of a softmax, and
`F.kl_div` on probabilities where logarithms are expected.

## Why it matters
`binary_cross_entropy` cannot compute log(0) and silently cuts its value at 100, with a gradient of 0: the most wrong
predictions are the ones that are no longer corrected. `cross_entropy` takes a log-softmax itself: given probabilities
it sees a spread of at most 1, so that its loss cannot approach 0 and its gradients are faint. `kl_div` of
probabilities is no divergence and may be negative.

## A program that shows it
```python
import torch
import torch.nn.functional as F

def compute(logits, target):
    return F.binary_cross_entropy(torch.sigmoid(logits), target)

safe = (torch.tensor([0.5, -1.0]), torch.tensor([1.0, 0.0]))
logits = torch.tensor([20.0, 0.5], requires_grad=True)
loss = compute(logits, torch.tensor([0.0, 1.0]))
loss.backward()
```

## What to do instead
Give the loss the logits: `F.binary_cross_entropy_with_logits`, `F.cross_entropy(logits, …)`,
`F.kl_div(log_softmax(logits), …)`.
```python
import torch
import torch.nn.functional as F

def compute(logits, target):
    return F.binary_cross_entropy_with_logits(logits, target)

safe = (torch.tensor([0.5, -1.0]), torch.tensor([1.0, 0.0]))
logits = torch.tensor([20.0, 0.5], requires_grad=True)
loss = compute(logits, torch.tensor([0.0, 1.0]))
loss.backward()
```
"""

from __future__ import annotations

from collections.abc import Iterator

from wellposed.findings import Evidence, Finding, Fix, Rule
from wellposed.record import Operation, Record
from wellposed.rules.numerics.formulas import statistics_of
from wellposed.rules.numerics.wording import share
from wellposed.rules.tracing import first_at_each_place, location, origin

RULE = Rule(
    name="probability-loss",
    code="N248",
    cause="unstable-function",
    summary="a loss that wants logits or logarithms is given probabilities",
)

_WITH_LOGITS = Fix("give it the logits", "F.binary_cross_entropy_with_logits(logits, target)")
_RAW = Fix("give it the logits", "F.cross_entropy(logits, target)  # without the softmax")
_LOGARITHMS = Fix("give it logarithms", "F.kl_div(F.log_softmax(logits, -1), target, reduction='batchmean')")


def check(record: Record) -> Iterator[Finding]:
    yield from _saturated_binary(record)
    for operation in first_at_each_place(record.operations("_log_softmax", phase="forward")):
        softmax = origin(record, operation.inputs[0]) if operation.inputs else None
        if softmax is not None and softmax.base == "_softmax":
            yield _advice(operation, "`log_softmax` (in a cross-entropy) is taken of a softmax, not of logits.", _RAW)
    for operation in first_at_each_place(record.operations("mul", phase="forward")):
        if operation.site is None or operation.site.library_function != "kl_div" or len(operation.inputs) != 2:
            continue
        logarithm = origin(record, operation.inputs[1])
        if logarithm is not None and logarithm.base in ("_softmax", "sigmoid"):
            yield _advice(operation, "`kl_div` expects logarithms and is given probabilities.", _LOGARITHMS)


def _saturated_binary(record: Record) -> Iterator[Finding]:
    told: set[int | None] = set()
    for operation in record.operations("binary_cross_entropy", phase="forward"):
        place = operation.site.id if operation.site else None
        p = statistics_of(operation)
        if place in told or p is None or not (p.zero or p.maximum >= 1.0):
            continue
        sigmoid = origin(record, operation.inputs[0])
        if sigmoid is None or sigmoid.base not in ("sigmoid", "_softmax"):
            continue
        told.add(place)
        logits = statistics_of(sigmoid)
        zeros = f" ({share(p.zero, p.count)} are 0)" if p.zero else ""
        yield _advice(
            operation,
            f"`binary_cross_entropy` is given probabilities that have rounded to 0 or 1{zeros}: there it is cut at 100 "
            "and has no gradient.",
            _WITH_LOGITS,
            [Evidence("largest logit", logits.maximum), Evidence("smallest logit", logits.minimum)] if logits else [],
        )


def _advice(operation: Operation, message: str, fix: Fix, evidence: list[Evidence] | None = None) -> Finding:
    return RULE.finding(
        location(operation),
        message,
        severity="warning",
        role="advice",
        step=operation.step,
        evidence=evidence or [],
        fixes=[fix],
        operations=[operation.id],
    )
