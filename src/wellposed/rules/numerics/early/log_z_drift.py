"""Output logits that drift away together.

## What it sees
The mean log Z (log Σ exp of the logits) of an output's log-softmax that is 15 further from 0 than it was at first.

## Why it matters
Cross-entropy does not change when all logits move together, so that nothing holds them. What drifts is rounded ever
more coarsely, in bfloat16 to 1/8 at 16 and to 1 at 128, until the differences that the loss is made of are lost; in
float16 it overflows. PaLM (arXiv 2204.02311) and Wortsman et al. 2023 (arXiv 2309.14322) hold it with a z-loss.

## A program that shows it
```python
import torch

torch.manual_seed(0)
model = torch.nn.Linear(16, 10)
optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
x, label = torch.randn(64, 16), torch.randint(0, 10, (64,))
for step in range(60):
    logits = model(x)
    confidence = logits.mean()
    loss = torch.nn.functional.cross_entropy(logits, label) - 30.0 * confidence
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
```

## What to do instead
A term that holds log Z near 0.
```python
import torch

torch.manual_seed(0)
model = torch.nn.Linear(16, 10)
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
x, label = torch.randn(64, 16), torch.randint(0, 10, (64,))
for step in range(60):
    logits = model(x)
    log_z = torch.logsumexp(logits, dim=-1)
    loss = torch.nn.functional.cross_entropy(logits, label) + 0.01 * log_z.square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
```
"""

from __future__ import annotations

from collections.abc import Iterator

from wellposed.findings import Evidence, Finding, Fix, Rule
from wellposed.record import Record
from wellposed.rules.numerics.early.attention import log_partition, places
from wellposed.rules.numerics.wording import number
from wellposed.rules.tracing import location
from wellposed.signals import BY_NAME, first_crossing

RULE = Rule(
    name="log-z-drift",
    code="N286",
    cause="missing-normalisation",
    summary="output logits drift away together, which the loss does not see",
    specificity=-1,
)

SIGNAL = BY_NAME["log-partition-drift"]


def check(record: Record) -> Iterator[Finding]:
    for operations in places(record, "_log_softmax").values():
        values = {each.id: log_partition(each) for each in operations}
        crossed = first_crossing(SIGNAL, values.items())
        if crossed is None:
            continue
        at = next(each for each in operations if each.id == crossed[0])
        first = next(value for value in values.values() if value == value)
        dtype = at.inputs[0].dtype
        yield RULE.finding(
            location(at),
            f"The mean log Z of the output is {number(crossed[1].value)} at step {at.step} and was {number(first)} at "
            "first: all logits drift together, and the loss does not see it.",
            severity="warning" if dtype in ("float16", "bfloat16") else "note",
            role="advice",
            step=at.step,
            evidence=[
                Evidence("mean log Z", crossed[1].value, "", crossed[1].threshold),
                Evidence("at first", first),
                Evidence("dtype of the logits", dtype),
            ],
            fixes=[
                Fix("a z-loss", "loss = loss + 1e-4 * torch.logsumexp(logits, -1).square().mean()"),
                Fix("the output layer in float32", "logits = head(hidden).float()"),
            ],
            operations=[at.id],
        )
        return
