"""Framework that hides NaN from its log.

## What it sees
A loss that was NaN or infinite under a trainer that leaves such losses out of its log (Hugging Face's Trainer with
`logging_nan_inf_filter=True`, which is its default).

## Why it matters
The log shows the average of the steps that were finite, so a run that is broken in every second step looks fine, and
one that is broken for good shows a loss of 0.

## A program that shows it
```python
import torch
from transformers import Trainer, TrainingArguments

class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(2))

    def forward(self, x):
        return {"loss": (self.weight * x).log().mean()}

data = [{"x": torch.tensor([1.0, 0.0])}] * 4
arguments = TrainingArguments("unused", max_steps=2, report_to=[], save_strategy="no", use_cpu=True, disable_tqdm=True)
Trainer(Model(), arguments, train_dataset=data).train()
```

## What to do instead
Have it show what happened, and see to the NaN.
```python
import torch
from transformers import Trainer, TrainingArguments

class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(2))

    def forward(self, x):
        return {"loss": (self.weight * x).log1p().mean()}

data = [{"x": torch.tensor([1.0, 0.0])}] * 4
arguments = TrainingArguments(
    "unused", max_steps=2, report_to=[], save_strategy="no", use_cpu=True, disable_tqdm=True,
    logging_nan_inf_filter=False,
)
Trainer(Model(), arguments, train_dataset=data).train()
```
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from wellposed.findings import Evidence, Finding, Fix, Location, Rule
from wellposed.record import Record

RULE = Rule(
    name="hidden-nan",
    code="N292",
    cause="unstable-function",
    summary="a trainer leaves losses that are NaN out of its log",
    specificity=-3,
)


def check(record: Record) -> Iterator[Finding]:
    event = next((each for each in record.events("trainer") if each.details.get("logging_nan_inf_filter")), None)
    losses = [step for step in record.steps() if step.loss is not None]
    bad = [step for step in losses if step.loss is not None and not math.isfinite(step.loss)]
    if event is None or not bad:
        return
    name = str(event.details.get("class", "Trainer"))
    site = event.site
    yield RULE.finding(
        Location(
            file=site.file if site else None, line=site.line if site else None, function=site.function if site else None
        ),
        f"The {name}'s log leaves out the {len(bad)} of {len(losses)} losses that were not finite.",
        severity="warning",
        role="advice",
        step=bad[0].id,
        evidence=[Evidence("losses that are NaN or infinite", len(bad), f"of {len(losses)}")],
        fixes=[Fix("show them", "TrainingArguments(..., logging_nan_inf_filter=False)")],
    )
