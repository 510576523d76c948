"""A system of equations that amplifies every error.

## What it sees
An inverse, a solution of linear equations or a factorisation of an ill-conditioned matrix that the program itself made
so (normal equations, a covariance without a ridge): the digits of the result are gone, though the program's inputs
would have allowed for more.

## Why it matters
Solving with a matrix of condition number 10^k loses k digits: float32 has seven. Forming XᵀX squares the condition
number, and with it doubles the digits that are lost.

## A program that shows it
```python
import torch

t = torch.linspace(0, 1, 40)
X = torch.stack([t**k for k in range(6)], dim=1)
y = X.sum(dim=1)
weights = torch.linalg.inv(X.T @ X) @ (X.T @ y)
print(weights[2].item())
```

## What to do instead
Solve the least-squares problem itself, by QR or an SVD, and in float64 where that is not enough.
```python
import torch

t = torch.linspace(0, 1, 40)
X = torch.stack([t**k for k in range(6)], dim=1)
y = X.sum(dim=1)
weights = torch.linalg.lstsq(X.double(), y.double()[:, None]).solution[:, 0]
print(weights[2].item())
```
"""

from __future__ import annotations

from collections.abc import Iterator

from wellposed.findings import Finding, Rule
from wellposed.record import Record
from wellposed.rules.numerics.digits.lost import findings_of

RULE = Rule(
    name="ill-conditioned-operation",
    code="N258",
    cause="cancellation",
    summary="solving with an ill-conditioned matrix leaves no digits",
    specificity=1,
)


def check(record: Record) -> Iterator[Finding]:
    # The error of a solution lies along the directions that the equations hardly feel: often nobody else does.
    return findings_of(RULE, record, most="advice")
