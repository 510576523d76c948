"""Attention logits that leave the range of a softmax.

## What it sees
Attention whose largest logit is above 100: the input of a softmax whose result mixes values, or log Σ exp of a fused
attention operator, which tells it to within log(number of keys).

## Why it matters
A softmax of logits so far apart is one-hot: each query looks at one key, and no gradient comes through. Wortsman et al.
2023 (arXiv 2309.14322) see the loss worsen near 1e3 and every run diverge beyond 1e4; Kimi K2 clips at 100.

## A program that shows it
```python
import torch

torch.manual_seed(0)
x, target = torch.randn(8, 16, 32), torch.randn(8, 16, 32)
query, key = (torch.nn.Linear(32, 32, bias=False) for _ in range(2))
torch.nn.init.normal_(query.weight, std=1.0)
torch.nn.init.normal_(key.weight, std=1.0)
value = torch.nn.Linear(32, 32)
optimizer = torch.optim.SGD(value.parameters(), lr=0.1)
for step in range(8):
    probabilities = torch.softmax(query(x) @ key(x).transpose(1, 2), dim=-1)
    loss = (probabilities @ value(x) - target).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
```

## What to do instead
Normalise queries and keys (qk-norm): their products are then cosines times a scale of your choice.
```python
import torch
from torch.nn.functional import normalize

torch.manual_seed(0)
x, target = torch.randn(8, 16, 32), torch.randn(8, 16, 32)
query, key = (torch.nn.Linear(32, 32, bias=False) for _ in range(2))
torch.nn.init.normal_(query.weight, std=1.0)
torch.nn.init.normal_(key.weight, std=1.0)
value = torch.nn.Linear(32, 32)
optimizer = torch.optim.SGD(value.parameters(), lr=0.1)
for step in range(8):
    q, k = normalize(query(x), dim=-1), normalize(key(x), dim=-1)
    probabilities = torch.softmax(8.0 * q @ k.transpose(1, 2), dim=-1)
    loss = (probabilities @ value(x) - target).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
```
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from wellposed.findings import Evidence, Finding, Fix, Rule
from wellposed.record import Operation, Record
from wellposed.rules.numerics.early.attention import FUSED, is_attention, largest_logit, places
from wellposed.rules.numerics.wording import number
from wellposed.rules.tracing import location
from wellposed.signals import BY_NAME, Crossing, first_crossing

RULE = Rule(
    name="attention-logit-growth",
    code="N285",
    cause="missing-normalisation",
    summary="attention logits are so large that the softmax is one-hot",
    specificity=-1,
)

SIGNAL = BY_NAME["attention-logits"]
WORSE = 1e3
"""Where the loss of Wortsman et al.'s models worsens."""


def check(record: Record) -> Iterator[Finding]:
    for operations in places(record, "_softmax", *FUSED).values():
        if operations[0].base not in FUSED and not is_attention(record, operations[0]):
            continue
        crossed = first_crossing(SIGNAL, ((each.id, largest_logit(each)) for each in operations))
        if crossed is not None:
            at = next(each for each in operations if each.id == crossed[0])
            yield _finding(at, crossed[1], operations)
            return


def _finding(at: Operation, crossing: Crossing, operations: list[Operation]) -> Finding:
    values = [value for each in operations if math.isfinite(value := largest_logit(each))]
    return RULE.finding(
        location(at),
        f"The largest attention logit is {number(crossing.value)} at step {at.step}: the softmax is one-hot, and "
        "queries and keys get no gradient.",
        severity="warning" if max(values) > WORSE else "note",
        role="advice",
        step=at.step,
        evidence=[
            Evidence("largest attention logit", crossing.value, "", crossing.threshold),
            Evidence("at first", values[0]),
            Evidence("at its largest", max(values)),
        ],
        fixes=[
            Fix("normalise queries and keys", "q, k = F.normalize(q, dim=-1), F.normalize(k, dim=-1)"),
            Fix("divide by the root of the width", "scores = q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])"),
        ],
        operations=[at.id],
        confidence="likely",
        settled_by="The entropy of the attention: where it is near 0 on most rows, the softmax is one-hot.",
    )
