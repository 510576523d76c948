"""Loss over labels that are all ignored.

## What it sees
A cross-entropy (`nll_loss`, `cross_entropy`) that averages over targets of which every one is `ignore_index` (or has a
class weight of zero): the mean over nothing is 0 / 0 = NaN.

## Why it matters
It is the data that is at fault: a prompt that fills the whole window, a sample whose answer was cut off, a batch of
padding. The NaN comes and goes with the batch, and spoils every average of the loss.

## A program that shows it
```python
import torch
from torch.nn import functional as F

def compute(logits, labels):
    return F.cross_entropy(logits, labels)

safe = (torch.tensor([[1.0, 2.0], [0.5, 0.0]]), torch.tensor([1, -100]))
logits = torch.randn(3, 2, requires_grad=True)
loss = compute(logits, torch.tensor([-100, -100, -100]))
loss.backward()
```

## What to do instead
Drop such samples when the data is prepared, skip such batches, or divide by a count that is at least one.
```python
import torch
from torch.nn import functional as F

def compute(logits, labels):
    return F.cross_entropy(logits, labels, reduction="sum") / (labels != -100).sum().clamp_min(1)

safe = (torch.tensor([[1.0, 2.0], [0.5, 0.0]]), torch.tensor([1, -100]))
logits = torch.randn(3, 2, requires_grad=True)
loss = compute(logits, torch.tensor([-100, -100, -100]))
loss.backward()
```
"""

from __future__ import annotations

from collections.abc import Iterator

from wellposed.findings import Evidence, Finding, Fix, Rule
from wellposed.record import Operation, Record
from wellposed.rules.numerics.births import original_births
from wellposed.rules.numerics.data.origins import place_of_data
from wellposed.rules.numerics.wording import birth_finding

RULE = Rule(
    name="every-label-ignored",
    code="N281",
    cause="bad-data",
    summary="a loss averages over labels that are all ignored",
    specificity=2,
)

LOSSES = frozenset({"nll_loss_forward", "nll_loss2d_forward"})


def check(record: Record) -> Iterator[Finding]:
    yield from _at_every_step(record)
    seen: set[int | None] = set()
    for birth in original_births(record):
        operation = birth.operation
        if birth.kind != "nan" or operation.base not in LOSSES or not _nothing_counted(operation):
            continue
        site = operation.site.id if operation.site else None
        if site in seen:
            continue
        seen.add(site)
        targets = operation.input("target") or operation.inputs[1]
        ignored = operation.arguments.get("ignore_index", -100)
        steps = [step.id for step in record.steps() if step.loss is not None and step.loss != step.loss]
        yield birth_finding(
            RULE,
            birth,
            f"All {_count(targets.shape)} labels of this batch are ignored: the loss is a mean over nothing, NaN.",
            evidence=[
                Evidence("labels that count", 0, f"of {_count(targets.shape)}"),
                Evidence("ignore_index", ignored if isinstance(ignored, int) else -100),
                Evidence("steps whose loss is NaN", len(steps), f"of {len(record.steps())}"),
            ],
            fixes=[
                Fix("skip batches without a label", "if (labels != -100).any(): ..."),
                Fix(
                    "divide by a count of at least one",
                    'F.cross_entropy(logits, labels, reduction="sum") / (labels != -100).sum().clamp_min(1)',
                ),
            ],
        )


def _at_every_step(record: Record) -> Iterator[Finding]:
    """Where a loss divides by a count of at least one, nothing turns NaN: it is zero, at every step."""
    seen = [each for each in record.operations(*LOSSES, phase="forward") if each.call == 0]
    if len({each.step for each in seen}) < 2 or not all(_nothing_counted(each) for each in seen):
        return
    operation = seen[0]
    targets = operation.input("target") or operation.inputs[1]
    yield RULE.finding(
        place_of_data(record, targets, operation),
        f"All {_count(targets.shape)} labels are ignored, in every batch that was looked at: the loss is zero and "
        f"nothing "
        "is learned.",
        step=operation.step,
        evidence=[
            Evidence("labels that count", 0, f"of {_count(targets.shape)}"),
            Evidence("batches of which that is true", len(seen), f"of {len(seen)}"),
        ],
        fixes=[Fix("look at the labels once", "assert (labels != -100).any()")],
        operations=[operation.id],
    )


def _nothing_counted(operation: Operation) -> bool:
    """The operator's second result is the total weight of the labels that count."""
    total = operation.outputs[1].statistics if len(operation.outputs) > 1 else None
    return total is not None and total.minimum == total.maximum == 0.0 and _count(operation.inputs[1].shape) > 0


def _count(shape: tuple[int, ...]) -> int:
    count = 1
    for size in shape:
        count *= size
    return count
