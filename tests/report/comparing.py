"""Pairs of records and what is said about them."""

from __future__ import annotations

import math
from pathlib import Path

from tests.records import RecordBuilder, statistics
from wellposed.diagnosis import Diagnosis, diagnose
from wellposed.record import Record
from wellposed.report.compare import Account, Comparison, compare, make_account
from wellposed.report.compare.page import to_html
from wellposed.report.compare.terminal import render

SOURCE = """\
import torch

model = Net()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for x in data:
    hidden = torch.exp(model(x))
    loss = hidden.mean()
    loss.backward()
    optimizer.step()
"""


def compared(a: Path, b: Path) -> Comparison:
    """The two records side by side, each with its own diagnosis."""
    with Record(a) as left, Record(b) as right:
        return compare((left, diagnose(left)), (right, diagnose(right)))


def told(a: Path, b: Path) -> Account:
    return make_account(compared(a, b))


def every_format(a: Path, b: Path) -> tuple[str, str]:
    """On the terminal and as a page, with no findings."""
    with Record(a) as left, Record(b) as right:
        both = compare((left, Diagnosis(())), (right, Diagnosis(())))
        return render(make_account(both)), to_html(both, left, right)


def write_run(
    path: Path,
    *,
    steps: int = 6,
    lr: float = 0.1,
    rms: float = 1.0,
    weight: float = 0.5,
    dtype: str = "float32",
    root: str = "Net",
    source: str = SOURCE,
    line: int = 6,
    losses: list[float] | None = None,
    gradient: float = 0.25,
    extra: bool = False,
    full: int = 3,
    epsilon: float = 1e-5,
    **meta: object,
) -> Path:
    """A small run that does the same each time, but for what is asked to be different."""
    with RecordBuilder(path, **meta) as record:
        record.source("train.py", source)
        record.event("optimizer", **{"class": "SGD", "lr": lr, "momentum": 0.0})
        parameter = record.parameter(f"{root}.linear.weight", initial=statistics(64, rms=weight))
        for step in range(steps):
            loss = losses[step] if losses else 2.0 * 0.9**step
            record.step(
                step, "full" if step < full else "check", loss=loss, learning_rate=lr,
                gradient_norm=0.5, gradient_nonfinite=0 if math.isfinite(loss) else 64,
            )  # fmt: skip
            if step < full:
                module = f"{root}.linear"
                record.operation(
                    "aten.addmm.default", step=step, line=line, module=module, dtype=dtype, output=statistics(rms=1.5)
                )
                if extra:
                    record.operation("aten.clone.default", step=step, line=line, dtype=dtype, output=statistics())
                record.operation(
                    "aten.exp.default", step=step, line=line, module=root, dtype=dtype, output=statistics(rms=rms),
                    arguments={"eps": epsilon},
                )  # fmt: skip
                record.operation("aten.mean.default", step=step, line=line + 1, dtype=dtype, output=statistics(1))
                record.gradient(step, parameter, statistics(64, rms=gradient))
    return path
